import type { Entry, MemberId, SnapshotMeta } from '../replicated-log.ts'
import type { Slot } from './slot-log.ts'

/**
 * Multi-Paxos's messages. Every one carries its sender's round, except that a `preVote` and its granting answer carry the
 * round the candidate would begin. Rounds are at least 1; a round has one proposer, so it is the ballot too. The transport
 * names the sender.
 */

/** Phase 1a, for all slots from `fromSlot` on. Sent again with a higher `fromSlot` for the next page of the answer. */
export interface Prepare {
  readonly type: 'prepare'
  readonly round: number
  readonly fromSlot: number
  /** The leader itself asked for this: acceptors do not defend it. */
  readonly transfer: boolean
  /** The leader whose connection the candidate lost, or `noMember`: see `connection-lost.ts`. */
  readonly lostLeader: MemberId
}

/** Phase 1b. A page of what the acceptor has accepted. */
export interface PromiseMessage {
  readonly type: 'promise'
  readonly round: number
  /** False: another proposer has this round, or what lies at `fromSlot` is in a snapshot here. The rest is 0 then. */
  readonly granted: boolean
  readonly fromSlot: number
  /** Everything accepted from `fromSlot` to before this slot is in `slots`. */
  readonly nextSlot: number
  /** Nothing is accepted from `nextSlot` on. */
  readonly complete: boolean
  /** Known chosen at the acceptor up to here: its values up to here are the chosen ones. */
  readonly chosenIndex: number
  /** By rising slot, with gaps. */
  readonly slots: readonly Slot[]
}

/** Phase 2a for consecutive slots from `firstSlot` on. Never changed after it was sent. Empty: asks how far the acceptor is. */
export interface Accept {
  readonly type: 'accept'
  readonly round: number
  readonly firstSlot: number
  /** Known chosen at the leader up to here, possibly beyond what this message carries. */
  readonly chosenIndex: number
  readonly entries: readonly Entry[]
}

/** Phase 2b: the slots from `firstSlot` to `lastSlot` are accepted in this round (or known chosen), on disk. */
export interface Accepted {
  readonly type: 'accepted'
  readonly round: number
  readonly firstSlot: number
  /** `firstSlot - 1` when the message answered was empty. */
  readonly lastSlot: number
  /** The same holds for every slot up to here. */
  readonly throughSlot: number
}

/** To a proposer of a lower round: it is not heard here any more. */
export interface Rejected {
  readonly type: 'rejected'
  readonly round: number
}

/** Leader to all at intervals, and at once for a round of reads. */
export interface Heartbeat {
  readonly type: 'heartbeat'
  readonly round: number
  readonly chosenIndex: number
  /** The newest round of reads of this leader; echoed. 0 for none. */
  readonly context: number
}

/** Answers `Heartbeat`: the acceptor still follows the round. */
export interface HeartbeatResponse {
  readonly type: 'heartbeatResponse'
  readonly round: number
  readonly context: number
  /** Every slot up to here is accepted in this round or known chosen, durable or not. For flow control alone. */
  readonly receivedThrough: number
}

/** Leader to follower: everything up to `chosenIndex` is chosen. Not answered, safe to lose. */
export interface ChosenNotice {
  readonly type: 'chosenNotice'
  readonly round: number
  readonly chosenIndex: number
}

/** Asks whether a promise would be given in `round`, which nobody has entered yet. */
export interface PreVote {
  readonly type: 'preVote'
  readonly round: number
  /** What the candidate would prepare from: after what it knows chosen. */
  readonly fromSlot: number
  /** The highest slot it has accepted. */
  readonly lastSlot: number
  readonly lostLeader: MemberId
}

/** Answers `PreVote`: whether a prepare of that round would be promised. */
export interface PreVoteResponse {
  readonly type: 'preVoteResponse'
  /** Granted: the round asked for. Refused: the acceptor's own. */
  readonly round: number
  readonly granted: boolean
}

/** Leader to follower, ahead of a snapshot's bytes: see `install-snapshot.ts`. */
export interface InstallSnapshot {
  readonly type: 'installSnapshot'
  readonly round: number
  readonly meta: SnapshotMeta
}

/** Follower to leader: asks for a read index for all the follower's reads under `context`. */
export interface ReadIndex {
  readonly type: 'readIndex'
  readonly round: number
  readonly context: number
}

/** Answers `ReadIndex`: a read may be served once everything up to the index is applied. */
export interface ReadIndexResponse {
  readonly type: 'readIndexResponse'
  readonly round: number
  readonly context: number
  /** 0: the read failed. */
  readonly index: number
}

/** Leader to the member that shall lead next: begin a round now. */
export interface TimeoutNow {
  readonly type: 'timeoutNow'
  readonly round: number
  readonly chosenIndex: number
}

/** All that members say to each other. */
export type PaxosMessage =
  | Prepare
  | PromiseMessage
  | Accept
  | Accepted
  | Rejected
  | Heartbeat
  | HeartbeatResponse
  | ChosenNotice
  | PreVote
  | PreVoteResponse
  | InstallSnapshot
  | ReadIndex
  | ReadIndexResponse
  | TimeoutNow
