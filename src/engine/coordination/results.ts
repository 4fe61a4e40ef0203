/** What commands and reads answer: discriminated on `ok`, then on `type`. Nothing here throws. */
import type { MvccStore, RecordRef } from '../../storage/mvcc/index.ts'
import type { Alarm, Member } from './messages.ts'

/**
 * Why a request was refused. The first group comes from validation, the second from the state machine (so it is the same
 * on every node), the third from replication. `wire/etcd/errors.ts` maps each one to a status and etcd's text.
 */
export type EngineErrorCode =
  | 'MALFORMED_REQUEST'
  | 'EMPTY_KEY'
  | 'EMPTY_OPERATION'
  | 'VALUE_PROVIDED'
  | 'LEASE_PROVIDED'
  | 'TOO_MANY_OPERATIONS'
  | 'DUPLICATE_KEY'
  | 'INVALID_SORT_OPTION'
  | 'REQUEST_TOO_LARGE'
  | 'MEMBER_BAD_URLS'
  // From the checks before a change of members is proposed.
  | 'LEARNER_NOT_READY'
  | 'UNHEALTHY'
  // From the state machine.
  | 'KEY_NOT_FOUND'
  | 'COMPACTED'
  | 'FUTURE_REVISION'
  | 'NO_SPACE'
  | 'CORRUPT'
  | 'LEASE_NOT_FOUND'
  | 'LEASE_EXISTS'
  | 'LEASE_TTL_TOO_LARGE'
  | 'UNKNOWN_COMMAND'
  | 'MEMBER_NOT_FOUND'
  | 'MEMBER_EXISTS'
  | 'PEER_URL_EXISTS'
  | 'MEMBER_NOT_LEARNER'
  | 'TOO_MANY_LEARNERS'
  | 'NOT_ENOUGH_STARTED'
  // From replication.
  | 'NO_LEADER'
  | 'LEADER_CHANGED'
  | 'TIMEOUT'
  | 'TOO_MANY_REQUESTS'
  | 'DISK_FULL'
  | 'STOPPED'

/** A refusal. `outcome` says whether the request may nevertheless have been, or may yet be, carried out. */
export interface Failure {
  readonly ok: false
  readonly code: EngineErrorCode
  readonly outcome: 'not-applied' | 'unknown'
}

/** Refs in results are valid in the turn of the callback, unless the result says that it pins them. */
export interface PutResult {
  readonly ok: true
  readonly type: 'put'
  /** The revision of this put. */
  readonly revision: number
  /** The version that was replaced; {@link noRecord} also when the request did not ask for it. */
  readonly previous: RecordRef
}

export interface DeleteRangeResult {
  readonly ok: true
  readonly type: 'deleteRange'
  readonly revision: number
  readonly deleted: number
  /** The deleted versions in key order; empty when the request did not ask for them. */
  readonly previous: readonly RecordRef[]
}

/** Keeps records readable over several turns. */
export interface Pin {
  close(): void
}

export interface RangeResult {
  readonly ok: true
  readonly type: 'range'
  /** The store's revision when the range was read, whatever revision was asked for. */
  readonly revision: number
  /** Keys in the range, before filters and limit. */
  readonly count: number
  /** Whether the limit left something out. */
  readonly more: boolean
  readonly keysOnly: boolean
  readonly refs: readonly RecordRef[]
  /** The store that the refs belong to: a long range may outlive it as the engine's. */
  readonly store: MvccStore
  /**
   * A long answer pins its records, so that it can be encoded over several turns; whoever gets it must close the pin.
   * Undefined: the refs are valid in this turn only.
   */
  readonly pin: Pin | undefined
}

export interface TxnResult {
  readonly ok: true
  readonly type: 'txn'
  /** 0 in a nested transaction, as in etcd. */
  readonly revision: number
  readonly succeeded: boolean
  /** One for each operation of the branch that ran. */
  readonly responses: readonly OperationResult[]
}

export type OperationResult = PutResult | DeleteRangeResult | RangeResult | TxnResult

export interface CompactResult {
  readonly ok: true
  readonly type: 'compact'
  readonly revision: number
}

export interface LeaseGrantResult {
  readonly ok: true
  readonly type: 'leaseGrant'
  readonly revision: number
  readonly id: bigint
  /** What was granted: at least the minimum. */
  readonly ttlSeconds: number
}

export interface LeaseRevokeResult {
  readonly ok: true
  readonly type: 'leaseRevoke'
  readonly revision: number
}

export interface AlarmResult {
  readonly ok: true
  readonly type: 'alarm'
  readonly revision: number
  /** The alarms that the request changed or, for get, that are raised. */
  readonly alarms: readonly Alarm[]
}

export interface MemberAttributesResult {
  readonly ok: true
  readonly type: 'memberAttributes'
  readonly revision: number
}

/** A change of the declared members. */
export interface MemberChangeResult {
  readonly ok: true
  readonly type: 'memberChange'
  readonly revision: number
  /** The member that was added, removed, updated or promoted. */
  readonly id: bigint
  /** All members after the change, in ascending order of id. */
  readonly members: readonly Member[]
}

/** What applying a command gives. A failure here is deterministic: the same on every node. */
export type CommandResult =
  | PutResult
  | DeleteRangeResult
  | TxnResult
  | CompactResult
  | LeaseGrantResult
  | LeaseRevokeResult
  | AlarmResult
  | MemberAttributesResult
  | MemberChangeResult
  | Failure

/** An engine method's answer: comes exactly once, never inside the call itself. */
export type Done<Result> = (outcome: Result | Failure) => void
