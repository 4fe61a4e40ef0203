/**
 * What was seen of a system from outside: the input of every checker. A history is a list of records, one JSON object a
 * line in a file. Simulated worlds, chaos on real processes and `synod check` all use these.
 *
 * - R1  Times are milliseconds on one clock that never falls, the observer's own. In a simulation that is true time.
 * - R2  A record is written when it is complete; the order of lines means nothing, except that `sequence` numbers, where
 *       present, give the order in which one observer saw things that share a moment.
 * - R3  Keys and values are strings. A binary one is written as latin-1.
 */

/**
 * What the store held when the history began; at most one. Without it the store was empty at revision 1, as etcd's and
 * Synod's are when new.
 */
export interface StartRecord {
  readonly type: 'start'
  readonly revision: number
  readonly entries?: readonly KvEntry[]
}

/** Not every write to the keys from `key` up to, not including, `end` was recorded: a revision may be one of those. */
export interface UnrecordedRecord {
  readonly type: 'unrecorded'
  readonly key: string
  readonly end: string
}

/** One operation of one client; a client has one open operation at a time, unless its name differs. */
export interface OperationRecord {
  readonly type: 'operation'
  readonly client: string
  /** Where it was sent, for people. */
  readonly node?: string
  readonly invokedMs: number
  /** When the answer came. Absent when none came: such an operation may take effect at any later time. */
  readonly returnedMs?: number
  /**
   * `ok`: carried out, `output` says what it saw. `failed`: certainly not carried out, now or later. `unknown`: it may
   * have been, may yet be, or never.
   */
  readonly outcome: 'ok' | 'failed' | 'unknown'
  /** Of a failed or unknown one, for people. */
  readonly error?: string
  readonly input: KvInput
  /** Present when `ok`. */
  readonly output?: KvOutput
  /** A read that asked for staleness: judged as a prefix of history, not as linearizable. */
  readonly serializable?: boolean
}

export type KvInput =
  | { readonly op: 'get'; readonly key: string }
  /** All keys from `key` up to, not including, `end`. */
  | { readonly op: 'range'; readonly key: string; readonly end: string }
  | { readonly op: 'put'; readonly key: string; readonly value: string }
  | { readonly op: 'delete'; readonly key: string }
  /** Sets `value` if the key's value is `expected` (null: if the key is absent). */
  | { readonly op: 'cas'; readonly key: string; readonly expected: string | null; readonly value: string }
  | {
      readonly op: 'txn'
      readonly compares: readonly KvCompare[]
      readonly success: readonly KvStep[]
      readonly failure: readonly KvStep[]
    }

export interface KvCompare {
  readonly key: string
  readonly target: 'value' | 'version' | 'createRevision' | 'modRevision'
  readonly relation: '=' | '!=' | '<' | '>'
  readonly operand: string | number
}

export type KvStep =
  | { readonly op: 'get'; readonly key: string }
  | { readonly op: 'put'; readonly key: string; readonly value: string }
  | { readonly op: 'delete'; readonly key: string }

/** A key's state as a reply shows it. Revisions are absent where the system has none. */
export interface KvEntry {
  readonly key: string
  readonly value: string
  readonly createRevision?: number
  readonly modRevision?: number
  readonly version?: number
}

export interface KvOutput {
  /** The store's revision that the reply told: after a write its own. */
  readonly revision?: number
  /** `get` (at most one) and `range`. */
  readonly entries?: readonly KvEntry[]
  /** `delete`: how many keys were deleted. */
  readonly deleted?: number
  /** `cas` and `txn`: whether the condition held. */
  readonly succeeded?: boolean
  /** `txn`: one for each step carried out, in order. */
  readonly steps?: readonly KvStepOutput[]
}

export interface KvStepOutput {
  readonly entries?: readonly KvEntry[]
  readonly deleted?: number
}

/** One message that a watcher received, or a turn of its life. Records of one `watcher` are ordered by `sequence`. */
export interface WatchRecord {
  readonly type: 'watch'
  readonly watcher: string
  readonly sequence: number
  readonly atMs: number
  readonly node?: string
  readonly what: /** (Re)created: every change of the range from `startRevision` on is due. */
    | { readonly event: 'created'; readonly key: string; readonly end?: string; readonly startRevision: number }
    /** All changes of one or several revisions. `revision` is the store's at sending. */
    | {
        readonly event: 'events'
        readonly revision: number
        readonly changes: readonly WatchChange[]
        /** True: the next message continues this one, and may hold more changes of its last revision. */
        readonly fragment?: boolean
      }
    /** Nothing is missing up to `revision`. */
    | { readonly event: 'progress'; readonly revision: number }
    /** The history before `compactRevision` is gone; the watch ended. */
    | { readonly event: 'compacted'; readonly compactRevision: number }
    /** The connection or the node ended. Another `created` may follow. */
    | { readonly event: 'closed' }
}

export interface WatchChange {
  readonly kind: 'put' | 'delete'
  readonly key: string
  /** Empty for a delete. */
  readonly value: string
  readonly modRevision: number
  /** 0 for a delete. */
  readonly createRevision: number
  /** 0 for a delete. */
  readonly version: number
  readonly lease?: string
}

