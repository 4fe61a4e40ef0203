/**
 * The interface between a consensus core and its host. A core is a pure, deterministic object: events in, effects out.
 * `core/raft` implements it; `core/paxos` will. The host (`engine/replication`) owns disk, network and time, may carry
 * out effects in any order that respects the durability each one states, and reports back through `step`.
 *
 * Effects come out in order. The rules the host must keep:
 *
 * - D1  `persist` effects become durable in the order of their ids. When persist N is durable the host steps
 *       `{ type: 'persisted', id: N }` (which vouches for all lower ids too).
 * - D2  A `send` with `afterPersist: N` leaves only after persist N is durable. Without it, it leaves at once, in
 *       parallel with the disk (Raft thesis §10.2.1).
 * - D3  `commit` is final: entries up to its index are chosen and are on disk at a quorum; this node itself may still be
 *       writing its own copy. The host applies them in index order.
 * - D4  Messages may be lost, reordered, duplicated or delayed at will. The core stays correct.
 */

/** A member of the cluster: 64 random or hashed bits, never 0. */
export type MemberId = bigint

/** No member. */
export const noMember: MemberId = 0n

/** What an entry carries. `noop` opens a leader's term; `configuration` changes the members. */
export type EntryKind = 'noop' | 'command' | 'configuration'

export interface Entry {
  /** Position in the log, from 1, without gaps. At most 2^53 - 1. */
  readonly index: number
  /** The term (Paxos: ballot round) that proposed it. At most 2^53 - 1. */
  readonly term: number
  readonly kind: EntryKind
  /** Never changed after the entry is made. */
  readonly payload: Uint8Array
}

/**
 * Who votes. Joint from the start (Raft §6): while `outgoing` is not empty, a decision needs a majority of both sets.
 * Learners receive the log and count nowhere.
 */
export interface Configuration {
  readonly voters: readonly MemberId[]
  readonly outgoing: readonly MemberId[]
  readonly learners: readonly MemberId[]
}

/** What a change of members aims at. The way there (joint or not) is the algorithm's. */
export interface Membership {
  /** At least one. */
  readonly voters: readonly MemberId[]
  /** Disjoint from `voters`. */
  readonly learners: readonly MemberId[]
}

/** What must survive a restart besides the entries. */
export interface HardState {
  readonly term: number
  /** {@link noMember} when no vote was given in `term`. */
  readonly votedFor: MemberId
}

/**
 * Identifies a snapshot: the state after applying `index`. `term` is the highest of any entry up to there; in Raft that of the
 * entry at `index`.
 */
export interface SnapshotMeta {
  readonly index: number
  readonly term: number
  readonly configuration: Configuration
}

export type Role = 'follower' | 'pre-candidate' | 'candidate' | 'leader' | 'learner'

/** What happened outside. `M` is the core's own message type. */
export type CoreEvent<M> =
  /**
   * One tick of the host's clock; time-outs are counted in ticks. `nowMs` is the host's monotonic clock, read for this
   * event; needed only where an option of the core says so (leader leases).
   */
  | { readonly type: 'tick'; readonly nowMs?: number }
  | { readonly type: 'message'; readonly from: MemberId; readonly message: M }
  /** Persist effect `id`, and every lower one, is durable. */
  | { readonly type: 'persisted'; readonly id: number }
  /** The state machine has applied up to `index`. */
  | { readonly type: 'applied'; readonly index: number }
  /**
   * Asks for a linearizable read. `id` is the caller's, unique on this node, answered by `readReady` or `readFailed`.
   * `nowMs` as for `tick`: read after the last of the reads that share this event was asked for, not before.
   */
  | { readonly type: 'readIndex'; readonly id: number; readonly nowMs?: number }
  /** Hands leadership to `to` (a voter), or to the most up-to-date voter when {@link noMember}. */
  | { readonly type: 'transferLeadership'; readonly to: MemberId }
  /** The transport's connection with `peer` broke, in a way that suggests that its process died. Only a hint. */
  | { readonly type: 'connectionLost'; readonly peer: MemberId }
  /** The host has a durable snapshot; entries up to `compactTo` (at most `meta.index`) may be forgotten. */
  | { readonly type: 'snapshotTaken'; readonly meta: SnapshotMeta; readonly compactTo: number }
  /** Leader: the host finished (or gave up) streaming a snapshot to `to`. */
  | { readonly type: 'snapshotSent'; readonly to: MemberId; readonly index: number; readonly ok: boolean }
  /** Follower: a snapshot streamed from the leader is durable and restored into the state machine. */
  | { readonly type: 'snapshotRestored'; readonly meta: SnapshotMeta }

