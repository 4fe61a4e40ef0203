/**
 * The coordination engine as `wire/etcd` and `node/` see it, and the seams between its parts. Types only.
 *
 *     wire/etcd ──> CoordinationEngine ──> Group (replicates commands) ──> CoordinationStateMachine
 *                        │                                                  MvccStore, LeaseTable, alarms
 *                        └─ Lessor (leader's soft state), WatchHub <── StateObserver
 */
import type { BinaryString } from '../../base/index.ts'
import type { MemberId } from '../../core/index.ts'
import type { MvccStore } from '../../storage/mvcc/index.ts'
import type { GroupStatus, StateRestorer, StateSnapshot } from '../replication/index.ts'
import type { PromotionCounts } from './member-changes.ts'
import type {
  Alarm,
  AlarmRequest,
  CompactRequest,
  DeleteRangeRequest,
  LeaseGrantRequest,
  Member,
  PutRequest,
  RangeRequest,
  TxnRequest,
} from './messages.ts'
import type {
  AlarmResult,
  CompactResult,
  DeleteRangeResult,
  Done,
  LeaseGrantResult,
  LeaseRevokeResult,
  MemberChangeResult,
  PutResult,
  RangeResult,
  TxnResult,
} from './results.ts'

export interface CoordinationOptions {
  readonly clusterId: bigint
  readonly memberId: bigint
  /** etcd's --quota-backend-bytes: 0 means 2 GiB, negative none. */
  readonly quotaBytes: number
  /** etcd's --max-request-bytes. */
  readonly maxRequestBytes: number
  /** etcd's --max-txn-ops. */
  readonly maxTxnOps: number
  /** Leases get at least this. etcd: one and a half election time-outs, rounded up. */
  readonly minLeaseTtlSeconds: number
  readonly autoCompaction: AutoCompaction
  /** How long a change of members may wait for the consensus group to follow. */
  readonly requestTimeoutMs: number
}

/** etcd's --auto-compaction-mode and --auto-compaction-retention, parsed. */
export type AutoCompaction =
  | { readonly mode: 'off' }
  | { readonly mode: 'periodic'; readonly retentionMs: number }
  | { readonly mode: 'revision'; readonly retention: number }

/**
 * One node's coordination service. Requests are already decoded and validated (by the functions of `codec/`); `bytes` is
 * the request as it was received, which the log carries unchanged and which must not change afterwards. Every `done`
 * comes exactly once, never inside the call; a command's comes in the turn of its apply, so refs in it are valid there.
 */
export interface CoordinationEngine {
  readonly clusterId: bigint
  readonly memberId: bigint
  /** The present Raft term, for response headers. */
  readonly term: number
  /** Whether this node knows of a leader: what etcd's clients ask for with the metadata `hasleader`. */
  readonly hasLeader: boolean
  /** The newest revision applied on this node. */
  readonly revision: number
  /** The store now; another one after a restore, so read it anew each turn. */
  readonly store: MvccStore
  /** The replicated leases now. */
  readonly leases: LeaseTable
  readonly options: CoordinationOptions

  range(request: RangeRequest, done: Done<RangeResult>): void
  put(request: PutRequest, bytes: Uint8Array, done: Done<PutResult>): void
  deleteRange(request: DeleteRangeRequest, bytes: Uint8Array, done: Done<DeleteRangeResult>): void
  /** Read-only transactions are answered from local state (linearizable unless all its ranges are serializable). */
  txn(request: TxnRequest, bytes: Uint8Array, done: Done<TxnResult>): void
  compact(request: CompactRequest, bytes: Uint8Array, done: Done<CompactResult>): void

  /** Chooses an id when the request has none. `bytes` is the LeaseGrantRequest. */
  leaseGrant(request: LeaseGrantRequest, bytes: Uint8Array, done: Done<LeaseGrantResult>): void
  /** `expired`: asked for by the leader's lessor rather than by a user. */
  leaseRevoke(id: bigint, reason: 'user' | 'expired', done: Done<LeaseRevokeResult>): void

  /** The declared members that this node knows of, in ascending order of id. */
  members(): readonly Member[]
  /** Whether this node is declared a learner, as far as it knows. */
  readonly isLearner: boolean
  /**
   * Whether this node is no declared learner and does not count as a voter yet: it copies the log, or the change is under way.
   * Until then the others must not lose a member in the belief that this one stands in for it.
   */
  readonly awaitsVote: boolean
  /** The promotions asked for here, since the start. */
  readonly promotions: PromotionCounts
  /** Declares a member, under an id chosen here. Answers once the consensus configuration has it as a learner, or voter. */
  memberAdd(peerUrls: readonly string[], isLearner: boolean, done: Done<MemberChangeResult>): void
  /** Answers once the consensus configuration is committed without it. */
  memberRemove(id: MemberId, done: Done<MemberChangeResult>): void
  /** Changes where the other members reach a member. */
  memberUpdate(id: MemberId, peerUrls: readonly string[], done: Done<MemberChangeResult>): void
  /** Makes a learner that has caught up a voter. Answers once it votes. */
  memberPromote(id: MemberId, done: Done<MemberChangeResult>): void

