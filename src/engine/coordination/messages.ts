/**
 * The requests of the key-value service, decoded: what `codec/` makes of etcd's protobuf messages, what the engine and
 * the state machine act on. Keys are binary strings; values are views of the received bytes.
 */
import type { BinaryString } from '../../base/index.ts'

/** etcd's SortOrder. */
export const sortOrders = { none: 0, ascend: 1, descend: 2 } as const
/** etcd's SortTarget. */
export const sortTargets = { key: 0, version: 1, create: 2, mod: 3, value: 4 } as const
/** etcd's Compare.CompareResult. */
export const compareResults = { equal: 0, greater: 1, less: 2, notEqual: 3 } as const
/** etcd's Compare.CompareTarget. */
export const compareTargets = { version: 0, create: 1, mod: 2, value: 3, lease: 4 } as const

export interface RangeRequest {
  readonly type: 'range'
  readonly key: BinaryString
  /** Undefined: just `key`. '\0': `key` and everything after it. */
  readonly end: BinaryString | undefined
  /** 0 or less: all. */
  readonly limit: number
  /** 0 or less: now. */
  readonly revision: number
  /** One of {@link sortOrders}; another number only before validation. */
  readonly sortOrder: number
  /** One of {@link sortTargets}; another number only before validation. */
  readonly sortTarget: number
  readonly serializable: boolean
  readonly keysOnly: boolean
  readonly countOnly: boolean
  /** Filters; 0 for none. */
  readonly minModRevision: number
  readonly maxModRevision: number
  readonly minCreateRevision: number
  readonly maxCreateRevision: number
}

export interface PutRequest {
  readonly type: 'put'
  readonly key: BinaryString
  /** A view of the request's bytes. */
  readonly value: Uint8Array
  /** 0n for none. */
  readonly lease: bigint
  readonly previous: boolean
  readonly ignoreValue: boolean
  readonly ignoreLease: boolean
}

export interface DeleteRangeRequest {
  readonly type: 'deleteRange'
  readonly key: BinaryString
  /** As in {@link RangeRequest}. */
  readonly end: BinaryString | undefined
  readonly previous: boolean
}

export interface Compare {
  /** One of {@link compareResults}; any other always holds, as in etcd. */
  readonly result: number
  /** One of {@link compareTargets}; any other compares as equal, as in etcd. */
  readonly target: number
  readonly key: BinaryString
  readonly end: BinaryString | undefined
  /** The number to compare with, for version, create and mod. 0 when the request carries another target's operand. */
  readonly number: number
  /** The operand for lease. */
  readonly lease: bigint
  /** The operand for value: a view of the request's bytes. */
  readonly value: Uint8Array
}

/** An operation without content, which etcd refuses before it proposes. */
export interface EmptyOperation {
  readonly type: 'empty'
}

export type Operation = RangeRequest | PutRequest | DeleteRangeRequest | TxnRequest | EmptyOperation

export interface TxnRequest {
  readonly type: 'txn'
  readonly compares: readonly Compare[]
  readonly success: readonly Operation[]
  readonly failure: readonly Operation[]
}

export interface CompactRequest {
  readonly revision: number
  /** Answer only after the memory of what was compacted is reclaimed on the answering node. */
  readonly physical: boolean
}

export interface LeaseGrantRequest {
  /** 0n: the server chooses. */
  readonly id: bigint
  readonly ttlSeconds: number
}

/** etcd's AlarmType. */
export const alarmTypes = { none: 0, noSpace: 1, corrupt: 2 } as const
/** etcd's AlarmRequest.AlarmAction. */
export const alarmActions = { get: 0, activate: 1, deactivate: 2 } as const

export interface AlarmRequest {
  readonly action: number
  readonly memberId: bigint
  readonly alarm: number
}

/** A declared member, as MemberList shows it. */
export interface Member {
  readonly id: bigint
  /** Empty for one that was added and has not started yet. */
  readonly name: string
  /** Where the other members reach it: `http://HOST:PORT`, normalised. */
  readonly peerUrls: readonly string[]
  /** Where clients reach it, by its own word; empty until it has said so. */
  readonly clientUrls: readonly string[]
  readonly isLearner: boolean
}

/** What a member says of itself once it has started. */
export interface MemberAttributes {
  readonly memberId: bigint
  readonly name: string
  readonly clientUrls: readonly string[]
}

/** A change of the declared members. Removal and promotion use the id alone; only an addition uses `isLearner`. */
export interface MemberChange {
  readonly id: bigint
  readonly peerUrls: readonly string[]
  readonly isLearner: boolean
}

/** A raised alarm. */
export interface Alarm {
  readonly memberId: bigint
  readonly alarm: number
}
