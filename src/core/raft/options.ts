import { assert } from '../../base/index.ts'

/** A range of ticks from which a delay is drawn, both ends included. */
export interface TickRange {
  readonly min: number
  readonly max: number
}

/** The election that follows the loss of the connection to the leader: see `connection-lost.ts`. */
export interface QuickElectionOptions {
  /** From the hint to the first pre-vote. Default 1 to 4 ticks. */
  readonly connectionLostDelayTicks: TickRange
  /** From one attempt to the next; should exceed a round trip and a disk sync. Default 3 to 8 ticks. */
  readonly retryTicks: TickRange
  /** After so many attempts without a leader the usual time-outs rule again; 0 turns quick elections off. Default 6. */
  readonly attemptsMax: number
}

/**
 * Reads by leader lease: see `leader-lease.ts`. The same on all members. The host then gives `nowMs` with each `tick` and
 * each `readIndex`; a read without it takes a round.
 */
export interface LeaseOptions {
  /** A voter that heard a leader gives no vote for so long, by its own clock: the least election time-out in ms. */
  readonly electionTimeoutMs: number
  /**
   * By how much one member's clock may outrun another's while a lease runs, as a part of the time: 0.05 allows 5 %. The
   * lease lasts `electionTimeoutMs / (1 + clockDriftMax)`. Clocks that differ more can make a read stale.
   */
  readonly clockDriftMax: number
}

/** Settings of a {@link Raft}. Times are in ticks of the host's clock. */
export interface RaftOptions {
  /** From one heartbeat to the next. Default 10. */
  readonly heartbeatTicks: number
  /** A follower campaigns after this long, to twice as long, without a leader; drawn anew each time. Default 100. */
  readonly electionTimeoutTicks: number
  /** Entries' bytes in one append message; a single larger entry still goes, alone. Default 1 MiB. */
  readonly maxAppendBytes: number
  /** Unanswered append messages to one follower. Default 64. */
  readonly maxInflightAppends: number
  /** `propose` is refused as `full` when more would be uncommitted. Default 64 MiB. */
  readonly maxUncommittedBytes: number
  /** A follower whose disk is stuck (full, or very slow) takes this much more, so that its state goes on. Default 64 MiB. */
  readonly maxUndurableBytes: number
  /** Reads waiting here, of this node and of followers; more fail at once. Default 100,000. */
  readonly maxPendingReads: number
  /** Rounds of reads under way at a time; further reads share the next one. Default 8. */
  readonly maxReadRounds: number
  /** A leader that hears no quorum for an election time-out steps down, and voters stay loyal to a leader they heard
   * within it (thesis §6.2, §4.2.3). Default true. */
  readonly checkQuorum: boolean
  /** Ask before raising the term (thesis §9.6). Default true. */
  readonly preVote: boolean
  /**
   * Reads by leader lease, without a round of heartbeats; needs `checkQuorum` and `preVote`. Quick elections are off then,
   * since they set aside what the lease relies on. Default false.
   */
  readonly leaseReads: LeaseOptions | false
  readonly quickElection: QuickElectionOptions
}

/** What holds where nothing else is said. */
export const defaultRaftOptions: RaftOptions = {
  heartbeatTicks: 10,
  electionTimeoutTicks: 100,
  maxAppendBytes: 1 << 20,
  maxInflightAppends: 64,
  maxUncommittedBytes: 64 << 20,
  maxUndurableBytes: 64 << 20,
  maxPendingReads: 100_000,
  maxReadRounds: 8,
  checkQuorum: true,
  preVote: true,
  leaseReads: false,
  quickElection: {
    connectionLostDelayTicks: { min: 1, max: 4 },
    retryTicks: { min: 3, max: 8 },
    attemptsMax: 6,
  },
}

/** Fills in defaults. The settings are the host's, so a contradiction is an assertion. */
export function resolveOptions(options: Partial<RaftOptions>): RaftOptions {
  const resolved = { ...defaultRaftOptions, ...options }
  assert(resolved.heartbeatTicks >= 1, 'heartbeatTicks is at least 1')
  assert(resolved.electionTimeoutTicks > resolved.heartbeatTicks, 'electionTimeoutTicks exceeds heartbeatTicks')
  assert(resolved.maxAppendBytes >= 1, 'maxAppendBytes is at least 1')
  assert(resolved.maxInflightAppends >= 1, 'maxInflightAppends is at least 1')
  assert(resolved.maxUncommittedBytes >= 1, 'maxUncommittedBytes is at least 1')
  assert(resolved.maxReadRounds >= 1, 'maxReadRounds is at least 1')
  assertLease(resolved)
  assertRange(resolved.quickElection.connectionLostDelayTicks)
  assertRange(resolved.quickElection.retryTicks)
  return resolved
}

function assertLease({ leaseReads, checkQuorum, preVote }: RaftOptions): void {
  if (leaseReads === false) return
  assert(checkQuorum && preVote, 'leases need checkQuorum and preVote')
  assert(leaseReads.electionTimeoutMs > 0, 'electionTimeoutMs is positive')
  assert(leaseReads.clockDriftMax >= 0, 'clockDriftMax is not negative')
}

function assertRange(range: TickRange): void {
  assert(range.min >= 1, 'a range of ticks starts at 1 or later')
  assert(range.max >= range.min, 'a range of ticks does not end before it starts')
}
