/**
 * The proposals of this node's callers in one group, from the call to the answer.
 *
 * - P1  A proposal is handed to a leader at most once in a term, and only to the leader of the term noted in
 *       `handedTerm`. It is handed again only when that very leader said that it never proposed it; what was said of
 *       another term, or of an earlier life of this node, does not count.
 * - P2  Where terms never fall along the log (Raft): once an entry of a later term is applied, a proposal handed in an
 *       earlier term and not yet seen will never be seen: it is refused as `not-applied`, with certainty. Where they may
 *       (Multi-Paxos: what some acceptor took from an earlier leader, a later one may yet recover), such an entry still
 *       tells that the leader it was handed to is gone: it is refused as `unknown`.
 * - P3  Every proposal is answered exactly once.
 * - P4  A snapshot that replaces the state may hide the fate of what was handed: it is refused as `unknown`.
 */
import type { ProposalOutcome, Refusal } from './group.ts'

export interface PendingProposal<Result> {
  readonly sequence: number
  readonly payload: Uint8Array
  readonly done: (outcome: ProposalOutcome<Result>) => void
  readonly deadlineMs: number
  /** The term of the leader it was handed to; 0 while it waits for one. */
  handedTerm: number
}

export interface ProposalBounds {
  readonly countMax: number
  readonly bytesMax: number
}

export class ProposalQueue<Result> {
  private readonly bounds: ProposalBounds
  private readonly termsNeverFall: boolean
  /** All that are not answered, by sequence number; insertion order is deadline order. */
  private readonly pending = new Map<number, PendingProposal<Result>>()
  /** Those that wait to be handed to a leader, in order. */
  private waiting: PendingProposal<Result>[] = []
  private pendingBytes = 0
  private highestTermSeen = 0

  constructor(bounds: ProposalBounds, termsNeverFall: boolean) {
    this.bounds = bounds
    this.termsNeverFall = termsNeverFall
  }

  get pendingCount(): number {
    return this.pending.size
  }

  get hasWaiting(): boolean {
    return this.waiting.length > 0
  }

  /** False when the bounds are reached; the proposal is then not taken. */
  add(proposal: PendingProposal<Result>): boolean {
    if (this.pending.size >= this.bounds.countMax || this.pendingBytes >= this.bounds.bytesMax) return false
    this.pending.set(proposal.sequence, proposal)
    this.pendingBytes += proposal.payload.length
    this.waiting.push(proposal)
    return true
  }

  /** Takes the waiting proposals, up to `bytesMax` (at least one), to hand them to the leader of `term`. */
  hand(term: number, bytesMax: number): PendingProposal<Result>[] {
    let bytes = 0
    let count = 0
    while (count < this.waiting.length) {
      bytes += this.waiting[count]!.payload.length
      if (count > 0 && bytes > bytesMax) break
      count++
    }
    const handed = count === this.waiting.length ? this.waiting : this.waiting.slice(0, count)
    this.waiting = count === this.waiting.length ? [] : this.waiting.slice(count)
    for (const proposal of handed) proposal.handedTerm = term
    return handed
  }

  /** Puts proposals that the leader of `term` was handed and never proposed back in front of the queue. */
  takeBack(term: number, sequences: readonly number[]): void {
    const back: PendingProposal<Result>[] = []
    for (const sequence of sequences) {
      const proposal = this.pending.get(sequence)
      if (proposal === undefined || proposal.handedTerm !== term) continue
      proposal.handedTerm = 0
      back.push(proposal)
    }
    if (back.length > 0) this.waiting = [...back, ...this.waiting]
  }

  has(sequence: number): boolean {
    return this.pending.has(sequence)
  }

  /** Removes and returns the proposal that an applied entry answers. */
  take(sequence: number): PendingProposal<Result> | undefined {
    const proposal = this.pending.get(sequence)
    if (proposal === undefined) return undefined
    this.forget(proposal)
    return proposal
  }

  /** An entry of `term` was applied: refuses what was handed to leaders of earlier terms (P2). */
  onAppliedTerm(term: number): void {
    if (term <= this.highestTermSeen) return
    this.highestTermSeen = term
    const outcome = this.termsNeverFall ? 'not-applied' : 'unknown'
    for (const proposal of this.pending.values())
      if (proposal.handedTerm !== 0 && proposal.handedTerm < term)
        this.refuse(proposal, { ok: false, reason: 'leader-changed', outcome })
  }

  /** A snapshot took the place of entries that this node never saw (P4). */
  onEntriesSkipped(): void {
    for (const proposal of this.pending.values())
      if (proposal.handedTerm !== 0) this.refuse(proposal, { ok: false, reason: 'leader-changed', outcome: 'unknown' })
  }

  /** Refuses the proposals whose deadline has passed. */
  expire(nowMs: number): void {
    let unhanded = false
    for (const proposal of this.pending.values()) {
      if (proposal.deadlineMs > nowMs) break
      const handed = proposal.handedTerm !== 0
      if (!handed) unhanded = true
      this.refuse(proposal, {
        ok: false,
        reason: handed ? 'timeout' : 'no-leader',
        outcome: handed ? 'unknown' : 'not-applied',
      })
    }
    if (unhanded) this.waiting = this.waiting.filter((proposal) => this.pending.has(proposal.sequence))
  }

  /** Refuses what no leader has been handed yet. */
  refuseWaiting(reason: Refusal['reason']): void {
    const waiting = this.waiting
    this.waiting = []
    for (const proposal of waiting) this.refuse(proposal, { ok: false, reason, outcome: 'not-applied' })
  }

  /** Refuses everything: the node stops. */
  stop(): void {
    this.waiting = []
    for (const proposal of this.pending.values())
      this.refuse(proposal, {
        ok: false,
        reason: 'stopped',
        outcome: proposal.handedTerm === 0 ? 'not-applied' : 'unknown',
      })
  }

  private refuse(proposal: PendingProposal<Result>, refusal: Refusal): void {
    this.forget(proposal)
    proposal.done(refusal)
  }

  private forget(proposal: PendingProposal<Result>): void {
    this.pending.delete(proposal.sequence)
    this.pendingBytes -= proposal.payload.length
  }
}
