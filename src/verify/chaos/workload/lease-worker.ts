/** A client that grants leases, ties keys to them, renews them for a while, and then lets them go or ends them. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Prng } from '../../../base/index.ts'
import { outcomeOf } from '../client/rpc-failure.ts'
import { LeaseLog } from './lease-log.ts'
import { Seat } from './seat.ts'
import type { WorkloadWorld } from './world.ts'

const ttlSecondsMin = 2
const ttlSecondsMax = 4
const keysPerLease = 2
const leasesAtOnce = 4
const renewForMsMax = 6000
const pollMs = 200
/** A lease whose keys are still there so long after its time is left as it is; the records of its keys say so. */
const goneTimeoutMs = 30_000

export class LeaseWorker {
  private readonly world: WorkloadWorld
  private readonly random: Prng
  private readonly seat: Seat

  constructor(world: WorkloadWorld, name: string, random: Prng, home: number) {
    this.world = world
    this.random = random
    this.seat = new Seat(world, name, random, home)
  }

  async run(): Promise<void> {
    await Promise.all(Array.from({ length: leasesAtOnce }, () => this.runOne()))
    this.seat.close()
  }

  private async runOne(): Promise<void> {
    while (!this.world.ended.aborted) {
      await this.oneLease()
      await delay(100)
    }
  }

  private async oneLease(): Promise<void> {
    const { recorder, operationTimeoutMs } = this.world
    const ttlSeconds = ttlSecondsMin + this.random.below(ttlSecondsMax - ttlSecondsMin + 1)
    const sentMs = recorder.nowMs()
    const granted = await this.tried('lease grant', () => this.seat.api.grantLease(ttlSeconds, operationTimeoutMs))
    if (granted === undefined) return
    const lease = granted.id
    const log = new LeaseLog(recorder, lease)
    const ttlMs = granted.ttlSeconds * 1000
    log.record({ event: 'granted', sentMs, atMs: recorder.nowMs(), ttlMs })
    for (let at = 0; at < keysPerLease; at++) {
      const key = `lease/${log.name}/${at}`
      await this.tried('lease put', () =>
        log.put(this.seat.node, key, log.name, () => this.seat.api.put(key, log.name, operationTimeoutMs, lease)),
      )
    }
    await this.renewForAWhile(lease, log, ttlMs)
    if (this.random.below(3) === 0) await this.revoke(lease, log)
    // Only a key that was there can show by its absence that the lease is gone.
    if (log.keys.length > 0) await this.awaitGone(log)
  }

  /** Renews every third of the time to live, unless the lease is found gone. */
  private async renewForAWhile(lease: bigint, log: LeaseLog, ttlMs: number): Promise<void> {
    const { recorder, operationTimeoutMs, ended } = this.world
    const untilMs = recorder.nowMs() + this.random.below(renewForMsMax)
    while (recorder.nowMs() < untilMs && !ended.aborted) {
      await delay(ttlMs / 3)
      const sentMs = recorder.nowMs()
      const seconds = await this.tried('lease renewal', () => this.seat.api.keepLeaseAlive(lease, operationTimeoutMs))
      if (seconds === 0) return
      if (seconds !== undefined) log.record({ event: 'renewed', sentMs, atMs: recorder.nowMs(), ttlMs: seconds * 1000 })
    }
  }

  private async revoke(lease: bigint, log: LeaseLog): Promise<void> {
    const { recorder, operationTimeoutMs } = this.world
    const sentMs = recorder.nowMs()
    const done = await this.tried('lease revoke', async () => {
      await this.seat.api.revokeLease(lease, operationTimeoutMs)
      return true
    })
    log.record({ event: 'revoked', sentMs, ...(done === undefined ? {} : { atMs: recorder.nowMs() }) })
  }

  /** Reads the lease's keys until one of those tied to it is missing, and once more when some are left: none may be. */
  private async awaitGone(log: LeaseLog): Promise<void> {
    const { recorder, operationTimeoutMs, ended } = this.world
    const giveUpMs = recorder.nowMs() + goneTimeoutMs
    let gone = false
    while (recorder.nowMs() < giveUpMs && !ended.aborted) {
      await delay(pollMs)
      const range = { key: `lease/${log.name}/`, end: `lease/${log.name}0` }
      const reply = await this.tried('lease keys', () => this.seat.api.range(range, operationTimeoutMs))
      if (reply === undefined) continue
      const keys = reply.entries.map((entry) => entry.key)
      log.record({ event: 'keys', atMs: recorder.nowMs(), keys })
      if (gone) return
      if (log.keys.every((key) => keys.includes(key))) continue
      log.record({ event: 'gone', atMs: recorder.nowMs() })
      if (keys.length === 0) return
      gone = true
    }
  }

  /** Undefined when there was no answer, or a refusal. */
  private async tried<Reply>(kind: string, call: () => Promise<Reply>): Promise<Reply | undefined> {
    try {
      const reply = await call()
      this.world.tally.count(kind, 'ok')
      return reply
    } catch (error) {
      this.world.tally.count(kind, outcomeOf(error))
      this.seat.moveOn()
      return undefined
    }
  }
}
