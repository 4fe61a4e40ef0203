import type { Revision } from '../driver/index.ts'
import type { CallLimits } from '../limits.ts'
import { encodeJson, parseJson, type SchemaInput, type SchemaOutput, type StandardSchema } from '../schema/index.ts'
import { flatMapped } from '../watching/index.ts'
import type { Change } from './changes.ts'
import type { KvEntry } from './entry.ts'
import type { KeyInput } from './keys.ts'
import type {
  AtRevision,
  GetOptions,
  HistoryWatchOptions,
  KvListOptions,
  KvWithHistory,
  LatestWatchOptions,
} from './kv.ts'
import type { DeleteResult, PutOptions, PutResult } from './operations.ts'

/** A key with its value as a schema makes it. */
export interface TypedEntry<T> {
  readonly key: string
  readonly value: T
  readonly createRevision: Revision
  readonly modRevision: Revision
  readonly version: number
  /** As it is stored. */
  readonly raw: KvEntry
}

/** A change of a key in a typed view: its value was decoded, or the key is gone. */
export type TypedChange<T> =
  | { readonly type: 'put'; readonly key: string; readonly entry: TypedEntry<T>; readonly revision: Revision }
  | Extract<Change, { type: 'delete' }>

/** What a compare-and-swap in a typed view expects: a revision, a value, or that there is no key. */
export type TypedExpected<T> = { readonly modRevision: Revision } | { readonly value: T } | { readonly absent: true }

/** As `SwapResult`, with decoded values. */
export interface TypedSwapResult<T> {
  readonly swapped: boolean
  /** When it did not swap: the key as it is instead. */
  readonly current?: TypedEntry<T> | undefined
  readonly revision: Revision
}

/**
 * Keys whose values are JSON that a schema accepts. A write stores the value that it was given, once the schema has
 * accepted it; a read gives what the schema makes of it, defaults and transformations included. Both reject with
 * `VALIDATION_FAILED` (and its `issues`), a write before anything is written. A list or a watch throws it where it meets
 * what does not fit.
 *
 * @example
 * const users = synod.kv.as(z.object({ name: z.string(), age: z.number().default(0) }))
 * await users.put('users/1', { name: 'Ada' })
 * const ada = await users.get('users/1') // ada.value.age is 0
 */
export interface TypedKv<S extends StandardSchema> {
  get(key: KeyInput, options?: GetOptions): Promise<TypedEntry<SchemaOutput<S>> | undefined>
  put(key: KeyInput, value: SchemaInput<S>, options?: PutOptions & CallLimits): Promise<PutResult>
  delete(key: KeyInput, limits?: CallLimits): Promise<DeleteResult>
  list(options: KvListOptions): AsyncIterable<TypedEntry<SchemaOutput<S>>>
  /** `{ value }` compares the JSON text: the order of members counts. */
  compareAndSwap(
    key: KeyInput,
    expected: TypedExpected<SchemaInput<S>>,
    value: SchemaInput<S> | undefined,
    options?: PutOptions & CallLimits,
  ): Promise<TypedSwapResult<SchemaOutput<S>>>
  watch(options: LatestWatchOptions): AsyncIterable<TypedChange<SchemaOutput<S>>>
}

/** A {@link TypedKv} on engines that keep history. */
export interface TypedKvWithHistory<S extends StandardSchema> extends TypedKv<S> {
  get(key: KeyInput, options?: GetOptions & AtRevision): Promise<TypedEntry<SchemaOutput<S>> | undefined>
  list(options: KvListOptions & AtRevision): AsyncIterable<TypedEntry<SchemaOutput<S>>>
  watch(options: LatestWatchOptions | HistoryWatchOptions): AsyncIterable<TypedChange<SchemaOutput<S>>>
}

export function typedKv<S extends StandardSchema>(kv: KvWithHistory, schema: S): TypedKvWithHistory<S> {
  return new SchemaView(kv, schema)
}

class SchemaView<S extends StandardSchema> implements TypedKvWithHistory<S> {
  private readonly kv: KvWithHistory
  private readonly schema: S

  constructor(kv: KvWithHistory, schema: S) {
    this.kv = kv
    this.schema = schema
  }

  async get(key: KeyInput, options?: GetOptions & AtRevision): Promise<TypedEntry<SchemaOutput<S>> | undefined> {
    const entry = await this.kv.get(key, options)
    return entry && this.parsed(entry)
  }

  async put(key: KeyInput, value: SchemaInput<S>, options?: PutOptions & CallLimits): Promise<PutResult> {
    return this.kv.put(key, await this.encoded(key, value), options)
  }

  delete(key: KeyInput, limits?: CallLimits): Promise<DeleteResult> {
    return this.kv.delete(key, limits)
  }

  list(options: KvListOptions & AtRevision): AsyncIterable<TypedEntry<SchemaOutput<S>>> {
    const entries = this.kv.list(options)
    return {
      [Symbol.asyncIterator]: () =>
        flatMapped(entries[Symbol.asyncIterator](), async (entry) => [await this.parsed(entry)]),
    }
  }

  async compareAndSwap(
    key: KeyInput,
    expected: TypedExpected<SchemaInput<S>>,
    value: SchemaInput<S> | undefined,
    options?: PutOptions & CallLimits,
  ): Promise<TypedSwapResult<SchemaOutput<S>>> {
    const before = 'value' in expected ? { value: await this.encoded(key, expected.value) } : expected
    const after = value === undefined ? undefined : await this.encoded(key, value)
    const { current, ...result } = await this.kv.compareAndSwap(key, before, after, options)
    return current === undefined ? result : { ...result, current: await this.parsed(current) }
  }

  watch(options: LatestWatchOptions | HistoryWatchOptions): AsyncIterable<TypedChange<SchemaOutput<S>>> {
    const changes = this.kv.watch(options)[Symbol.asyncIterator]()
    return flatMapped(changes, async (change): Promise<TypedChange<SchemaOutput<S>>[]> => {
      return [change.type === 'delete' ? change : { ...change, entry: await this.parsed(change.entry) }]
    })
  }

  private encoded(key: KeyInput, value: SchemaInput<S>): Promise<Uint8Array> {
    const shown = typeof key === 'string' ? key : new TextDecoder().decode(key)
    return encodeJson(this.schema, value, `the value for key ${JSON.stringify(shown)}`)
  }

  private async parsed(raw: KvEntry): Promise<TypedEntry<SchemaOutput<S>>> {
    const { key, createRevision, modRevision, version } = raw
    const value = await parseJson(this.schema, raw.value, `the value of key ${JSON.stringify(key)}`)
    return { key, value, createRevision, modRevision, version, raw }
  }
}
