/**
 * A client that takes a lock (a key that only one can create, tied to a lease), works under it on a fenced resource, and
 * gives it back, or stands still while it holds it.
 *
 * - K1  It takes itself for the holder only while its own clock says that the lease cannot have run out: from when the
 *       last answered renewal was sent, for the time to live less what two clocks within the stated bound can differ.
 * - K2  The token is the revision at which its key was created.
 */
import type { Random } from '../../../runtime/index.ts'
import { between, chance, pick } from '../chance.ts'
import { driftBoundPpm } from '../faults/clock-faults.ts'
import type { Machine } from '../machine.ts'
import type { FencedResource } from './fenced-resource.ts'
import type { ClientWorld } from './kv-client.ts'
import { LeaseSession, type Outcome } from './lease-session.ts'
import { txn } from './requests.ts'

const bound = driftBoundPpm / 1e6

/** One time of holding the lock. */
interface Hold {
  readonly session: LeaseSession
  readonly token: number
  readonly fromMs: number
  /** True time at which the holder's own clock says that it may be over (K1). */
  untilMs: number
  /** The holder stood still, and did not look at its clock. */
  stoodStill: boolean
  over: boolean
}

export class LockClient {
  private readonly world: ClientWorld
  private readonly random: Random
  private readonly name: string
  private readonly lock: string
  private readonly resource: FencedResource
  /** True milliseconds of one millisecond of this client's clock. */
  private readonly trueMs: number
  private rounds = 0
  private hold: Hold | undefined
  private stopped = false

  constructor(world: ClientWorld, random: Random, name: string, lock: string, resource: FencedResource) {
    this.world = world
    this.random = random
    this.name = name
    this.lock = lock
    this.resource = resource
    this.trueMs = 1 / (1 + bound * (2 * random.float() - 1))
  }

  start(): void {
    this.later(this.random.below(1500), () => this.acquire())
  }

  stop(): void {
    this.stopped = true
    if (this.hold !== undefined) this.end(this.hold)
  }

  private get machine(): Machine {
    return pick(this.random, this.world.cluster.members)
  }

  private later(delayMs: number, run: () => void): void {
    this.world.simulation.after(delayMs, () => {
      if (!this.stopped) run()
    })
  }

  private acquire(): void {
    const sentMs = this.world.recorder.nowMs
    LeaseSession.grant(this.world, this.machine, between(this.random, 1, 3), (session) => {
      if (session === undefined) this.later(300, () => this.acquire())
      else this.create(session, sentMs)
    })
  }

  /** Creates the lock's key, if it is not there. */
  private create(session: LeaseSession, sentMs: number): void {
    const key = `lock/${this.lock}`
    const value = `${this.name}.${this.rounds++}`
    const { machine } = this
    const { request, bytes } = txn(
      {
        compares: [{ key, target: 'createRevision', relation: '=', operand: 0 }],
        success: [{ op: 'put', key, value }],
        failure: [],
      },
      session.id,
    )
    const finish = session.beginPut(machine, key, value)
    this.world.calls.make<Outcome<number>>(
      machine,
      (node, answer) =>
        node.services.engine.txn(request, bytes, (outcome) => {
          if (!outcome.ok) answer({ ok: false, unknown: outcome.outcome === 'unknown' })
          else answer(outcome.succeeded ? { ok: true, value: outcome.revision } : { ok: false, unknown: false })
        }),
      (answer) => {
        const outcome =
          answer.kind === 'answered' ? answer.value : { ok: false as const, unknown: answer.kind === 'lost' }
        finish(outcome)
        if (outcome.ok) return this.begin(session, outcome.value, sentMs)
        // Taken, or nobody knows: whatever there is goes with the lease.
        session.revoke(this.machine, () => this.later(100 + this.random.below(400), () => this.acquire()))
      },
    )
  }

  /** K1. */
  private safeUntilMs(session: LeaseSession, sentMs: number): number {
    const localMs = (session.ttlMs * (1 - bound)) / (1 + bound)
    return sentMs + localMs * this.trueMs
  }

  private begin(session: LeaseSession, token: number, sentMs: number): void {
    const { recorder } = this.world
    const fromMs = recorder.nowMs
    const untilMs = this.safeUntilMs(session, sentMs)
    if (this.stopped || fromMs >= untilMs) {
      session.revoke(this.machine, () => this.later(100, () => this.acquire()))
      return
    }
    recorder.count('lock taken')
    const hold: Hold = { session, token, fromMs, untilMs, stoodStill: false, over: false }
    this.hold = hold
    this.work(hold, fromMs + this.random.below(5000))
  }

  /** Writes under the lock and renews, until it has had enough or is not sure any more. */
  private work(hold: Hold, enoughMs: number): void {
    if (hold.over) return
    const { nowMs } = this.world.recorder
    if (nowMs >= hold.untilMs || hold.session.gone) return this.end(hold)
    if (nowMs >= enoughMs) return this.release(hold)
    if (chance(this.random, 0.05)) return this.standStill(hold)
    this.later(this.random.below(100), () => {
      if (!hold.over && this.world.recorder.nowMs < hold.untilMs) this.resource.write(hold.token)
    })
    hold.session.renew(this.machine, (renewed) => {
      if (renewed && !hold.over) hold.untilMs = Math.max(hold.untilMs, this.safeUntilMs(hold.session, nowMs))
    })
    this.later(Math.min(300, hold.session.ttlMs / 4), () => this.work(hold, enoughMs))
  }

  /** As a process that is stopped: when it wakes up it finishes what it was about to do, and only then looks around. */
  private standStill(hold: Hold): void {
    hold.stoodStill = true
    this.world.recorder.count('lock holder stopped')
    this.later(1000 + this.random.below(6000), () => {
      this.resource.write(hold.token)
      this.end(hold, this.world.recorder.nowMs)
    })
  }

  private release(hold: Hold): void {
    this.end(hold)
    hold.session.revoke(this.machine, () => {})
  }

  /** It is the holder no more, at the latest since its clock said so. */
  private end(hold: Hold, atMs = Math.min(this.world.recorder.nowMs, hold.untilMs)): void {
    if (hold.over) return
    hold.over = true
    this.hold = undefined
    this.world.recorder.add({
      type: 'lock',
      lock: this.lock,
      holder: this.name,
      token: hold.token,
      fromMs: hold.fromMs,
      untilMs: atMs,
      ...(hold.stoodStill || this.world.driftPpm > driftBoundPpm ? { outsideBound: true } : {}),
    })
    this.later(this.random.below(400), () => this.acquire())
  }
}