/** What the host must do. */
export type CoreEffect<M> =
  | {
      readonly type: 'persist'
      /** Rises by one each time. */
      readonly id: number
      /** Present when it changed. Must be durable together with `entries`. */
      readonly hardState: HardState | undefined
      /** To append. Where the first one's index exists already, it and everything after it are replaced. */
      readonly entries: readonly Entry[]
    }
  | {
      readonly type: 'send'
      readonly to: MemberId
      readonly message: M
      /** The persist id that must be durable first; 0 for none. */
      readonly afterPersist: number
    }
  /** All entries up to `index` are committed. Rises strictly. Read them with `entries()`. */
  | { readonly type: 'commit'; readonly index: number }
  /** The read may be answered from local state once `index` is applied. */
  | { readonly type: 'readReady'; readonly id: number; readonly index: number }
  /** The read was not confirmed (leader lost or changed, or none known). Nothing happened; it may be asked again. */
  | { readonly type: 'readFailed'; readonly id: number }
  /** The known leader, this node's role or the term changed. */
  | { readonly type: 'status'; readonly leader: MemberId; readonly term: number; readonly role: Role }
  /**
   * The configuration in force changed: by an entry at `index` that was appended (it need not be committed, and may be
   * taken back), or by a snapshot. The host keeps connections with all its members.
   */
  | { readonly type: 'configuration'; readonly configuration: Configuration; readonly index: number }
  /** Leader: `to` needs entries that are gone. Stream it a snapshot, then step `snapshotSent`. One at a time a peer. */
  | { readonly type: 'sendSnapshot'; readonly to: MemberId }

/** As {@link ProposeResult}. A change is one small entry or two: Raft refuses none as `full`. */
export type ProposeConfigurationResult =
  | { readonly ok: true; readonly term: number; readonly index: number }
  /**
   * `changing`: another change is under way, or this leader has not committed an entry of its own term yet; ask again
   * later. `unchanged`: the members are these already, and that is committed.
   */
  | {
      readonly ok: false
      readonly reason: 'not-leader' | 'transferring' | 'full' | 'changing' | 'unchanged'
      readonly leader: MemberId
    }

export type ProposeResult =
  | {
      readonly ok: true
      readonly term: number
      /** The index the first payload got; the others follow without gaps. */
      readonly firstIndex: number
    }
  /** `not-leader`: ask `leader` (may be {@link noMember}). `transferring`: leadership is being handed over. `full`: too
   * much is uncommitted; ask again after the next commit. In all cases nothing was proposed. */
  | { readonly ok: false; readonly reason: 'not-leader' | 'transferring' | 'full'; readonly leader: MemberId }

/** A view of a core's progress, for status pages and decisions about compaction. */
export interface CoreStatus {
  readonly id: MemberId
  readonly role: Role
  readonly leader: MemberId
  readonly term: number
  readonly commitIndex: number
  readonly lastIndex: number
  /** The first index still held in memory. */
  readonly firstIndex: number
  /** The one in force: the latest in the log, committed or not. */
  readonly configuration: Configuration
  /** The index of the entry that set it; 0 for the initial one, and at most the snapshot's index when that brought it. */
  readonly configurationIndex: number
  /**
   * Leader only: for each other member, learners included, the highest index known durable there and whether it answered
   * lately. Who leaves by a change is in it until the change is done.
   */
  readonly progress: ReadonlyMap<MemberId, { readonly matchIndex: number; readonly recentlyActive: boolean }>
}

/** A consensus core. Not re-entrant: effects are carried out after `step` or `propose` returned. */
export interface ReplicatedLog<M> {
  /** Takes in one event; its effects go to the sink given at construction, in order. */
  step(event: CoreEvent<M>): void
  /** Appends commands, if this node leads. Effects (persist, send) go to the sink. */
  propose(payloads: readonly Uint8Array[]): ProposeResult
  /**
   * Leads the cluster to `target`, if this node leads. It answers at once; the change is done when `status()` shows a
   * configuration equal to `target`, with no `outgoing`, whose `configurationIndex` is committed. One change at a time;
   * a change survives its leader (the next one carries it on, or it never happened).
   */
  proposeConfiguration(target: Membership): ProposeConfigurationResult
  /** The entries from `fromIndex` to `toIndex`, both included; both must lie between `firstIndex` and `lastIndex`. */
  entries(fromIndex: number, toIndex: number): readonly Entry[]
  status(): CoreStatus
  /** Checks every invariant of the core's state; throws an InvariantError. For tests and the simulator. */
  validate(): void
}

export type EffectSink<M> = (effect: CoreEffect<M>) => void

/** What a core restarts from. */
export interface CoreRestore {
  readonly hardState: HardState
  /** The snapshot the state machine was restored from; index 0 (with the initial configuration) when none. */
  readonly snapshot: SnapshotMeta
  /** The durable entries after the snapshot (some at or before it may be present and are kept for slow followers). */
  readonly entries: readonly Entry[]
}
