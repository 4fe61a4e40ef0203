import { assert } from '../../base/index.ts'
import { committedIndex } from '../quorum/index.ts'
import type { LeaseOptions } from './options.ts'
import type { RaftState } from './raft-state.ts'

/**
 * Reads by leader lease (thesis §6.4.1), off by default. A voter that hears a leader gives no vote to anybody for an
 * election time-out by its own clock: its pledge. A leader that a quorum answered knows that no other one is elected before
 * these pledges end, so until a little earlier by its own clock it answers reads from its state without a round.
 *
 * The clock assumption: while a lease runs, no member's clock advances more than `1 + clockDriftMax` times as far as
 * another's, and none stands still. A process may be stopped for any time: its clock goes on, and each read brings the
 * time with it. A machine that is suspended together with its monotonic clock breaks the assumption, and then a read may
 * be stale; nothing else depends on it.
 *
 * Invariants:
 * - L1  A pledge lasts from before the leader was heard until `electionTimeoutMs` after it was. It begins to count at the
 *       next time the host tells, which is later than the message. It holds whatever becomes of the leader and the
 *       term, for the own vote too, and from the start of a process, which may have pledged itself in its former life.
 * - L2  The lease counts from the last time known before a round of heartbeats left, which is earlier than the sending; never
 *       from the answer. It is shorter than a pledge by the drift.
 * - L3  A leader that began to hand over in its term has no lease for the rest of it: its successor asks the voters to set
 *       their pledges aside, and may do so late.
 * - L4  Every quorum counts, in a joint configuration both. The leader counts only itself without asking, if it has a vote.
 *
 * Differs from thesis §6.4.1, where the heartbeat's exchange extends the lease: here each round of heartbeats has a
 * context, so that an answer names the round it answers, however late it comes.
 */

/** The rounds of heartbeats that may still carry a lease, and the pledge of this node. Owned by `RaftState`. */
export class LeaderLease {
  /** The last time the host told. */
  clockMs = Number.NEGATIVE_INFINITY
  /** Leader: leadership was offered to somebody in this term (L3). */
  isForfeited = false
  private readonly options: LeaseOptions | undefined
  /** A leader was heard (or the process began) since the host last told the time. */
  private pledgeIsFresh = true
  private pledgedUntilMs = Number.NEGATIVE_INFINITY
  /** By rising context and time: the first context sent at each time. */
  private rounds: { readonly context: number; readonly sentMs: number }[] = []

  constructor(options: LeaseOptions | false) {
    this.options = options === false ? undefined : options
  }

  get isOn(): boolean {
    return this.options !== undefined
  }

  /** Whether this node must not give its vote to anybody, itself included (L1). */
  get isPledged(): boolean {
    return this.isOn && (this.pledgeIsFresh || this.clockMs < this.pledgedUntilMs)
  }

  /** The host told the time. */
  tell(nowMs: number | undefined): void {
    if (this.options === undefined || nowMs === undefined) return
    assert(nowMs >= this.clockMs, 'a monotonic clock does not go back')
    this.clockMs = nowMs
    if (this.pledgeIsFresh) this.pledgedUntilMs = nowMs + this.options.electionTimeoutMs
    this.pledgeIsFresh = false
  }

  heardLeader(): void {
    this.pledgeIsFresh = true
  }

  /** Leader: a round of heartbeats leaves (L2). */
  roundSent(context: number): void {
    if (this.options === undefined) return
    const oldestMs = this.clockMs - this.durationMs
    const expired = this.rounds.findIndex((round) => round.sentMs > oldestMs)
    this.rounds.splice(0, expired < 0 ? this.rounds.length : expired)
    if (this.rounds.at(-1)?.sentMs !== this.clockMs) this.rounds.push({ context, sentMs: this.clockMs })
  }

  /** Not later than the time at which the round with `context` left; undefined when that is too long ago to matter. */
  sentAt(context: number): number | undefined {
    return this.rounds.findLast((round) => round.context <= context)?.sentMs
  }

  /** Whether a lease that began at `sinceMs` still runs. */
  runsSince(sinceMs: number): boolean {
    return !this.isForfeited && this.clockMs < sinceMs + this.durationMs
  }

  /** The term is over, or begins. */
  reset(): void {
    this.rounds = []
    this.isForfeited = false
  }

  validate(): void {
    let latest = { context: -1, sentMs: Number.NEGATIVE_INFINITY }
    for (const round of this.rounds) {
      assert(round.context > latest.context, 'contexts of a lease rise')
      assert(round.sentMs >= latest.sentMs, 'times of a lease do not fall')
      assert(round.sentMs <= this.clockMs, 'a round left before now (L2)')
      latest = round
    }
  }

  private get durationMs(): number {
    return this.options === undefined ? 0 : this.options.electionTimeoutMs / (1 + this.options.clockDriftMax)
  }
}

/** Leader: whether nobody else can lead at the time the host has just told. */
export function holdsLease(raft: RaftState): boolean {
  if (!raft.lease.isOn) return false
  const sinceMs = committedIndex(raft.configuration, (member) => {
    if (member === raft.id) return raft.lease.clockMs
    return raft.progress.get(member)?.ackedSentMs ?? Number.NEGATIVE_INFINITY
  })
  return raft.lease.runsSince(sinceMs)
}
