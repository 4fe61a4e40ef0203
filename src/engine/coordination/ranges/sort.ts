/**
 * Sorting a range's records by something other than their key, a piece at a time. A merge sort, bottom up: stable, so
 * equal ones stay in key order, and cut into steps of bounded work.
 */
import { compareBytes, unreachable } from '../../../base/index.ts'
import type { MvccStore, RecordRef } from '../../../storage/mvcc/index.ts'
import { type RangeRequest, sortOrders, sortTargets } from '../messages.ts'

/** Comparisons or reads between two yields: well under a millisecond. */
const stepWork = 1000
/** As many as a double holds exactly. */
const beginningBytes = 6

/** True when the records come in the wanted order anyway. */
export function isKeyOrder(request: RangeRequest): boolean {
  return request.sortTarget === sortTargets.key && request.sortOrder !== sortOrders.descend
}

/** Sorts `refs`, which are in key order, as `request` asks. Yields between steps; returns a new array. */
export function* sortRecords(
  store: MvccStore,
  request: RangeRequest,
  refs: readonly RecordRef[],
): Generator<void, RecordRef[]> {
  if (request.sortTarget === sortTargets.key)
    return request.sortOrder === sortOrders.descend ? refs.toReversed() : [...refs]
  const compareAscending = yield* comparison(store, request.sortTarget, refs)
  const descending = request.sortOrder === sortOrders.descend
  const order = yield* mergeSort(refs.length, (i, j) => (descending ? compareAscending(j, i) : compareAscending(i, j)))
  const sorted: RecordRef[] = []
  for (const i of order) sorted.push(refs[i]!)
  return sorted
}

/** Reads what to sort by once a record; the result compares two records by their places in `refs`. */
function* comparison(
  store: MvccStore,
  target: number,
  refs: readonly RecordRef[],
): Generator<void, (i: number, j: number) => number> {
  const numbers = new Float64Array(refs.length)
  for (let i = 0; i < refs.length; i++) {
    numbers[i] = numberOf(store, target, refs[i]!)
    if (i % stepWork === stepWork - 1) yield
  }
  if (target !== sortTargets.value) return (i, j) => numbers[i]! - numbers[j]!
  // The numbers are only how the values begin.
  return (i, j) => numbers[i]! - numbers[j]! || compareBytes(store.value(refs[i]!), store.value(refs[j]!))
}

function numberOf(store: MvccStore, target: number, ref: RecordRef): number {
  switch (target) {
    case sortTargets.version:
      return store.version(ref)
    case sortTargets.create:
      return store.fields(ref).createRevision
    case sortTargets.mod:
      return store.modRevision(ref)
    case sortTargets.value:
      return beginning(store.value(ref))
    default:
      return unreachable(target as never, 'sort target was validated')
  }
}

/** The first six bytes as a number, which orders like them; a shorter value is taken to end in zeros. */
function beginning(value: Uint8Array): number {
  let number = 0
  for (let i = 0; i < beginningBytes; i++) number = number * 256 + (value[i] ?? 0)
  return number
}

/** The numbers 0 to `length - 1` in the order of `compare`; equal ones keep their order. */
function* mergeSort(length: number, compare: (i: number, j: number) => number): Generator<void, Uint32Array> {
  let from = new Uint32Array(length)
  let to = new Uint32Array(length)
  for (let i = 0; i < length; i++) from[i] = i
  let work = 0
  for (let width = 1; width < length; width *= 2) {
    for (let start = 0; start < length; start += 2 * width) {
      const middle = Math.min(start + width, length)
      const end = Math.min(start + 2 * width, length)
      let left = start
      let right = middle
      for (let at = start; at < end; at++) {
        const takeLeft = right >= end || (left < middle && compare(from[left]!, from[right]!) <= 0)
        to[at] = takeLeft ? from[left++]! : from[right++]!
        if (++work % stepWork === 0) yield
      }
    }
    const swap = from
    from = to
    to = swap
  }
  return from
}
