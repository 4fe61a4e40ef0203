/**
 * A client that takes a lock: a key that only one can create, tied to its lease. The key's createRevision is the fencing
 * token: it rises with each grant.
 *
 * - K1  A holder takes itself for the holder only until its lease's time, counted from when it *sent* its last grant or
 *       renewal that was answered, by its own clock.
 * - K2  Some holders fall asleep past that time and then write all the same, with their old token: the fenced resource is
 *       there for them.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Prng } from '../../../base/index.ts'
import { outcomeOf } from '../client/rpc-failure.ts'
import type { FencedResource } from './fenced-resource.ts'
import { LeaseLog } from './lease-log.ts'
import { Seat } from './seat.ts'
import type { WorkloadWorld } from './world.ts'

const ttlSeconds = 2
const retryMsMin = 20
const retryMsMax = 80
const holdMsMax = 600
/** One holder in so many sleeps past its lease. */
const sleeperEvery = 6
const writeIntervalMs = 20

/** A lease that this client believes in until `validUntilMs`. */
interface HeldLease {
  readonly id: bigint
  readonly log: LeaseLog
  readonly validUntilMs: number
}

export class LockWorker {
  private readonly world: WorkloadWorld
  private readonly name: string
  private readonly random: Prng
  private readonly seat: Seat
  private readonly lock: string
  private readonly resource: FencedResource
  private grants = 0

  constructor(world: WorkloadWorld, name: string, random: Prng, home: number, lock: string, resource: FencedResource) {
    this.world = world
    this.name = name
    this.random = random
    this.seat = new Seat(world, name, random, home)
    this.lock = lock
    this.resource = resource
  }

  async run(): Promise<void> {
    while (!this.world.ended.aborted) {
      const lease = await this.grant()
      if (lease !== undefined) await this.compete(lease)
      await delay(retryMsMin)
    }
    this.seat.close()
  }

  private async grant(): Promise<HeldLease | undefined> {
    const sentMs = this.world.recorder.nowMs()
    const granted = await this.tried(() => this.seat.api.grantLease(ttlSeconds, this.world.operationTimeoutMs))
    if (granted === undefined) return undefined
    const ttlMs = granted.ttlSeconds * 1000
    const log = new LeaseLog(this.world.recorder, granted.id)
    log.record({ event: 'granted', sentMs, atMs: this.world.recorder.nowMs(), ttlMs })
    return { id: granted.id, log, validUntilMs: sentMs + ttlMs }
  }

  /** Tries to create the key until that succeeds, or the lease has too little time left. */
  private async compete(lease: HeldLease): Promise<void> {
    const { recorder, ended } = this.world
    const holder = `${this.name}#${++this.grants}`
    while (recorder.nowMs() < lease.validUntilMs - holdMsMax && !ended.aborted) {
      const created = await this.tried(async () => ({ token: await this.create(lease, holder) }))
      // Perhaps it was created: the lease, never renewed, takes it away.
      if (created === undefined) return
      if (created.token !== undefined) return this.hold(lease, holder, created.token)
      await delay(retryMsMin + this.random.below(retryMsMax - retryMsMin))
    }
    await this.revoke(lease)
  }

  /** Resolves with the token, or with undefined when another holds the lock. */
  private create(lease: HeldLease, holder: string): Promise<number | undefined> {
    const key = this.lock
    return lease.log.put(this.seat.node, key, holder, async () => {
      const reply = await this.seat.api.txn(
        {
          compares: [{ key, target: 'createRevision', relation: '=', operand: 0 }],
          success: [{ op: 'put', key, value: holder, lease: lease.id }],
          failure: [],
        },
        this.world.operationTimeoutMs,
      )
      return reply.succeeded ? reply.revision : undefined
    })
  }

  private async revoke(lease: HeldLease): Promise<void> {
    const sentMs = this.world.recorder.nowMs()
    await this.tried(() => this.seat.api.revokeLease(lease.id, this.world.operationTimeoutMs))
    lease.log.record({ event: 'revoked', sentMs })
  }

  private async hold(lease: HeldLease, holder: string, token: number): Promise<void> {
    const { recorder } = this.world
    const fromMs = recorder.nowMs()
    const sleeps = this.random.below(sleeperEvery) === 0
    const wantedUntilMs = fromMs + this.random.below(holdMsMax)
    let untilMs = fromMs
    for (let nowMs = fromMs; nowMs < Math.min(lease.validUntilMs, wantedUntilMs); nowMs = recorder.nowMs()) {
      this.resource.write(token)
      untilMs = nowMs
      await delay(writeIntervalMs)
    }
    // It was the holder up to here, unless its time ran out before (K1).
    untilMs = Math.max(untilMs, Math.min(recorder.nowMs(), lease.validUntilMs))
    if (fromMs < lease.validUntilMs) recorder.add({ type: 'lock', lock: this.lock, holder, token, fromMs, untilMs })
    if (sleeps) {
      await delay(Math.max(0, lease.validUntilMs - recorder.nowMs()) + this.random.below(1500))
      this.resource.write(token)
      return
    }
    await this.revoke(lease)
  }

  private async tried<Reply>(call: () => Promise<Reply>): Promise<Reply | undefined> {
    try {
      const reply = await call()
      this.world.tally.count('lock', 'ok')
      return reply
    } catch (error) {
      this.world.tally.count('lock', outcomeOf(error))
      this.seat.moveOn()
      return undefined
    }
  }
}
