import type { Configuration, MemberId, Membership, ProposeConfigurationResult, Role } from '../../core/index.ts'

/** Why a proposal or read was not answered, and whether it may have been applied. */
export interface Refusal {
  readonly ok: false
  /**
   * - `no-leader`: no leader appeared within the request time-out. Not applied.
   * - `leader-changed`: the leader it was sent to lost its office before the entry was known to be committed. Unknown,
   *   unless `outcome` says otherwise.
   * - `timeout`: handed to a leader, no answer in time. Unknown.
   * - `overloaded`: this node's bounded queue of proposals is full. Not applied.
   * - `too-large`: the command exceeds the largest entry. Not applied.
   * - `disk-full`: the leader cannot write. Not applied.
   * - `stopped`: this node is shutting down. Unknown if in flight.
   */
  readonly reason: 'no-leader' | 'leader-changed' | 'timeout' | 'overloaded' | 'too-large' | 'disk-full' | 'stopped'
  readonly outcome: 'not-applied' | 'unknown'
}

export type ProposalOutcome<Result> =
  | { readonly ok: true; readonly result: Result; readonly index: number; readonly term: number }
  | Refusal

export type ReadOutcome = { readonly ok: true } | Refusal

export interface GroupStatus {
  readonly memberId: MemberId
  readonly role: Role
  /** `noMember` (0n) when none is known. */
  readonly leader: MemberId
  readonly term: number
  readonly commitIndex: number
  readonly appliedIndex: number
  readonly lastIndex: number
}

/** Who votes and learns in a group, as this node sees it. */
export interface GroupConfiguration {
  /** In force here: the latest in this node's log, committed or not. */
  readonly configuration: Configuration
  /** Whether the entry that set it is known to be committed. */
  readonly committed: boolean
  readonly commitIndex: number
  /** Leader only: how far each other member is, and whether it answered lately. */
  readonly progress: ReadonlyMap<MemberId, { readonly matchIndex: number; readonly recentlyActive: boolean }>
}

/** One consensus group as its users on this node see it. Callbacks come exactly once, never inside the call itself. */
export interface Group<Result> {
  /**
   * Replicates `command` (which must not change afterwards) and answers after this node applied it, in the same turn as
   * the apply. Commands proposed on one node in one order by the same turn stay in that order while the leader lasts.
   * Never proposed twice. Waits for a leader up to the request time-out.
   */
  propose(command: Uint8Array, done: (outcome: ProposalOutcome<Result>) => void): void
  /** Answers once this node's state includes everything acknowledged anywhere before the call. */
  linearizableRead(done: (outcome: ReadOutcome) => void): void
  /** Asks the leader's `LeaderService` (this node's own, when it leads). For soft state that only a leader has. */
  callLeader(request: Uint8Array, done: (answer: LeaderAnswer) => void): void
  /** The handler behind `callLeader`, for when this node leads. */
  setLeaderService(handler: (request: Uint8Array, reply: (response: Uint8Array) => void) => void): void
  transferLeadership(to: MemberId): void
  /**
   * Leads the group to `target`, if this node leads. Answers at once; done once {@link configuration} shows it, committed
   * and not joint. A change survives its leader, or never happened.
   */
  proposeConfiguration(target: Membership): ProposeConfigurationResult
  configuration(): GroupConfiguration
  /** Calls `listener` whenever the configuration in force here changes, or becomes committed. Returns a function that ends it. */
  onConfigurationChange(listener: (configuration: GroupConfiguration) => void): () => void
  status(): GroupStatus
  /** Calls `listener` on each change of leader, term or role. Returns a function that ends it. */
  onStatusChange(listener: (status: GroupStatus) => void): () => void
}

export type LeaderAnswer = { readonly ok: true; readonly response: Uint8Array } | Refusal