/** What was seen of a lease. Records of one lease are ordered by `sequence`. */
export interface LeaseRecord {
  readonly type: 'lease'
  readonly lease: string
  readonly sequence: number
  readonly what: /** Sent at `sentMs`, answered at `atMs`: from the answer on, the server owes `ttlMs` counted from `sentMs` at least. */
    | { readonly event: 'granted' | 'renewed'; readonly sentMs: number; readonly atMs: number; readonly ttlMs: number }
    /** A key was put with the lease (the put was acknowledged). */
    | { readonly event: 'attached'; readonly key: string; readonly revision: number; readonly atMs: number }
    /** The client asked for its end; from `sentMs` on the lease may be gone. */
    | { readonly event: 'revoked'; readonly sentMs: number; readonly atMs?: number }
    /** A linearizable read or a watch showed that it is gone, at `atMs` at the latest; its deletes had `revision`. */
    | { readonly event: 'gone'; readonly atMs: number; readonly revision?: number }
    /** Its keys that a linearizable read at `atMs` still showed (to prove that they go with it). */
    | { readonly event: 'keys'; readonly atMs: number; readonly keys: readonly string[] }
}

/** A holder's own view of a lock, by its own drift-bounded clock. */
export interface LockRecord {
  readonly type: 'lock'
  readonly lock: string
  readonly holder: string
  /** Rises with each grant. Of a shared grant: the token of the last exclusive one before it, 0 for none. */
  readonly token: number
  /** A reader's: others of its kind may hold it at the same time. */
  readonly shared?: boolean
  /** From when to when the holder took itself for the holder; `untilMs` absent: it never stopped doing so. */
  readonly fromMs: number
  readonly untilMs?: number
  /** True when the holder's clock was outside the stated bound (stopped, or drifting too fast): overlap is then allowed. */
  readonly outsideBound?: boolean
}

/** A write that a fenced resource was asked to carry out. Records of one `resource` are ordered by `sequence`. */
export interface FenceRecord {
  readonly type: 'fence'
  readonly resource: string
  readonly sequence: number
  readonly token: number
  readonly accepted: boolean
}

/** How an operation of a client ended: as of {@link OperationRecord}. `returnedMs` is absent when no answer came. */
export interface Ended {
  readonly invokedMs: number
  readonly returnedMs?: number
  readonly outcome: 'ok' | 'failed' | 'unknown'
}

/** An operation on a counter that was 0 when the history began. */
export interface CounterRecord extends Ended {
  readonly type: 'counter'
  readonly counter: string
  readonly client: string
  /** `add`: adds `n`, above 0, unless the value would be above `max`. `get`: reads. */
  readonly op: 'add' | 'get'
  readonly n?: number
  readonly max?: number
  /** Present when `ok`: the value right after it. */
  readonly value?: number
  /** Of an `add` with a `max` that is `ok`: whether it was within. */
  readonly applied?: boolean
}

/** A publisher set its part of something that readers keep copies of. Its versions rise by 1, from 1. */
export interface PublishedRecord extends Ended {
  readonly type: 'published'
  readonly subject: string
  readonly publisher: string
  readonly version: number
}

/** What a reader's copy showed at `atMs`. Records of one `reader` are ordered by `sequence`. */
export interface ReadingRecord {
  readonly type: 'reading'
  readonly subject: string
  readonly reader: string
  readonly sequence: number
  readonly atMs: number
  /** The copy claims to show all that was acknowledged before this moment. */
  readonly asOfMs: number
  /** By publisher; one that is not there is at 0. */
  readonly versions: Readonly<Record<string, number>>
}

/** What happened to a job of a queue. */
export interface JobRecord {
  readonly type: 'job'
  readonly queue: string
  readonly job: string
  readonly what:
    | ({ readonly event: 'added' } & Ended)
    /** A worker got it. */
    | { readonly event: 'claimed'; readonly worker: string; readonly token: number; readonly atMs: number }
    /** A worker acknowledged it. */
    | ({ readonly event: 'removed'; readonly worker: string; readonly token: number } & Ended)
}

/** What a queue held, by a linearizable read after everything else of it had ended. At most one a queue. */
export interface QueueLeftRecord {
  readonly type: 'queueLeft'
  readonly queue: string
  readonly jobs: readonly string[]
}

/** Ids that a generator made, in the order in which it did. */
export interface IdsRecord {
  readonly type: 'ids'
  /** Who may make no id twice, all together. */
  readonly name: string
  readonly client: string
  readonly atMs: number
  readonly ids: readonly string[]
}

/** From inside, where the observer can see it: who led, what was applied, what the state hashes to. */
export interface LeaderRecord {
  readonly type: 'leader'
  readonly term: number
  readonly node: string
  readonly atMs: number
}

export interface AppliedRecord {
  readonly type: 'applied'
  readonly node: string
  readonly index: number
  readonly term: number
  /** Of the entry's kind and payload. */
  readonly hash: string
}

export interface StateHashRecord {
  readonly type: 'stateHash'
  readonly node: string
  /** The log index (or, seen from outside, the revision) at which it was taken. */
  readonly at: number
  readonly hash: string
}

export type HistoryRecord =
  | StartRecord
  | UnrecordedRecord
  | OperationRecord
  | WatchRecord
  | LeaseRecord
  | LockRecord
  | FenceRecord
  | CounterRecord
  | PublishedRecord
  | ReadingRecord
  | JobRecord
  | QueueLeftRecord
  | IdsRecord
  | LeaderRecord
  | AppliedRecord
  | StateHashRecord
