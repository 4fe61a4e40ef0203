import type { PlaneContext } from '../context.ts'
import { SynodError } from '../errors.ts'
import { type CallLimits, callOptions } from '../limits.ts'
import { within } from '../once/index.ts'
import type { Session } from '../sessions/index.ts'
import { claimSlot } from './claim-slot.ts'
import { idText } from './id-layout.ts'
import type { Slot } from './slot.ts'

export interface IdsOptions {
  /** Which holds the slot. Default: the shared session, anew after a loss. */
  readonly session?: Session | undefined
}

/**
 * Makes ids that no other generator of the same name makes, in any process, ever: also not after a crash, a clock that
 * was set back, a stopped process that goes on, or a move to another engine by `synod copy`.
 *
 * An id has 63 bits: 41 of milliseconds since 2025 (until September 2094), 10 of a slot, 12 of a sequence. At most 1 024
 * generators of a name hold a slot at a time. A process makes 4 096 ids a millisecond, and more by running ahead of its
 * clock.
 *
 * Almost every id is made without asking the engine; about every other second one has to wait for a write that reserves
 * the next three seconds. Ids of one generator rise while its session lasts. Ids of different generators are ordered as
 * they were made when that was further apart than their clocks differ, and 3 s: a generator that takes over the slot of
 * one that died begins where that one's reservation ended. A clock that is far ahead leads its own ids, and those of
 * later owners of its slot, ahead with it; uniqueness never depends on a clock.
 */
export interface IdGenerator {
  readonly name: string
  /**
   * The next id, at least 0 and below 2^63. Rejects with `RESOURCE_EXHAUSTED` when all slots are held, and, without
   * limits of its own, with what the engine says after about 30 s without an answer. An id that a rejected call would
   * have had is never made.
   */
  next(limits?: CallLimits): Promise<bigint>
  /** The next id as 13 digits and letters (Crockford's base 32, lower case), which order as the numbers do. */
  nextString(limits?: CallLimits): Promise<string>
  /**
   * Gives the slot back, when nobody else of this connection uses the same name. Calls after it reject with `CLOSED`.
   */
  close(): Promise<void>
}

/** See {@link IdGenerator}. */
export function createIds(context: PlaneContext, name: string, options: IdsOptions = {}): IdGenerator {
  return new PlaneIds(context, name, options.session)
}

class PlaneIds implements IdGenerator {
  readonly name: string
  private readonly context: PlaneContext
  private readonly session: Session | undefined
  private readonly closing = new AbortController()
  private slot: Slot | undefined
  /** A slot is being claimed or more of it reserved, for all who wait. */
  private refilling: Promise<void> | undefined

  constructor(context: PlaneContext, name: string, session: Session | undefined) {
    this.context = context
    this.name = name
    this.session = session
  }

  async next(limits?: CallLimits): Promise<bigint> {
    for (;;) {
      if (this.closing.signal.aborted) throw this.closing.signal.reason
      const id = this.slot?.next()
      if (id !== undefined) {
        // A failure is met again by the one who then has to wait.
        if (this.slot!.runsShort) this.refill().catch(() => {})
        return id
      }
      await this.refilled(limits)
    }
  }

  async nextString(limits?: CallLimits): Promise<string> {
    return idText(await this.next(limits))
  }

  async close(): Promise<void> {
    this.closing.abort(new SynodError('CLOSED', `the id generator "${this.name}" was closed; make another`))
    await this.refilling?.catch(() => {})
    const { slot } = this
    this.slot = undefined
    await slot?.release({})
  }

  /** What all wait for goes on when one of them leaves. */
  private async refilled(limits: CallLimits | undefined): Promise<void> {
    await within(this.context.driver.outside, this.refill(), callOptions(this.context, limits))
  }

  private refill(): Promise<void> {
    this.refilling ??= this.context.tracing
      .span('ids.reserve', { 'synod.name': this.name }, () => this.reserveOrClaim())
      .finally(() => {
        this.refilling = undefined
      })
    return this.refilling
  }

  private async reserveOrClaim(): Promise<void> {
    const { signal } = this.closing
    if (this.slot?.isHeld === true) return this.slot.reserve({ signal })
    const session = this.session ?? (await this.context.sessions.shared({ signal }))
    session.assertAlive()
    this.slot = await claimSlot(this.context, this.name, session, { signal })
  }
}
