/**
 * What the primitives of `client/` stand on: a key space with versions, transactions, leases and a way to hear of
 * changes. `drivers/embedded`, `drivers/etcd` (Synod and etcd speak one protocol) and `drivers/zookeeper` implement it;
 * the contract suite in `contract/` is what they owe.
 *
 * - D1  A call makes one attempt, plus those that certainly cannot apply twice: reads, and writes that certainly did not
 *       leave this machine or were certainly refused. Everything else rejects with a `SynodError` whose `outcome` tells.
 * - D2  A call that resolves was durable on a quorum (for a write), or saw every write that was acknowledged to anyone
 *       before the call (for a read, unless `stale`).
 * - D3  Every call ends: by its answer, by its `signal` (`CANCELLED`), by its deadline (`TIMEOUT`), or when the driver
 *       is closed (`CLOSED`). A write that had left this machine by then is `unknown`.
 * - D4  Nothing is called back inside the call that asked for it.
 */
import type { BinaryString } from '../../base/index.ts'
import type { Clock, Logger, Network, Random, Scheduler } from '../../runtime/index.ts'
import type { SynodError } from '../errors.ts'

/** Keys are bytes, ordered as unsigned bytes. */
export type Key = BinaryString
/** 0n: none. */
export type LeaseId = bigint
/** The place of a write in the one order of all writes: etcd's revision, ZooKeeper's zxid. At most 2^53 - 1. */
export type Revision = number

/** What the client takes of the outside world: real in a program, simulated in `synod sim`. */
export interface ClientRuntime {
  readonly clock: Clock
  readonly random: Random
  readonly scheduler: Scheduler
  readonly network: Network
  readonly logger: Logger
}

/** A version of a key. */
export interface Entry {
  readonly key: Key
  /** Owned by whoever got it; empty when the call asked for keys only. */
  readonly value: Uint8Array
  /** The write that made the key. Two keys made at once share it; a key made again has a greater one. */
  readonly createRevision: Revision
  /** The write that made this version. */
  readonly modRevision: Revision
  /** 1 for the first since the key was made. */
  readonly version: number
  readonly leaseId: LeaseId
}

/** `start` up to, not including, `end`. */
export interface KeyRange {
  readonly start: Key
  /** Undefined: just the key `start`. `''`: everything from `start` on. */
  readonly end: Key | undefined
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined
  /** On the monotonic clock. Default: the driver's request time-out from now. */
  readonly deadlineMs?: number | undefined
}

export interface ReadOptions extends CallOptions {
  /** Answer from whatever node is near, which may be behind. */
  readonly stale?: boolean | undefined
  /** Read as of then. Needs `can.atRevision`. */
  readonly revision?: Revision | undefined
}

export interface ListOptions extends ReadOptions {
  /** At most so many, from the start of the range. */
  readonly limit?: number | undefined
  readonly keysOnly?: boolean | undefined
}

export interface GetResult {
  readonly entry: Entry | undefined
  /** The newest revision the answering node had applied; the entry is the key's state there (or as of the one asked for). */
  readonly revision: Revision
}

export interface ListResult {
  /** In key order. */
  readonly entries: readonly Entry[]
  /** Whether the limit left something out. */
  readonly more: boolean
  readonly revision: Revision
}

/** Holds of one key. A key that is not there has version, revisions and lease 0, and no value (which no compare meets). */
export type Compare =
  | { readonly key: Key; readonly target: 'exists'; readonly value: boolean }
  | {
      readonly key: Key
      readonly target: 'createRevision' | 'modRevision' | 'version'
      readonly is: '=' | '!=' | '<' | '>'
      readonly value: number
    }
  | { readonly key: Key; readonly target: 'value'; readonly is: '=' | '!='; readonly value: Uint8Array }

/** A step of a transaction. A key is written at most once in one transaction. */
export type Operation =
  | { readonly type: 'get'; readonly key: Key }
  /** Needs `can.rangeInTransaction`. */
  | { readonly type: 'list'; readonly range: KeyRange; readonly limit?: number; readonly keysOnly?: boolean }
  /** Puts replace the value and the lease. Where `can.leaseChangeKeepsVersion` is false, changing the lease makes the key anew. */
  | { readonly type: 'put'; readonly key: Key; readonly value: Uint8Array; readonly leaseId?: LeaseId }
  | { readonly type: 'delete'; readonly key: Key }
  /** Needs `can.rangeInTransaction`. */
  | { readonly type: 'deleteRange'; readonly range: KeyRange }

