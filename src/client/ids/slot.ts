/**
 * A slot of a name's generators, as its owner holds it. Two keys make it: `slots/NNNN`, tied to the owner's session, and
 * `reserved/NNNN`, which stays: up to which moment an owner may have made ids.
 *
 * - I1  An id is made only for a moment up to `reservedUntilMs`, which was durable before.
 * - I2  An owner begins after the moment that it found reserved, and its claim changes that key, which it compared. So
 *       no two owners of a slot make ids of the same moment, whatever clocks, pauses and lost sessions do: the session
 *       only frees slots.
 * - I3  Only the owner moves `reserved`, and each move compares the last: a late sending of an old one changes nothing.
 */
import type { PlaneContext } from '../context.ts'
import type { Entry, Key, OperationResult, Transaction } from '../driver/index.ts'
import type { Session } from '../sessions/index.ts'
import { isStill, type LeasedKey, type PersistOptions, persist } from '../turns/index.ts'
import { decodeTime, encodeTime, idsFloorKey } from './floor.ts'
import { idOf, refuseTimeBeyond, sequenceMax } from './id-layout.ts'

/** How far ahead an owner reserves; by so much ids can be ahead of the clock after an owner that left without a word. */
export const reserveStepMs = 3_000

/** What a claim found and left. */
export interface ClaimedSlot {
  readonly number: number
  readonly heldKey: LeasedKey
  readonly reservedKey: Key
  /** No ids of this moment or earlier. */
  readonly afterMs: number
  readonly reservedUntilMs: number
}

export class Slot {
  readonly session: Session
  private readonly context: PlaneContext
  private readonly claimed: ClaimedSlot
  /** Of the last id. */
  private lastMs: number
  private sequence = sequenceMax
  private reservedUntilMs: number
  /** Of `reserved`, as this owner left it. */
  private reservedRevision: number
  private isLost = false

  constructor(context: PlaneContext, session: Session, claimed: ClaimedSlot) {
    this.context = context
    this.session = session
    this.claimed = claimed
    this.lastMs = claimed.afterMs
    this.reservedUntilMs = claimed.reservedUntilMs
    this.reservedRevision = claimed.heldKey.createRevision
  }

  get isHeld(): boolean {
    return !this.isLost && this.session.remainingMs() > 0
  }

  /** Whether it is time to reserve more. */
  get runsShort(): boolean {
    return this.reservedUntilMs - this.nowMs() < reserveStepMs / 2
  }

  /** The next id; undefined when the slot is not held any more, or more has to be reserved first. */
  next(): bigint | undefined {
    if (!this.isHeld) return undefined
    const timeMs = Math.max(this.nowMs(), this.sequence === sequenceMax ? this.lastMs + 1 : this.lastMs)
    if (timeMs > this.reservedUntilMs) return undefined
    this.sequence = timeMs > this.lastMs ? 0 : this.sequence + 1
    this.lastMs = timeMs
    return idOf(timeMs, this.claimed.number, this.sequence)
  }

  /** Reserves a step from now. When the slot turns out to be another's, it is not held afterwards. */
  async reserve(options: PersistOptions): Promise<void> {
    const untilMs = this.nowMs() + reserveStepMs
    refuseTimeBeyond(untilMs)
    const { heldKey, reservedKey } = this.claimed
    const transaction = this.whileOurs(
      [
        { type: 'put', key: reservedKey, value: encodeTime(untilMs) },
        { type: 'get', key: idsFloorKey(this.context) },
      ],
      [
        { type: 'get', key: heldKey.key },
        { type: 'get', key: reservedKey },
        { type: 'get', key: idsFloorKey(this.context) },
      ],
    )
    const { driver } = this.context
    const reply = await persist(driver.outside, options, (call) => driver.transact(transaction, call))
    if (reply.succeeded) return this.haveReserved(untilMs, reply.revision, decodeTime(entryOf(reply.results[1])))
    const [held, reserved, floor] = reply.results.map(entryOf)
    if (held?.createRevision !== heldKey.createRevision || reserved === undefined) this.isLost = true
    // An answer of ours was lost: this is what we had reserved.
    else this.haveReserved(decodeTime(reserved), reserved.modRevision, decodeTime(floor))
  }

  /** Gives back what was reserved in vain, and the slot. */
  async release(options: PersistOptions): Promise<void> {
    const { heldKey, reservedKey } = this.claimed
    this.isLost = true
    const giveBack = this.whileOurs([{ type: 'put', key: reservedKey, value: encodeTime(this.lastMs) }], [])
    await this.context.driver.transact(giveBack, options).catch(() => {})
    await heldKey.withdraw()
  }

  private haveReserved(untilMs: number, revision: number, floorMs: number): void {
    this.reservedUntilMs = untilMs
    this.reservedRevision = revision
    if (floorMs <= this.lastMs) return
    this.lastMs = floorMs
    this.sequence = sequenceMax
  }

  private whileOurs(success: Transaction['success'], failure: NonNullable<Transaction['failure']>): Transaction {
    const { heldKey, reservedKey } = this.claimed
    const unmoved = { key: reservedKey, target: 'modRevision', is: '=', value: this.reservedRevision } as const
    return { compares: [isStill(heldKey.key, heldKey.createRevision), unmoved], success, failure }
  }

  /** Where this slot's time stands: its clock, which must not go back. */
  private nowMs(): number {
    return Math.max(this.context.driver.outside.clock.wallMs(), this.lastMs)
  }
}

function entryOf(result: OperationResult | undefined): Entry | undefined {
  return result?.type === 'get' ? result.entry : undefined
}
