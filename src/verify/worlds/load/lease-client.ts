/**
 * A client that holds a lease with keys for a while: renews it, looks whether its keys are there, then lets it run out or
 * ends it, and waits until it is gone.
 */
import type { Random } from '../../../runtime/index.ts'
import { between, chance, pick } from '../chance.ts'
import type { Machine } from '../machine.ts'
import type { ClientWorld } from './kv-client.ts'
import { LeaseSession } from './lease-session.ts'

const lookEveryMs = 300

export class LeaseClient {
  private readonly world: ClientWorld
  private readonly random: Random
  private readonly name: string
  private rounds = 0
  private stopped = false
  /** No lease of its is there, or may be there that it knows of. */
  idle = true

  constructor(world: ClientWorld, random: Random, name: string) {
    this.world = world
    this.random = random
    this.name = name
  }

  start(): void {
    this.later(this.random.below(2000), () => this.begin())
  }

  /** Takes no more leases; those that are there still have to end. */
  stop(): void {
    this.stopped = true
  }

  private get machine(): Machine {
    return pick(this.random, this.world.cluster.members)
  }

  private later(delayMs: number, run: () => void): void {
    this.world.simulation.after(delayMs, run)
  }

  private begin(): void {
    if (this.stopped) return
    const prefix = `lease/${this.name}.${this.rounds++}/`
    LeaseSession.grant(this.world, this.machine, between(this.random, 1, 4), (session) => {
      if (session === undefined) this.later(300, () => this.begin())
      else {
        this.idle = false
        this.attach(session, prefix, between(this.random, 1, 2))
      }
    })
  }

  private attach(session: LeaseSession, prefix: string, count: number): void {
    session.attach(this.machine, `${prefix}${count}`, this.name, (attached) => {
      if (!attached || session.gone) this.letGo(session, prefix)
      else if (count > 1) this.attach(session, prefix, count - 1)
      else this.hold(session, prefix, this.world.recorder.nowMs + this.random.below(6000))
    })
  }

  /** Renews and looks, in turn, until `untilMs`. */
  private hold(session: LeaseSession, prefix: string, untilMs: number): void {
    if (session.gone || this.stopped || this.world.recorder.nowMs >= untilMs) return this.letGo(session, prefix)
    session.renew(this.machine, () => {
      if (session.gone) return this.letGo(session, prefix)
      session.readKeys(this.machine, prefix, (keys) => {
        if (keys?.length === 0) session.noteGone()
        this.later(Math.min(lookEveryMs, session.ttlMs / 4), () => this.hold(session, prefix, untilMs))
      })
    })
  }

  private letGo(session: LeaseSession, prefix: string): void {
    if (!session.gone && chance(this.random, 0.4)) session.revoke(this.machine, () => this.awaitEnd(session, prefix))
    else this.awaitEnd(session, prefix)
  }

  private awaitEnd(session: LeaseSession, prefix: string): void {
    session.readKeys(this.machine, prefix, (keys) => {
      if (keys === undefined || (keys.length > 0 && !session.gone)) {
        this.later(lookEveryMs, () => this.awaitEnd(session, prefix))
        return
      }
      // Without a key that is known to have been there, an empty answer shows nothing.
      if (session.hasKeys) session.noteGone()
      this.idle = true
      this.later(this.random.below(500), () => this.begin())
    })
  }
}
