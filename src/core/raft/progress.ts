import { assert } from '../../base/index.ts'

/**
 * What a leader knows of one other member, and what it may send it next. All transitions between the three states stand
 * here; handlers call them and branch on nothing else (after etcd-io/raft `tracker`).
 *
 * - `probe`: where the logs agree is not known; one append at a time, then wait for an answer or a heartbeat's.
 * - `replicate`: appends are pipelined, up to `maxInflightAppends` unanswered ones.
 * - `snapshot`: the host streams a snapshot; no appends until it reports, or the follower shows that it caught up.
 *
 * Invariants:
 * - P1  `matchIndex < nextIndex`. `matchIndex` falls only when the follower itself says that it has less: see `rejected`.
 * - P2  In `probe` and `snapshot` nothing is in flight.
 * - P3  `pendingSnapshotIndex` is not 0 exactly in `snapshot`.
 * - P4  The ends of the appends in flight rise, lie above `matchIndex` and below `nextIndex`.
 */
export class Progress {
  state: 'probe' | 'replicate' | 'snapshot' = 'probe'
  /** Everything up to here is durable at the follower and equal to the leader's log. */
  matchIndex = 0
  /** The next entry to send. */
  nextIndex: number
  /** `probe` only: an append is unanswered. */
  probeSent = false
  /** `snapshot` only: what the snapshot must at least cover. */
  pendingSnapshotIndex = 0
  /** `replicate` only: a commit index that was sent, and took effect if nothing was lost. */
  sentCommitIndex = 0
  /** Heard from since the last check of the quorum. */
  recentlyActive = false
  /** Heard from in the period that the last check of the quorum ended. */
  private formerlyActive = false
  /** The newest round of reads that the follower has confirmed. */
  ackedContext = 0
  /** With leases: not later than when the newest round of heartbeats left that the follower has answered. */
  ackedSentMs = Number.NEGATIVE_INFINITY

  /** No entry was acknowledged for a heartbeat interval: what was sent may be lost. */
  isStalled = false

  /** `matchIndex` when the heartbeat timer last fired. */
  private timedMatchIndex = -1
  private readonly inflightMax: number
  /** The last indexes of the unanswered appends: `inflight[inflightHead..]`. */
  private inflight: number[] = []
  private inflightHead = 0

  constructor(nextIndex: number, inflightMax: number) {
    this.nextIndex = nextIndex
    this.inflightMax = inflightMax
  }

  get inflightCount(): number {
    return this.inflight.length - this.inflightHead
  }

  /** Heard from lately: unlike `recentlyActive` this does not become false by a check of the quorum alone. */
  get answersLately(): boolean {
    return this.recentlyActive || this.formerlyActive
  }

  /** The quorum was checked: the next period begins. */
  beginPeriod(): void {
    this.formerlyActive = this.recentlyActive
    this.recentlyActive = false
  }

  /** Whether an append may be sent now. */
  get canSend(): boolean {
    if (this.state === 'probe') return !this.probeSent
    return this.state === 'replicate' && this.inflightCount < this.inflightMax
  }

  /** An append that ends at `lastIndex` was sent, telling `commitIndex`. */
  appendSent(lastIndex: number, commitIndex: number): void {
    if (this.state === 'probe') {
      this.probeSent = true
      return
    }
    this.sentCommitIndex = Math.max(this.sentCommitIndex, Math.min(commitIndex, lastIndex))
    if (lastIndex < this.nextIndex) return
    this.nextIndex = lastIndex + 1
    this.inflight.push(lastIndex)
  }

  /** The follower has everything up to `index`. `firstIndex` is the leader's first available entry. */
  acknowledged(index: number, firstIndex: number): void {
    const advanced = index > this.matchIndex
    if (advanced) {
      this.matchIndex = index
      this.nextIndex = Math.max(this.nextIndex, index + 1)
      this.sentCommitIndex = Math.min(this.sentCommitIndex, this.nextIndex - 1)
    }
    switch (this.state) {
      case 'probe':
        // An answer to the probe, even an old one: the logs agree up to nextIndex - 1 or will be told otherwise.
        if (advanced || index === this.nextIndex - 1) this.becomeReplicate()
        return
      case 'snapshot':
        if (this.matchIndex + 1 >= firstIndex) this.becomeReplicate()
        return
      case 'replicate':
        while (this.inflightHead < this.inflight.length && (this.inflight[this.inflightHead] as number) <= index) {
          this.inflightHead++
        }
        this.trimInflight()
    }
  }