/** `success` if all of `compares` hold, otherwise `failure`: at once, or not at all. */
export interface Transaction {
  readonly compares: readonly Compare[]
  readonly success: readonly Operation[]
  readonly failure?: readonly Operation[]
}

/** One for each operation that ran. Reads see what the operations before them in the same transaction wrote. */
export type OperationResult =
  | { readonly type: 'get'; readonly entry: Entry | undefined }
  | { readonly type: 'list'; readonly entries: readonly Entry[]; readonly more: boolean }
  | { readonly type: 'put' }
  | { readonly type: 'delete'; readonly deleted: number }

export interface TransactionResult {
  readonly succeeded: boolean
  /** Of its writes, which share it; of the state it read when it wrote nothing. */
  readonly revision: Revision
  readonly results: readonly OperationResult[]
}

export interface LeaseAnswer {
  readonly leaseId: LeaseId
  /** What the engine promised, counted from some moment after `sentAtMs`. */
  readonly ttlMs: number
  /** When the request was sent, on the monotonic clock: the only moment from which a holder may count. */
  readonly sentAtMs: number
}

export type ChangeEvent =
  | { readonly type: 'put'; readonly entry: Entry; readonly revision: Revision }
  | { readonly type: 'delete'; readonly key: Key; readonly revision: Revision }

/** What a watch tells. Called in order of revision, whole revisions at a time; nothing comes after `onEnd`. */
export interface WatchSink {
  /** Everything in the range up to `revision` has been told with this. `events` may be empty: then it is progress only. */
  onEvents(events: readonly ChangeEvent[], revision: Revision): void
  /** It needed revisions that are gone; the oldest that can be watched from is `compactRevision`. The watch is over. */
  onCompacted(compactRevision: Revision): void
  /** The watch is over for another reason. It can be begun again from the revision after the last one told. */
  onEnd(error: SynodError): void
}

/** What {@link Driver.observe} tells. */
export interface ObserveSink {
  /** Something in the range may have changed since it was last read. */
  onChange(): void
  /** Nothing is observed any more. */
  onEnd(error: SynodError): void
}

export interface Subscription {
  /** Nothing is told after this. */
  cancel(): void
}

/** What an engine keeps beyond the least. */
export interface DriverCapabilities {
  /** `watch` from any revision that is not compacted. */
  readonly history: boolean
  /** Reads as of a revision. */
  readonly atRevision: boolean
  /** `list` and `deleteRange` inside a transaction. */
  readonly rangeInTransaction: boolean
  readonly leaseChangeKeepsVersion: boolean
}

export type EngineName = 'embedded' | 'synod' | 'etcd' | 'zookeeper'

export interface Driver {
  readonly engine: EngineName
  readonly can: DriverCapabilities
  readonly outside: ClientRuntime

  get(key: Key, options?: ReadOptions): Promise<GetResult>
  list(range: KeyRange, options?: ListOptions): Promise<ListResult>
  transact(transaction: Transaction, options?: CallOptions): Promise<TransactionResult>

  /** The engine may grant more time than asked for, never less. */
  grantLease(ttlMs: number, options?: CallOptions): Promise<LeaseAnswer>
  /** Rejects with `LEASE_NOT_FOUND` when it has ended. Many renewals of one turn travel together. */
  renewLease(leaseId: LeaseId, options?: CallOptions): Promise<LeaseAnswer>
  /** Ends it and deletes its keys. Resolves also when there is none. */
  revokeLease(leaseId: LeaseId, options?: CallOptions): Promise<void>

  /**
   * Tells every change of the range from `fromRevision` on (may lie in the future). One attempt: it ends when the
   * connection does. Present exactly when `can.history`.
   */
  readonly watch?: (range: KeyRange, fromRevision: Revision, sink: WatchSink) => Subscription
  /**
   * Resolves once every later change in the range, and every change after it, leads to at least one `onChange`; several
   * may lead to one. One attempt: it ends when the connection does.
   */
  observe(range: KeyRange, sink: ObserveSink, options?: CallOptions): Promise<Subscription>

  /** Ends everything under way with `CLOSED`. Leases are left to end by themselves; revoke first. */
  close(): Promise<void>
}
