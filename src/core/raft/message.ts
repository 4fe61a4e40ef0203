import type { Entry, MemberId, SnapshotMeta } from '../replicated-log.ts'

/**
 * Raft's messages. Every one carries its sender's term, except that a pre-vote and its granting response carry the term
 * the candidate would campaign in. Terms are at least 1. The transport names the sender.
 */

/** Leader to follower: entries to append after `prevLogIndex` (Raft §5.3). Never changed after it was sent. */
export interface AppendEntries {
  readonly type: 'appendEntries'
  readonly term: number
  readonly prevLogIndex: number
  readonly prevLogTerm: number
  /** The leader's commit index, possibly beyond what this message carries. */
  readonly commitIndex: number
  /** Contiguous from `prevLogIndex + 1`. Empty for a probe. */
  readonly entries: readonly Entry[]
}

/** Answers `AppendEntries` (Raft §5.3): the entries are durable, or the logs differ before them. */
export interface AppendEntriesResponse {
  readonly type: 'appendEntriesResponse'
  readonly term: number
  readonly success: boolean
  /** On success everything up to here equals the leader's log and is durable; else the refused `prevLogIndex`. */
  readonly index: number
  /** Refused only: where the logs may agree at best, and the follower's term there (0 when not known). */
  readonly hintIndex: number
  readonly hintTerm: number
}

/** Leader to follower at intervals, and at once for a round of reads (thesis §6.4). */
export interface Heartbeat {
  readonly type: 'heartbeat'
  readonly term: number
  /** At most what the follower is known to have. */
  readonly commitIndex: number
  /** The newest round of reads of this leader in this term; echoed. 0 for none. */
  readonly context: number
}

/** Answers `Heartbeat`: the follower still takes the sender for the leader of the term. */
export interface HeartbeatResponse {
  readonly type: 'heartbeatResponse'
  readonly term: number
  readonly context: number
  /**
   * The follower's log is the leader's up to here, durable or not; 0 when that is not known. For flow control alone:
   * nothing commits by it.
   */
  readonly receivedIndex: number
}

/**
 * Leader to follower: everything up to `commitIndex`, whose entry has `commitTerm`, is committed. A follower that does
 * not have that entry ignores it. Not answered, safe to lose: the next heartbeat or append says the same.
 */
export interface CommitNotice {
  readonly type: 'commitNotice'
  readonly term: number
  readonly commitIndex: number
  readonly commitTerm: number
}

/** A candidate asks for a vote (Raft §5.2). */
export interface RequestVote {
  readonly type: 'requestVote'
  readonly term: number
  readonly lastLogIndex: number
  readonly lastLogTerm: number
  /** The leader itself asked for this election: stickiness does not apply (thesis §4.2.3). */
  readonly transfer: boolean
  /** The leader whose connection the candidate lost, or `noMember`: see `connection-lost.ts`. */
  readonly lostLeader: MemberId
}

/** Answers `RequestVote` (Raft §5.2). */
export interface RequestVoteResponse {
  readonly type: 'requestVoteResponse'
  readonly term: number
  readonly granted: boolean
}

/** Asks whether a vote would be given in `term`, which nobody has entered yet (thesis §9.6). */
export interface PreVote {
  readonly type: 'preVote'
  readonly term: number
  readonly lastLogIndex: number
  readonly lastLogTerm: number
  readonly lostLeader: MemberId
}

/** Answers `PreVote` (thesis §9.6). */
export interface PreVoteResponse {
  readonly type: 'preVoteResponse'
  /** Granted: the term asked for. Refused: the voter's own. */
  readonly term: number
  readonly granted: boolean
}

/** Leader to follower, ahead of a snapshot's bytes: see `install-snapshot.ts`. */
export interface InstallSnapshot {
  readonly type: 'installSnapshot'
  readonly term: number
  readonly meta: SnapshotMeta
}

/** Follower to leader: asks for a read index for all the follower's reads under `context`. */
export interface ReadIndex {
  readonly type: 'readIndex'
  readonly term: number
  readonly context: number
}

/** Answers `ReadIndex` (thesis §6.4): a read may be served once everything up to the index is applied. */
export interface ReadIndexResponse {
  readonly type: 'readIndexResponse'
  readonly term: number
  readonly context: number
  /** 0: the read failed. */
  readonly index: number
}

/** Leader to the follower that shall lead next: campaign now (thesis §3.10). */
export interface TimeoutNow {
  readonly type: 'timeoutNow'
  readonly term: number
}

/** All that members say to each other. */
export type RaftMessage =
  | AppendEntries
  | AppendEntriesResponse
  | Heartbeat
  | HeartbeatResponse
  | CommitNotice
  | RequestVote
  | RequestVoteResponse
  | PreVote
  | PreVoteResponse
  | InstallSnapshot
  | ReadIndex
  | ReadIndexResponse
  | TimeoutNow
