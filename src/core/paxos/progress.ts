import { assert } from '../../base/index.ts'

/** Consecutive slots, both ends included. */
export interface SlotRange {
  readonly first: number
  readonly last: number
}

/**
 * What a leader knows of one other member, and what it may send it next. All transitions between the three states stand
 * here; handlers call them and branch on nothing else.
 *
 * - `probe`: which slots the member has is not known; nothing is sent before it answered a heartbeat.
 * - `replicate`: accepts are pipelined, up to `maxInflightAccepts` unanswered ones; answers come in any order.
 * - `snapshot`: the host streams a snapshot; no accepts until it reports, or the member shows that it caught up.
 *
 * Invariants:
 * - P1  `matchIndex < nextSlot`. `matchIndex` falls only when the member itself says that it has less: see `heartbeatAnswered`.
 * - P2  In `probe` and `snapshot` nothing is in flight.
 * - P3  The ranges in `acked` rise, do not touch, and lie above `matchIndex`.
 */
export class Progress {
  state: 'probe' | 'replicate' | 'snapshot' = 'probe'
  /** Every slot up to here is durable at the member: accepted in this round, or known chosen there. */
  matchIndex = 0
  /** The next slot to send. */
  nextSlot = 1
  /** `replicate` only: a chosen index that was sent, and took effect if nothing was lost. */
  sentChosenIndex = 0
  /** Heard from since the last check of the quorum. */
  recentlyActive = false
  /** The newest round of reads that the member has confirmed. */
  ackedContext = 0
  /**
   * `matchIndex` did not rise for a heartbeat interval: what comes next after it may be lost. Acknowledgements above a gap
   * are no sign that the gap will close: under steady load there is always one.
   */
  isStalled = false
  /** Heard from in the period that the last check of the quorum ended. */
  private formerlyActive = false
  /** Whether `matchIndex` rose since the heartbeat timer last fired. */
  private hasAdvanced = false
  private readonly inflightMax: number
  /** The unanswered accepts. */
  private inflight: SlotRange[] = []
  /** Slots above `matchIndex` that are durable at the member. */
  private acked: SlotRange[] = []

  constructor(inflightMax: number) {
    this.inflightMax = inflightMax
  }

  get inflightCount(): number {
    return this.inflight.length
  }

  get answersLately(): boolean {
    return this.recentlyActive || this.formerlyActive
  }

  /** Whether an accept may be sent now. */
  get canSend(): boolean {
    return this.state === 'replicate' && this.inflight.length < this.inflightMax
  }

  /** The quorum was checked: the next period begins. */
  beginPeriod(): void {
    this.formerlyActive = this.recentlyActive
    this.recentlyActive = false
  }

  /** Whether `slot` is durably accepted at the member in this round, or known chosen there. */
  isAcked(slot: number): boolean {
    return slot <= this.matchIndex || this.acked.some((range) => range.first <= slot && slot <= range.last)
  }

  /** From `from`, the next slots up to `last` that are not acknowledged; undefined when there are none. */
  unackedFrom(from: number, last: number): SlotRange | undefined {
    let first = Math.max(from, this.matchIndex + 1)
    for (const range of this.acked) {
      if (range.first > first) return first > last ? undefined : { first, last: Math.min(last, range.first - 1) }
      first = Math.max(first, range.last + 1)
    }
    return first > last ? undefined : { first, last }
  }

  /** An accept was sent for `first` to `last`; `last < first` for one without slots. */
  acceptSent(first: number, last: number, chosenIndex: number): void {
    assert(this.state === 'replicate', 'accepts are sent in replicate')
    this.sentChosenIndex = Math.max(this.sentChosenIndex, chosenIndex)
    this.nextSlot = last + 1
    if (last >= first) this.inflight.push({ first, last })
  }

  /** The member durably has `first` to `last`, and everything up to `through`. `firstIndex` is the leader's first slot. */
  acknowledged(first: number, last: number, through: number, firstIndex: number): void {
    if (this.unackedFrom(first, last) !== undefined) {
      this.acked = mergeRange(this.acked, { first: Math.max(first, this.matchIndex + 1), last })
    }
    this.raiseMatch(through)
    this.inflight = this.inflight.filter((range) => this.unackedFrom(range.first, range.last) !== undefined)
    if (this.state === 'snapshot' && this.matchIndex + 1 >= firstIndex) this.begin(this.matchIndex)
  }

