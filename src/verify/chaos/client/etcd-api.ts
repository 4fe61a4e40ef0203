/**
 * What the workload asks of a node, in etcd's terms. The real one goes over the wire ({@link EtcdClient}); the harness's
 * own tests put a stand-in with known mistakes in its place. Every call rejects with an `RpcFailure`.
 */

/** A key-value as a reply shows it. Keys and values are latin-1 text. */
export interface KeyValue {
  readonly key: string
  readonly value: string
  readonly createRevision: number
  readonly modRevision: number
  readonly version: number
  readonly lease: bigint
}

export interface RangeRequest {
  readonly key: string
  /** Up to, not including; absent: `key` alone. */
  readonly end?: string
  /** From the asked node's own state. */
  readonly serializable?: boolean
}

export interface RangeReply {
  readonly revision: number
  readonly entries: readonly KeyValue[]
}

export interface DeleteReply {
  readonly revision: number
  readonly deleted: number
}

export interface Compare {
  readonly key: string
  readonly target: 'value' | 'version' | 'createRevision' | 'modRevision'
  readonly relation: '=' | '!=' | '<' | '>'
  readonly operand: string | number
}

export type TxnStep =
  | { readonly op: 'get'; readonly key: string }
  | { readonly op: 'put'; readonly key: string; readonly value: string; readonly lease?: bigint }
  | { readonly op: 'delete'; readonly key: string }

export interface TxnRequest {
  readonly compares: readonly Compare[]
  readonly success: readonly TxnStep[]
  readonly failure: readonly TxnStep[]
}

export interface TxnStepReply {
  readonly entries?: readonly KeyValue[]
  readonly deleted?: number
}

export interface TxnReply {
  readonly revision: number
  readonly succeeded: boolean
  readonly steps: readonly TxnStepReply[]
}

export interface WatchRequest {
  readonly key: string
  readonly end: string
  readonly startRevision: number
}

export interface WatchEvent {
  readonly kind: 'put' | 'delete'
  readonly entry: KeyValue
}

export interface WatchSink {
  readonly onCreated: () => void
  /** All changes of one or several revisions; `revision` is the store's at sending. */
  readonly onEvents: (revision: number, events: readonly WatchEvent[]) => void
  readonly onProgress: (revision: number) => void
  /** Called once; nothing follows. `compactRevision` is 0 unless compaction ended the watch. */
  readonly onEnd: (why: string, compactRevision: number) => void
}

export interface WatchHandle {
  /** Asks up to which revision nothing is missing. */
  readonly requestProgress: () => void
  /** Ends the watch from this side; `onEnd` is not called. */
  readonly cancel: () => void
}

/** A node as it describes itself. Ids are hexadecimal. */
export interface NodeStatus {
  readonly memberId: string
  /** '0' when it knows none. */
  readonly leaderId: string
  readonly term: number
  readonly revision: number
  readonly appliedIndex: number
  readonly isLearner: boolean
}

export interface MemberInfo {
  readonly id: string
  readonly name: string
  readonly peerUrls: readonly string[]
  readonly isLearner: boolean
}

/** The key-value, lease and watch calls that the workload makes. */
export interface EtcdApi {
  range(request: RangeRequest, timeoutMs: number): Promise<RangeReply>
  /** Resolves with the revision of the put. */
  put(key: string, value: string, timeoutMs: number, lease?: bigint): Promise<number>
  delete(key: string, timeoutMs: number): Promise<DeleteReply>
  txn(request: TxnRequest, timeoutMs: number): Promise<TxnReply>
  watch(request: WatchRequest, timeoutMs: number, sink: WatchSink): Promise<WatchHandle>
  grantLease(ttlSeconds: number, timeoutMs: number): Promise<{ readonly id: bigint; readonly ttlSeconds: number }>
  /** Resolves with the time to live in seconds; 0 when the lease is gone. */
  keepLeaseAlive(id: bigint, timeoutMs: number): Promise<number>
  revokeLease(id: bigint, timeoutMs: number): Promise<void>
  close(): void
}
