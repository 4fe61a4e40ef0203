/**
 * Evaluates a range, as etcd's `executeRange` does: the count is of all keys in the range; revision filters, then the
 * order, then the limit decide what is returned. Two ways: at once (inside transactions and for single keys), and in
 * steps over a pinned cursor (everything else), with the same result.
 */
import { type MvccStore, noRecord, type RangeCursor, type RecordRef } from '../../../storage/mvcc/index.ts'
import { fail } from '../failures.ts'
import { type RangeRequest, sortOrders } from '../messages.ts'
import type { Failure, Pin, RangeResult } from '../results.ts'
import { isKeyOrder, sortRecords } from './sort.ts'

/** Records read between two yields. */
const stepRecords = 500

/** An answer of more bytes than this is too long to be encoded at once, however few its records. */
const encodedBytesMax = 256 * 1024

const noRefs: readonly RecordRef[] = []

/** Whether the asked-for revision can be read, when `current` is the newest. */
export function checkRevision(store: MvccStore, request: RangeRequest, current: number): Failure | undefined {
  const { revision } = request
  if (revision > current) return fail('FUTURE_REVISION')
  if (revision > 0 && revision < store.compactedRevision) return fail('COMPACTED')
  return undefined
}

/** A range of one key. `current` is the newest revision that the caller may see. */
export function evaluateKey(store: MvccStore, request: RangeRequest, current: number): RangeResult | Failure {
  const failure = checkRevision(store, request, current)
  if (failure !== undefined) return failure
  const ref = store.get(request.key, storeRevision(request, current))
  if (ref === noRecord) return result(store, request, current, 0, noRefs, undefined)
  const kept = !request.countOnly && (!hasFilters(request) || passesFilters(store, request, ref))
  return result(store, request, current, 1, kept ? [ref] : noRefs, undefined)
}

/** Any range, at once. `current` is the newest revision that the caller may see: inside a transaction, its own. */
export function evaluateNow(store: MvccStore, request: RangeRequest, current: number): RangeResult | Failure {
  if (request.end === undefined) return evaluateKey(store, request, current)
  const failure = checkRevision(store, request, current)
  if (failure !== undefined) return failure
  const range = { key: request.key, end: request.end }
  const max = fetchMax(request)
  const atRevision = storeRevision(request, current)
  const found = store.range(range, atRevision, max === Number.POSITIVE_INFINITY ? 0 : max, request.countOnly)
  if (request.countOnly) return result(store, request, current, found.count, noRefs, undefined)
  const kept = hasFilters(request) ? found.refs.filter((ref) => passesFilters(store, request, ref)) : found.refs
  const ordered = isKeyOrder(request) ? kept : runToEnd(sortRecords(store, request, kept))
  return result(store, request, current, found.count, ordered, undefined)
}

/**
 * Any range of more than one key, in steps; a short one takes a single step. A result that is too long to be encoded at
 * once comes with a pin. The caller has checked the revision, and that no write is under way.
 */
export function* evaluateInSteps(
  store: MvccStore,
  request: RangeRequest,
  current: number,
): Generator<void, RangeResult> {
  const range = { key: request.key, end: request.end }
  if (request.countOnly && storeRevision(request, current) === 0) {
    return result(store, request, current, store.range(range, 0, 0, true).count, noRefs, undefined)
  }
  const cursor = store.cursor(range, request.revision > 0 ? request.revision : current)
  const refs: RecordRef[] = []
  const count = yield* collect(store, request, current, cursor, refs)
  const ordered = isKeyOrder(request) ? refs : yield* sortRecords(store, request, refs)
  if (ordered.length > stepRecords || isLarge(store, request, ordered))
    return result(store, request, current, count, ordered, cursor)
  cursor.close()
  return result(store, request, current, count, ordered, undefined)
}

/** Looks at no more than `stepRecords` of them. */
function isLarge(store: MvccStore, request: RangeRequest, refs: readonly RecordRef[]): boolean {
  let bytes = 0
  for (const ref of refs) {
    bytes += store.encodedLength(ref, request.keysOnly)
    if (bytes > encodedBytesMax) return true
  }
  return false
}

/** Walks the cursor to its end: keeps in `refs` what the request wants of it, and returns how many there were. */
function* collect(
  store: MvccStore,
  request: RangeRequest,
  current: number,
  cursor: RangeCursor,
  refs: RecordRef[],
): Generator<void, number> {
  const batch: RecordRef[] = []
  const filtered = hasFilters(request)
  const max = request.countOnly ? 0 : fetchMax(request)
  let count = 0
  for (;;) {
    batch.length = 0
    const more = cursor.next(stepRecords, batch)
    count += batch.length
    for (const ref of batch) {
      if (refs.length >= max) break
      if (!filtered || passesFilters(store, request, ref)) refs.push(ref)
    }
    if (!more) return count
    // The store counts what is live now without a walk.
    if (refs.length >= max && storeRevision(request, current) === 0 && store.revision === current) {
      return store.range({ key: request.key, end: request.end }, 0, 0, true).count
    }
    // A range of exactly one step may say only at the next call that it has ended; that is no reason to yield.
    if (count > stepRecords) yield
  }
}

/**
 * How many records to fetch in key order: one more than the limit, to know whether there are more; all, when filters or
 * an explicit order come before the limit. An order by something other than the key that is only implied (no sort order
 * given) sorts just what the limit let through: etcd does so, too.
 */
function fetchMax(request: RangeRequest): number {
  const limitFirst = request.limit > 0 && request.sortOrder === sortOrders.none && !hasFilters(request)
  return limitFirst ? request.limit + 1 : Number.POSITIVE_INFINITY
}

/** The revision as the store takes it: 0 for now, which inside a transaction includes its own changes. */
function storeRevision(request: RangeRequest, current: number): number {
  return request.revision < current ? Math.max(0, request.revision) : 0
}

/** Applies the limit, the last step. */
function result(
  store: MvccStore,
  request: RangeRequest,
  revision: number,
  count: number,
  refs: readonly RecordRef[],
  pin: Pin | undefined,
): RangeResult {
  const more = request.limit > 0 && refs.length > request.limit
  const kept = more ? refs.slice(0, request.limit) : refs
  return { ok: true, type: 'range', revision, count, more, keysOnly: request.keysOnly, refs: kept, store, pin }
}

function hasFilters(request: RangeRequest): boolean {
  return (
    request.minModRevision !== 0 ||
    request.maxModRevision !== 0 ||
    request.minCreateRevision !== 0 ||
    request.maxCreateRevision !== 0
  )
}

function passesFilters(store: MvccStore, request: RangeRequest, ref: RecordRef): boolean {
  const { maxModRevision, minModRevision, maxCreateRevision, minCreateRevision } = request
  const modRevision = store.modRevision(ref)
  if (maxModRevision !== 0 && modRevision > maxModRevision) return false
  if (minModRevision !== 0 && modRevision < minModRevision) return false
  if (maxCreateRevision === 0 && minCreateRevision === 0) return true
  const { createRevision } = store.fields(ref)
  if (maxCreateRevision !== 0 && createRevision > maxCreateRevision) return false
  return minCreateRevision === 0 || createRevision >= minCreateRevision
}

function runToEnd<T>(steps: Generator<void, T>): T {
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
  }
}