  /**
   * The follower refused an append after `rejectedIndex`; the logs agree at most up to `agreeIndex`. Returns whether
   * that was news: an answer to an old message is not.
   *
   * A probe after `matchIndex` is refused by a follower that lost what it had acknowledged: its last record was damaged
   * and cut off. It cannot vouch for that any more, and would never catch up if the leader insisted.
   */
  rejected(rejectedIndex: number, agreeIndex: number): boolean {
    if (this.state === 'snapshot') return false
    if (this.state === 'replicate') {
      if (rejectedIndex <= this.matchIndex) return false
      this.becomeProbe()
      return true
    }
    if (rejectedIndex !== this.nextIndex - 1) return false
    this.matchIndex = Math.max(0, Math.min(this.matchIndex, agreeIndex, rejectedIndex - 1))
    this.nextIndex = Math.max(Math.min(rejectedIndex, agreeIndex + 1), this.matchIndex + 1)
    this.probeSent = false
    return true
  }

  /** The heartbeat timer fired. Rounds of reads send heartbeats far more often: their answers say nothing of a loss. */
  heartbeatTimerFired(): void {
    this.isStalled = this.matchIndex === this.timedMatchIndex
    this.timedMatchIndex = this.matchIndex
  }

  /**
   * An answer to a heartbeat: the follower lives. Returns whether an append should be tried again, be it empty, because
   * what was sent is unanswered for so long that it may be lost.
   */
  heartbeatAnswered(lastIndex: number): boolean {
    this.recentlyActive = true
    if (!this.isStalled) return false
    this.isStalled = false
    this.probeSent = false
    if (this.state === 'replicate' && this.inflightCount === this.inflightMax) {
      this.inflightHead++
      this.trimInflight()
    }
    return this.canSend && (this.state === 'probe' || this.matchIndex < lastIndex)
  }

  /**
   * A heartbeat's answer: the follower has the log up to `index`, though perhaps not on its disk. When nothing became
   * durable there for a while, appends go on by that, so that a follower whose disk is full keeps its state current and
   * can serve reads. Call before `heartbeatAnswered`.
   */
  received(index: number): void {
    if (!this.isStalled || index <= this.matchIndex) return
    if (this.state === 'probe' && index >= this.nextIndex - 1) {
      this.becomeReplicate()
      this.nextIndex = index + 1
    }
    if (this.state !== 'replicate') return
    while (this.inflightHead < this.inflight.length && (this.inflight[this.inflightHead] as number) <= index) {
      this.inflightHead++
    }
    this.trimInflight()
  }

  /** What was in flight is probably lost. The next heartbeat's answer starts again. */
  connectionLost(): void {
    if (this.state === 'replicate') this.awaitHeartbeat()
  }

  /** Sends no append before the follower answered a heartbeat. */
  awaitHeartbeat(): void {
    this.becomeProbe()
    this.probeSent = true
    this.isStalled = true
  }

  becomeSnapshot(index: number): void {
    assert(index > 0, 'a snapshot covers something (P3)')
    this.clearInflight()
    this.state = 'snapshot'
    this.probeSent = false
    this.pendingSnapshotIndex = index
  }

  /** The host streamed a snapshot up to `index`, or failed. After a failure the next heartbeat's answer tries again. */
  snapshotSent(index: number, ok: boolean): void {
    if (this.state !== 'snapshot') return
    this.awaitHeartbeat()
    if (!ok) return
    this.probeSent = false
    this.nextIndex = Math.max(this.nextIndex, index + 1)
  }

  validate(lastIndex: number): void {
    assert(this.matchIndex < this.nextIndex, 'matchIndex is below nextIndex (P1)')
    assert(this.matchIndex <= lastIndex, 'a follower has no more than its leader')
    assert(this.nextIndex <= lastIndex + 1, 'nothing beyond the log was sent')
    assert(this.state === 'replicate' || this.inflightCount === 0, 'only replicate has appends in flight (P2)')
    assert((this.state === 'snapshot') === this.pendingSnapshotIndex > 0, 'a pending snapshot has an index (P3)')
    assert(this.inflightCount <= this.inflightMax, 'appends in flight are bounded')
    let previous = this.matchIndex
    for (let i = this.inflightHead; i < this.inflight.length; i++) {
      assert((this.inflight[i] as number) > previous, 'appends in flight rise above matchIndex (P4)')
      previous = this.inflight[i] as number
    }
    assert(previous < this.nextIndex, 'appends in flight end below nextIndex (P4)')
  }

  private becomeProbe(): void {
    this.clearInflight()
    this.state = 'probe'
    this.probeSent = false
    this.pendingSnapshotIndex = 0
    this.nextIndex = this.matchIndex + 1
    this.sentCommitIndex = 0
  }

  private becomeReplicate(): void {
    this.state = 'replicate'
    this.probeSent = false
    this.pendingSnapshotIndex = 0
    this.nextIndex = this.matchIndex + 1
  }

  private clearInflight(): void {
    this.inflight = []
    this.inflightHead = 0
  }

  private trimInflight(): void {
    if (this.inflightHead === this.inflight.length) this.clearInflight()
    else if (this.inflightHead >= this.inflightMax) {
      this.inflight = this.inflight.slice(this.inflightHead)
      this.inflightHead = 0
    }
  }
}
