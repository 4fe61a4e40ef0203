import type { Revision } from '../driver/index.ts'
import type { CallLimits } from '../limits.ts'
import type { StandardSchema } from '../schema/index.ts'
import type { Change } from './changes.ts'
import type { KvEntry } from './entry.ts'
import type { KeyInput, KvRange, KvSelection } from './keys.ts'
import type { DeleteAllResult, DeleteResult, PutOptions, PutResult } from './operations.ts'
import type { AnyKeyOperation, AnyOperation, Txn } from './txn.ts'
import type { TypedKv, TypedKvWithHistory } from './typed-view.ts'

/** `linearizable`: sees every write that was acknowledged to anyone before. `stale`: of a node nearby, which may be behind. */
export type Consistency = 'linearizable' | 'stale'

/** How one key is read. */
export interface GetOptions extends CallLimits {
  /** Default `linearizable`. */
  readonly consistency?: Consistency | undefined
}

/** Which state of the past is read. Of engines that keep history. */
export interface AtRevision {
  /** As of this revision. `COMPACTED` when it is not kept any more, `FUTURE_REVISION` when it is not there yet. */
  readonly revision?: Revision | undefined
}

/** Which keys are listed, how many, and how fresh they must be. */
export type KvListOptions = KvRange &
  CallLimits & {
    /** At most so many. Default: all. */
    readonly limit?: number | undefined
    /** How many are read at once. Default 500. */
    readonly pageSize?: number | undefined
    /** Leaves the values out: they are empty. */
    readonly keysOnly?: boolean | undefined
    readonly consistency?: Consistency | undefined
  }

/** What a compare-and-swap expects of the key. */
export type Expected =
  | { readonly modRevision: Revision }
  | { readonly value: string | Uint8Array }
  | { readonly absent: true }

/** What came of a compare-and-swap: the write was made, or the expectation did not hold and nothing was. */
export interface SwapResult {
  readonly swapped: boolean
  /** When it did not swap: the key as it is instead; undefined when it is not there. */
  readonly current?: KvEntry | undefined
  /** Of the write, or of the state that did not meet the expectation. */
  readonly revision: Revision
}

/** A watch that converges to the newest state and may leave out what was overwritten meanwhile. Of every engine. */
export type LatestWatchOptions = KvSelection &
  CallLimits & {
    /** Converges to the newest, see {@link KvBase.watch}. Where the engine keeps history, it must be said. */
    readonly mode?: 'latest' | undefined
    readonly fromRevision?: undefined
  }

/** A watch that tells every change, in order, none left out. Of engines that keep history. */
export type HistoryWatchOptions = KvSelection &
  CallLimits & {
    readonly mode?: 'history' | undefined
    /** The first revision to tell; may be in the past or the future. Default: what comes after now. */
    readonly fromRevision?: Revision | undefined
  }

/**
 * Keys and values on every engine. Keys are text (as UTF-8) or bytes, values text or bytes.
 *
 * Reads are linearizable unless they ask for `stale`. A write that resolves was durable on a quorum. No write is tried
 * again by itself once it may have happened: it then rejects with `outcome: 'unknown'` (after `TIMEOUT`, `UNAVAILABLE`,
 * `CANCELLED`, `CLOSED`); read the key to find out, or write with {@link KvBase.compareAndSwap}, whose second attempt does
 * no harm.
 *
 * Keys that begin with `synod/` belong to the primitives (locks, elections, …): leave them alone.
 */
export interface KvBase {
  /**
   * Reads a key; undefined when it is not there.
   *
   * @example
   * const theme = (await synod.kv.get('config/theme'))?.text() ?? 'light'
   */
  get(key: KeyInput, options?: GetOptions): Promise<KvEntry | undefined>
  /**
   * Sets a key. `SESSION_LOST` when the session it shall go with is over.
   *
   * @example
   * const { revision } = await synod.kv.put('config/theme', 'dark')
   */
  put(key: KeyInput, value: string | Uint8Array, options?: PutOptions & CallLimits): Promise<PutResult>
  /** Deletes a key. */
  delete(key: KeyInput, limits?: CallLimits): Promise<DeleteResult>
  /**
   * Deletes a range: at once, where the engine has ranges in transactions; elsewhere key after key, so that others may see
   * it half done and a failure may leave it so. `{ prefix: '' }` deletes also what the primitives keep.
   */
  deleteAll(selection: KvRange, limits?: CallLimits): Promise<DeleteAllResult>
  /**
   * The keys of a range in order, read page by page as the loop gets there; all as of one revision, where the engine can.
   * Elsewhere a key that changes meanwhile is met in one of its states. `timeoutMs` holds for each page.
   *
   * @example
   * for await (const entry of synod.kv.list({ prefix: 'users/' })) console.log(entry.key, entry.text())
   */
  list(options: KvListOptions): AsyncIterable<KvEntry>
  /**
   * Sets the key to `value` (undefined: deletes it) if it is as expected. Expecting a value does not notice that the key
   * was changed and changed back; expecting a `modRevision` does.
   */
  compareAndSwap(
    key: KeyInput,
    expected: Expected,
    value: string | Uint8Array | undefined,
    options?: PutOptions & CallLimits,
  ): Promise<SwapResult>
  /**
   * Begins a transaction.
   *
   * @example
   * const moved = await synod.kv
   *   .txn()
   *   .when(key('stock').value.equals('1'), absent('order/7'))
   *   .do(put('stock', '0'), put('order/7', 'taken'))
   *   .otherwise(get('stock'))
   *   .commit()
   * if (!moved.succeeded) console.log(moved.results[0]?.text())
   */
  txn(): Txn<AnyKeyOperation>
  /**
   * Changes as they come, over as many connections as it takes; ends by leaving the loop, or with `CANCELLED` by its
   * signal. Begins when the loop does.
   *
   * `latest`: first every key of the range as a put, then each key that has changed, in its newest state. What changed
   * several times while the loop was busy is told once. No change is missed for good; memory is that of the range.
   */
  watch(options: LatestWatchOptions): AsyncIterable<Change>
  /** The same keys with values of a schema, in JSON. Any validator of the Standard Schema will do. */
  as<S extends StandardSchema>(schema: S): TypedKv<S>
}

/** Keys and values on engines that keep history: embedded, Synod, etcd. */
export interface KvWithHistory extends KvBase {
  get(key: KeyInput, options?: GetOptions & AtRevision): Promise<KvEntry | undefined>
  list(options: KvListOptions & AtRevision): AsyncIterable<KvEntry>
  txn(): Txn<AnyOperation>
  as<S extends StandardSchema>(schema: S): TypedKvWithHistory<S>
  /**
   * Changes as they come, over as many connections as it takes; ends by leaving the loop, or with `CANCELLED` by its
   * signal. Begins when the loop does.
   *
   * `history` (the default): every change of every revision, once and in order. With `fromRevision: revision + 1` of an
   * earlier read or write nothing is missed in between. A loop that is slow holds the watch back, not memory. Throws
   * `COMPACTED`, with the oldest `compactRevision` that is still there, when it needed what is gone: list the keys then,
   * and watch from there.
   *
   * `latest`: see {@link KvBase.watch}.
   *
   * @example
   * for await (const change of synod.kv.watch({ prefix: 'config/' })) {
   *   if (change.type === 'put') apply(change.entry.key, change.entry.text())
   * }
   */
  watch(options: LatestWatchOptions | HistoryWatchOptions): AsyncIterable<Change>
}
