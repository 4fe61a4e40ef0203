import { assert } from '../../base/index.ts'
import type { PlaneContext } from '../context.ts'
import type { Compare, Key, Operation, TransactionResult } from '../driver/index.ts'
import { SynodError } from '../errors.ts'
import { bareKey, type KeyInput, storedKey, valueBytes } from '../kv/index.ts'
import { type CallLimits, callOptions } from '../limits.ts'
import { historyOfKey } from './history.ts'
import { storedValue, versionedValue } from './stored-value.ts'
import { updateValue } from './update-value.ts'
import {
  type Change,
  ConflictError,
  type HistoryItem,
  type StoredValue,
  type Unchanged,
  type VersionedValue,
  type VersionedWithHistory,
  type Written,
} from './versioned.ts'

/**
 * Values with versions, of keys that begin with `prefix`. On an engine without history give it out as a `Versioned`:
 * `history` throws `NOT_SUPPORTED` there.
 */
export function createVersioned(context: PlaneContext, prefix: KeyInput = ''): VersionedWithHistory {
  return new VersionedOnDriver({ ...context, namespace: context.namespace + bareKey(prefix) }, context)
}

class VersionedOnDriver implements VersionedWithHistory {
  /** With the prefix in its namespace. */
  private readonly inside: PlaneContext
  private readonly context: PlaneContext

  constructor(inside: PlaneContext, context: PlaneContext) {
    this.inside = inside
    this.context = context
  }

  async read(key: KeyInput, limits?: CallLimits): Promise<VersionedValue | undefined> {
    const stored = storedKey(this.inside, key)
    const options = callOptions(this.context, limits)
    const { entry } = await this.span('read', () => this.context.driver.get(stored, options))
    return entry && versionedValue(entry)
  }

  async write(key: KeyInput, value: string | Uint8Array, seen: Unchanged & CallLimits): Promise<Written> {
    const stored = storedKey(this.inside, key)
    const put: Operation = { type: 'put', key: stored, value: valueBytes(value) }
    const { revision, results } = await this.guarded('write', stored, seen, [put, { type: 'get', key: stored }])
    const written = results[1]
    assert(written?.type === 'get' && written.entry !== undefined, 'a transaction reads what it has written')
    return { version: written.entry.version, revision }
  }

  async remove(key: KeyInput, seen: Unchanged & CallLimits): Promise<void> {
    const stored = storedKey(this.inside, key)
    await this.guarded('remove', stored, seen, [{ type: 'delete', key: stored }])
  }

  async update(key: KeyInput, change: Change, limits?: CallLimits): Promise<StoredValue | undefined> {
    const stored = storedKey(this.inside, key)
    const changed = async (current: Uint8Array | undefined): Promise<Uint8Array | undefined> => {
      const next = await change(current && storedValue(current))
      return next === undefined ? undefined : valueBytes(next)
    }
    const value = await this.span('update', () => updateValue(this.context, stored, changed, limits))
    return value && storedValue(value)
  }

  history(
    key: KeyInput,
    { limit = Number.POSITIVE_INFINITY, ...limits }: { readonly limit?: number | undefined } & CallLimits = {},
  ): AsyncIterable<HistoryItem> {
    const { driver } = this.context
    if (!driver.can.atRevision || driver.watch === undefined)
      throw new SynodError('NOT_SUPPORTED', `${driver.engine} keeps only the newest version of a key, no history`)
    if (!(limit > 0)) throw new SynodError('INVALID_ARGUMENT', `limit is ${limit}; it must be above 0`)
    const stored = storedKey(this.inside, key)
    return {
      [Symbol.asyncIterator]: () => historyOfKey(this.context, stored, limit, () => callOptions(driver, limits)),
    }
  }

  private async guarded(
    name: string,
    key: Key,
    seen: Unchanged & CallLimits,
    success: Operation[],
  ): Promise<TransactionResult> {
    const compares = [compareOf(key, seen)]
    const options = callOptions(this.context, seen)
    const done = await this.span(name, () =>
      this.context.driver.transact({ compares, success, failure: [{ type: 'get', key }] }, options),
    )
    if (done.succeeded) return done
    const [current] = done.results
    assert(current?.type === 'get', 'a conflict is answered with what is there')
    const bare = JSON.stringify(key.slice(this.context.namespace.length))
    throw new ConflictError(bare, seen, current.entry && versionedValue(current.entry))
  }

  private span<T>(name: string, work: () => Promise<T>): Promise<T> {
    return this.context.tracing.span(`versioned.${name}`, {}, work)
  }
}

function compareOf(key: Key, { ifVersion, ifRevision }: Unchanged): Compare {
  const value = ifVersion ?? ifRevision
  if (value === undefined || !Number.isSafeInteger(value) || value < 0)
    throw new SynodError(
      'INVALID_ARGUMENT',
      'say which one was seen: ifVersion (0: none) or ifRevision, a whole number',
    )
  return { key, target: ifVersion === undefined ? 'modRevision' : 'version', is: '=', value }
}
