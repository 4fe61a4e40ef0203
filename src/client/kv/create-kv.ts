import type { PlaneContext } from '../context.ts'
import type { Compare, Operation, OperationResult, ReadOptions } from '../driver/index.ts'
import { SynodError } from '../errors.ts'
import { type CallLimits, callOptions } from '../limits.ts'
import type { StandardSchema } from '../schema/index.ts'
import { flatMapped, listPages } from '../watching/index.ts'
import { type Change, watchChanges } from './changes.ts'
import { type KvEntry, kvEntry } from './entry.ts'
import { type KeyInput, type KvRange, storedKey, storedRange, valueBytes } from './keys.ts'
import type {
  AtRevision,
  Consistency,
  Expected,
  GetOptions,
  HistoryWatchOptions,
  KvListOptions,
  KvWithHistory,
  LatestWatchOptions,
  SwapResult,
} from './kv.ts'
import {
  type DeleteAllResult,
  type DeleteResult,
  del,
  delAll,
  type PutOptions,
  type PutResult,
  put,
  type TxnOperation,
} from './operations.ts'
import { type AnyOperation, newTxn, type Txn } from './txn.ts'
import { type TypedKvWithHistory, typedKv } from './typed-view.ts'

/** Writes of a range that go in one transaction where there are no ranges in transactions. */
const deletesAtOnce = 100

/**
 * Keys and values on a connection. On an engine without history give it out as a `KvBase`: what the engine cannot keep
 * throws `NOT_SUPPORTED`.
 */
export function createKv(context: PlaneContext): KvWithHistory {
  return new KvOnDriver(context)
}

class KvOnDriver implements KvWithHistory {
  private readonly context: PlaneContext

  constructor(context: PlaneContext) {
    this.context = context
  }

  async get(key: KeyInput, options: GetOptions & AtRevision = {}): Promise<KvEntry | undefined> {
    const { context } = this
    const stored = storedKey(context, key)
    const read = this.readOptions(options)
    const { entry } = await context.tracing.span('kv.get', {}, () => context.driver.get(stored, read))
    return entry === undefined ? undefined : kvEntry(context, entry)
  }

  put(key: KeyInput, value: string | Uint8Array, options: PutOptions & CallLimits = {}): Promise<PutResult> {
    return this.single('kv.put', put(key, value, options), options)
  }

  delete(key: KeyInput, limits: CallLimits = {}): Promise<DeleteResult> {
    return this.single('kv.delete', del(key), limits)
  }

  deleteAll(selection: KvRange, limits: CallLimits = {}): Promise<DeleteAllResult> {
    if (this.context.driver.can.rangeInTransaction) return this.single('kv.deleteAll', delAll(selection), limits)
    return this.context.tracing.span('kv.deleteAll', {}, () => this.deleteOneByOne(selection, limits))
  }

  list(options: KvListOptions & AtRevision): AsyncIterable<KvEntry> {
    const { context } = this
    const { driver } = context
    const { limit, pageSize, keysOnly, timeoutMs } = options
    for (const [name, count] of Object.entries({ limit, pageSize }))
      if (count !== undefined && !(Number.isSafeInteger(count) && count > 0))
        throw new SynodError('INVALID_ARGUMENT', `${name} is ${count}; it must be a whole number above 0`)
    const range = storedRange(context, options)
    const { deadlineMs: _, ...read } = this.readOptions(options)
    const pages = { ...read, limit, pageSize, keysOnly, timeoutMs }
    return {
      [Symbol.asyncIterator]: () =>
        flatMapped(listPages(driver, range, pages), ({ entries }) => entries.map((entry) => kvEntry(context, entry))),
    }
  }

  async compareAndSwap(
    key: KeyInput,
    expected: Expected,
    value: string | Uint8Array | undefined,
    options: PutOptions & CallLimits = {},
  ): Promise<SwapResult> {
    const { context } = this
    const stored = storedKey(context, key)
    if (value === undefined && 'absent' in expected)
      throw new SynodError('INVALID_ARGUMENT', 'a key that is expected to be absent cannot be deleted; give a value')
    const step = value === undefined ? del(key) : put(key, value, options)
    const limits = callOptions(context, options)
    const { succeeded, revision, results } = await context.tracing.span('kv.compareAndSwap', {}, async () =>
      context.driver.transact(
        {
          compares: [compareOf(stored, expected)],
          success: [step.operation(context)],
          failure: [{ type: 'get', key: stored }],
        },
        limits,
      ),
    )
    if (succeeded) return { swapped: true, revision }
    const [current] = results as readonly [Extract<OperationResult, { type: 'get' }>]
    return { swapped: false, current: current.entry && kvEntry(context, current.entry), revision }
  }

  txn(): Txn<AnyOperation> {
    return newTxn(this.context)
  }

  watch(options: LatestWatchOptions | HistoryWatchOptions): AsyncIterable<Change> {
    return watchChanges(this.context, options)
  }

  as<S extends StandardSchema>(schema: S): TypedKvWithHistory<S> {
    return typedKv(this, schema)
  }

  private async single<R>(name: string, step: TxnOperation<R>, limits: CallLimits): Promise<R> {
    const { context } = this
    const success: Operation[] = [step.operation(context)]
    const options = callOptions(context, limits)
    const { results, revision } = await context.tracing.span(name, {}, () =>
      context.driver.transact({ compares: [], success }, options),
    )
    return step.result(context, results[0]!, revision)
  }

  private async deleteOneByOne(selection: KvRange, limits: CallLimits): Promise<DeleteAllResult> {
    const { driver } = this.context
    const options = callOptions(this.context, limits)
    let deleted = 0
    let newest = 0
    const pages = { ...options, keysOnly: true, pageSize: deletesAtOnce }
    for await (const page of listPages(driver, storedRange(this.context, selection), pages)) {
      newest = page.revision
      if (page.entries.length === 0) break
      const success = page.entries.map(({ key }): Operation => ({ type: 'delete', key }))
      const { results, revision } = await driver.transact({ compares: [], success }, options)
      newest = revision
      for (const result of results) deleted += result.type === 'delete' ? result.deleted : 0
    }
    return { deleted, revision: newest }
  }

  private readOptions({
    consistency,
    revision,
    ...limits
  }: CallLimits & AtRevision & { readonly consistency?: Consistency | undefined }): ReadOptions {
    const { driver } = this.context
    if (revision !== undefined && !driver.can.atRevision)
      throw new SynodError('NOT_SUPPORTED', `${driver.engine} keeps only the newest state; read without a revision`)
    return { ...callOptions(driver, limits), stale: consistency === 'stale', revision }
  }
}

function compareOf(key: string, expected: Expected): Compare {
  if ('absent' in expected) return { key, target: 'exists', value: false }
  if ('value' in expected) return { key, target: 'value', is: '=', value: valueBytes(expected.value) }
  return { key, target: 'modRevision', is: '=', value: expected.modRevision }
}