  /** `get` answers from local state; the others are replicated. */
  alarm(request: AlarmRequest, done: Done<AlarmResult>): void
  alarms(): readonly Alarm[]

  /** Waits until this node has seen all that was acknowledged anywhere before the call. */
  linearizableRead(done: Done<{ readonly ok: true }>): void
  status(): CoordinationStatus
  /** etcd's HashKV at `revision` (0: now), computed in slices. */
  hashKv(revision: number, done: Done<HashKvResult>): void
  /** A hash over everything replicated here: store, leases, alarms. Equal on nodes that applied the same commands. */
  stateHash(done: (hash: StateHash) => void): void
  /**
   * Runs a job that would hold the loop too long, a slice a turn, sharing one budget with all others: `job` does about a
   * millisecond of work a call and returns true while there is more. Starts in a later turn.
   */
  runInSlices(job: () => boolean): void
  /** Ends timers and background work. Requests under way still get their answer from the group. */
  stop(): void
}

export interface HashKvResult {
  readonly ok: true
  readonly hash: number
  readonly compactRevision: number
  readonly hashRevision: number
  /** The newest revision, for the header. */
  readonly revision: number
}

export interface StateHash {
  /** CRC-32C. */
  readonly hash: number
  /** The log index and revision that the hash is of. Only hashes of the same index compare. */
  readonly appliedIndex: number
  readonly revision: number
}

export interface CoordinationStatus {
  readonly group: GroupStatus
  readonly revision: number
  readonly compactedRevision: number
  readonly sizeBytes: number
  readonly sizeInUseBytes: number
  readonly quotaBytes: number
  readonly alarms: readonly Alarm[]
  readonly isLearner: boolean
}

/**
 * The replicated half of leases: part of the deterministic state, so it knows no time. `leases/` implements it; the
 * state machine alone changes it. Who may expire what and when is the leader's soft state (`leases/`), told through
 * {@link StateObserver}.
 */
export interface LeaseTable {
  /** How many leases there are. 0 lets the put path skip them. */
  readonly count: number
  has(id: bigint): boolean
  /** The granted time to live, or undefined. */
  ttlSeconds(id: bigint): number | undefined
  /** All lease ids. */
  ids(): Iterable<bigint>
  /** Adds a lease; the caller has made sure that it is not there. */
  grant(id: bigint, ttlSeconds: number): void
  /** Removes a lease and its attachments; its keys, sorted (or undefined when there is no such lease). */
  revoke(id: bigint): readonly BinaryString[] | undefined
  /** Ties a key to a lease that exists. */
  attach(id: bigint, key: BinaryString): void
  /** Unties it. Does nothing when it was not tied. */
  detach(id: bigint, key: BinaryString): void
  /** The keys tied to a lease, sorted. */
  keys(id: bigint): readonly BinaryString[]
  /**
   * The leases (id and granted TTL, not their keys) in ascending order of id, as of this moment. The same bytes on every
   * node. Keys are not in it: after a restore the state machine attaches every live key again.
   */
  snapshot(): StateSnapshot
  /** Builds a table from `snapshot`'s chunks; `finish` puts it in place. Throws a RestoreError when damaged. */
  restore(): StateRestorer
}

/** What the state machine tells about its changes, in the turn of the apply, after each command. Must not throw. */
export interface StateObserver {
  /** The store has new changes, up to `revision`. Read them with `store.changes`. */
  onRevision?(revision: number): void
  /** A compaction at `revision` comes next: what it drops can still be read in this call. */
  onCompacting?(revision: number): void
  onCompacted?(revision: number): void
  onLeaseGranted?(id: bigint, ttlSeconds: number): void
  onLeaseRevoked?(id: bigint): void
  /** The declared members changed, or what one of them says of itself. */
  onMembersChanged?(): void
  /** Nothing holds the store's memory any more: reclaiming can go on. */
  onUnpinned?(): void
  /** Everything changed at once: a snapshot took the state's place. `store` is another object now. */
  onRestored?(): void
}

/** What parts of the engine see of the state machine. */
export interface CoordinationState {
  readonly store: MvccStore
  readonly leases: LeaseTable
  /** The log index of the last command applied. */
  readonly appliedIndex: number
  alarms(): readonly Alarm[]
  /** Tells that a cursor, snapshot or hash job is open on the store, until the returned function is called, once. */
  pin(): () => void
  /** How many of those there are. While there are any, the store reclaims nothing. */
  readonly pins: number
  /** Adds an observer; returns a function that removes it. Called in order of addition. */
  observe(observer: StateObserver): () => void
}
