import { assert } from '../../base/index.ts'

/** A range of ticks from which a delay is drawn, both ends included. */
export interface TickRange {
  readonly min: number
  readonly max: number
}

/** The election that follows the loss of the connection to the leader: see `connection-lost.ts`. */
export interface QuickElectionOptions {
  /** From the hint to the first question. Default 1 to 4 ticks. */
  readonly connectionLostDelayTicks: TickRange
  /** From one attempt to the next; should exceed a round trip and a disk sync. Default 3 to 8 ticks. */
  readonly retryTicks: TickRange
  /** After so many attempts without a leader the usual time-outs rule again; 0 turns quick elections off. Default 6. */
  readonly attemptsMax: number
}

/** Settings of a {@link Paxos}. Times are in ticks of the host's clock. */
export interface PaxosOptions {
  /** From one heartbeat to the next. Default 10. */
  readonly heartbeatTicks: number
  /** Who hears no leader for this long, to twice as long, seeks the office; drawn anew each time. Default 100. */
  readonly electionTimeoutTicks: number
  /** Values' bytes in one accept or promise message; a single larger value still goes, alone. Default 1 MiB. */
  readonly maxAcceptBytes: number
  /** Unanswered accept messages to one member. Default 64. */
  readonly maxInflightAccepts: number
  /** `propose` is refused as `full` when more would be proposed and not chosen. Default 64 MiB. */
  readonly maxUnchosenBytes: number
  /** As {@link maxUnchosenBytes}, in slots; an acceptor takes nothing that lies farther ahead. Default 2^20. */
  readonly maxUnchosenSlots: number
  /** A member whose disk is stuck (full, or very slow) takes this much more, so that its state goes on. Default 64 MiB. */
  readonly maxUndurableBytes: number
  /** Reads waiting here, of this node and of others; more fail at once. Default 100,000. */
  readonly maxPendingReads: number
  /** Rounds of reads under way at a time; further reads share the next one. Default 8. */
  readonly maxReadRounds: number
  /** A leader that hears no quorum for an election time-out steps down, and acceptors stay loyal to a leader they heard
   * within it. Default true. */
  readonly checkQuorum: boolean
  /** Ask before a new round is begun. Default true. */
  readonly preVote: boolean
  readonly quickElection: QuickElectionOptions
}

/** What holds where nothing else is said. */
export const defaultPaxosOptions: PaxosOptions = {
  heartbeatTicks: 10,
  electionTimeoutTicks: 100,
  maxAcceptBytes: 1 << 20,
  maxInflightAccepts: 64,
  maxUnchosenBytes: 64 << 20,
  maxUnchosenSlots: 1 << 20,
  maxUndurableBytes: 64 << 20,
  maxPendingReads: 100_000,
  maxReadRounds: 8,
  checkQuorum: true,
  preVote: true,
  quickElection: {
    connectionLostDelayTicks: { min: 1, max: 4 },
    retryTicks: { min: 3, max: 8 },
    attemptsMax: 6,
  },
}

/** Fills in defaults. The settings are the host's, so a contradiction is an assertion. */
export function resolveOptions(options: Partial<PaxosOptions>): PaxosOptions {
  const resolved = { ...defaultPaxosOptions, ...options }
  assert(resolved.heartbeatTicks >= 1, 'heartbeatTicks is at least 1')
  assert(resolved.electionTimeoutTicks > resolved.heartbeatTicks, 'electionTimeoutTicks exceeds heartbeatTicks')
  assert(resolved.maxAcceptBytes >= 1, 'maxAcceptBytes is at least 1')
  assert(resolved.maxInflightAccepts >= 1, 'maxInflightAccepts is at least 1')
  assert(resolved.maxUnchosenBytes >= 1, 'maxUnchosenBytes is at least 1')
  assert(resolved.maxUnchosenSlots >= 1, 'maxUnchosenSlots is at least 1')
  assert(resolved.maxReadRounds >= 1, 'maxReadRounds is at least 1')
  assertRange(resolved.quickElection.connectionLostDelayTicks)
  assertRange(resolved.quickElection.retryTicks)
  return resolved
}

function assertRange(range: TickRange): void {
  assert(range.min >= 1, 'a range of ticks starts at 1 or later')
  assert(range.max >= range.min, 'a range of ticks does not end before it starts')
}