  /** The heartbeat timer fired. Rounds of reads send heartbeats far more often: their answers say nothing of a loss. */
  heartbeatTimerFired(): void {
    this.isStalled = !this.hasAdvanced
    this.hasAdvanced = false
  }

  /**
   * An answer to a heartbeat: the member lives, and has received every slot up to `receivedThrough`, durable or not. When
   * its `matchIndex` stood still for a while, what it has not received is sent again; what it has received is on its way to
   * its disk, and accepts go on after it, so that a member whose disk is full keeps its state current.
   *
   * A member that received less than it had acknowledged lost it: its last record was damaged and cut off. It cannot
   * vouch for that any more, and would never catch up if the leader insisted.
   *
   * Returns whether an accept should be sent though it be empty, to learn what is durable there.
   */
  heartbeatAnswered(receivedThrough: number, lastSlot: number): boolean {
    this.recentlyActive = true
    if (this.state === 'snapshot' || (this.state === 'replicate' && !this.isStalled)) return false
    this.isStalled = false
    if (receivedThrough < this.matchIndex) {
      this.matchIndex = receivedThrough
      this.acked = []
    }
    if (this.state === 'probe') this.begin(receivedThrough)
    if (this.matchIndex >= lastSlot) return false
    this.inflight = []
    this.nextSlot = Math.max(this.matchIndex, receivedThrough) + 1
    return this.nextSlot > lastSlot
  }

  /** The member is known to have received everything up to `receivedThrough`: accepts begin after it. */
  begin(receivedThrough: number): void {
    this.state = 'replicate'
    this.inflight = []
    this.nextSlot = Math.max(this.matchIndex, receivedThrough) + 1
    this.sentChosenIndex = 0
  }

  /** What was in flight is probably lost. The next heartbeat's answer starts again. */
  connectionLost(): void {
    if (this.state === 'replicate') this.becomeProbe()
  }

  becomeProbe(): void {
    this.state = 'probe'
    this.inflight = []
    this.nextSlot = this.matchIndex + 1
  }

  becomeSnapshot(): void {
    this.state = 'snapshot'
    this.inflight = []
    this.nextSlot = this.matchIndex + 1
  }

  /** The host streamed a snapshot up to `index`, or failed. After a failure the next heartbeat's answer tries again. */
  snapshotSent(index: number, ok: boolean): void {
    if (this.state !== 'snapshot') return
    if (ok) this.begin(index)
    else this.becomeProbe()
  }

  validate(lastSlot: number): void {
    assert(this.matchIndex < this.nextSlot, 'matchIndex is below nextSlot (P1)')
    assert(this.matchIndex <= lastSlot, 'a member has no more than its leader')
    assert(this.nextSlot <= lastSlot + 1, 'nothing beyond the last slot was sent')
    assert(this.state === 'replicate' || this.inflight.length === 0, 'only replicate has accepts in flight (P2)')
    assert(this.inflight.length <= this.inflightMax, 'accepts in flight are bounded')
    let previous = this.matchIndex
    for (const { first, last } of this.acked) {
      assert(first > previous + 1, 'acked ranges are apart (P3)')
      assert(last >= first && last <= lastSlot, 'an acked range is one')
      previous = last
    }
  }

  private raiseMatch(index: number): void {
    let match = Math.max(this.matchIndex, index)
    let done = 0
    for (const range of this.acked) {
      if (range.first > match + 1) break
      match = Math.max(match, range.last)
      done++
    }
    if (done > 0) this.acked = this.acked.slice(done)
    if (match === this.matchIndex) return
    this.matchIndex = match
    this.nextSlot = Math.max(this.nextSlot, match + 1)
    this.hasAdvanced = true
  }
}

/** `ranges`, which rise and do not touch, with `added`. */
function mergeRange(ranges: readonly SlotRange[], added: SlotRange): SlotRange[] {
  const before = ranges.filter((range) => range.last < added.first - 1)
  const after = ranges.filter((range) => range.first > added.last + 1)
  const touching = ranges.slice(before.length, ranges.length - after.length)
  const first = Math.min(added.first, touching[0]?.first ?? added.first)
  const last = Math.max(added.last, touching.at(-1)?.last ?? added.last)
  return [...before, { first, last }, ...after]
}
