import type { MemberId } from '../replicated-log.ts'
import type { PromiseMessage } from './message.ts'
import type { Slot } from './slot-log.ts'
import { higherProposal } from './synod/index.ts'

/** What one acceptor has answered to the prepare requests of a round. */
interface Report {
  /** False: it refused. */
  readonly granted: boolean
  /** The first slot it has not reported on yet. */
  nextSlot: number
  /** It has reported on everything. */
  complete: boolean
  /** Known chosen there up to here. */
  chosenIndex: number
}

/**
 * Phase 1 of one round, over all open slots at once: the promises, and for each slot the accepted proposal of the highest
 * ballot among them. Behaviour stands in `phase-one.ts`.
 *
 * Invariants:
 * - R1  `highest` of a slot is the choice rule's answer (P2c) over everything reported so far, the own acceptor included.
 * - R2  A report counts towards a quorum when it is complete.
 */
export class Recovery {
  /** Who was sent a prepare request, and from which slot on. */
  readonly asked = new Map<MemberId, number>()
  private readonly reports = new Map<MemberId, Report>()
  private readonly highest = new Map<number, Slot>()
  private lastReported = 0

  /** The highest slot that anybody reported and that is still held here; 0 for none. */
  get lastSlot(): number {
    return this.lastReported
  }

  /** For `voteResult`: true when the promise covers all open slots, false when it was refused. */
  voteOf(member: MemberId): boolean | undefined {
    const report = this.reports.get(member)
    if (report === undefined) return undefined
    if (!report.granted) return false
    return report.complete ? true : undefined
  }

  /** The choice rule for one slot. */
  at(slot: number): Slot | undefined {
    return this.highest.get(slot)
  }

  /** Known chosen at a member that reported all its values up to there. */
  chosenAt(member: MemberId): number {
    const report = this.reports.get(member)
    if (report === undefined) return 0
    return report.complete ? report.chosenIndex : Math.min(report.chosenIndex, report.nextSlot - 1)
  }

  /** Where the next page of a member's report begins, after what is known chosen; undefined when none is awaited. */
  nextPageOf(member: MemberId, chosenIndex: number): number | undefined {
    const report = this.reports.get(member)
    const nextSlot = report === undefined ? this.asked.get(member) : report.nextSlot
    if (nextSlot === undefined || report?.granted === false || report?.complete === true) return undefined
    return Math.max(nextSlot, chosenIndex + 1)
  }

  /** A slot accepted by an acceptor of this round. */
  note(slot: Slot): void {
    const { index } = slot.value
    const higher = higherProposal(this.highest.get(index), slot)
    if (higher !== undefined) this.highest.set(index, higher)
    this.lastReported = Math.max(this.lastReported, index)
  }

  /** The own promise is durable; what the own acceptor holds has been noted. */
  ownPromiseCounts(id: MemberId, chosenIndex: number): void {
    this.reports.set(id, { granted: true, nextSlot: chosenIndex + 1, complete: true, chosenIndex })
  }

  /** A promise, or its next page, was refused. Returns whether that was news. */
  refused(member: MemberId): boolean {
    const known = this.reports.get(member)
    if (known?.complete === true || known?.granted === false || !this.asked.has(member)) return false
    this.reports.set(member, { granted: false, nextSlot: 0, complete: false, chosenIndex: 0 })
    return true
  }

  /**
   * Takes in a page; returns whether it told something new. A page that would leave a hole after the chosen prefix is
   * ignored.
   */
  promised(member: MemberId, page: PromiseMessage, ownChosenIndex: number): boolean {
    const expected = this.nextPageOf(member, ownChosenIndex)
    if (expected === undefined || page.fromSlot > expected) return false
    const known = this.reports.get(member)
    if (!page.complete && page.nextSlot <= expected) return false
    for (const slot of page.slots) this.note(slot)
    const { nextSlot, complete, chosenIndex } = page
    this.reports.set(member, {
      granted: true,
      nextSlot: Math.max(nextSlot, expected),
      complete,
      chosenIndex: Math.max(chosenIndex, known?.chosenIndex ?? 0),
    })
    return true
  }

  /** Slots up to `index` are proposed or chosen: what was reported of them is not needed any more. */
  forgetThrough(index: number): void {
    for (const slot of this.highest.keys()) if (slot <= index) this.highest.delete(slot)
  }
}
