import { compareBytes } from '../../../base/index.ts'
import { type MvccStore, noRecord, type RecordRef } from '../../../storage/mvcc/index.ts'
import { type Compare, compareResults, compareTargets } from '../messages.ts'

/**
 * Whether a compare holds now: for its key, or for every key of its range. A missing key (or empty range) has version,
 * revisions and lease 0, and its value compares as false whatever the operator (etcd's `applyCompare`).
 */
export function evaluateCompare(store: MvccStore, compare: Compare): boolean {
  if (compare.end === undefined) {
    const ref = store.get(compare.key, 0)
    return ref === noRecord ? holdsForNone(compare) : holdsFor(store, compare, ref)
  }
  const { refs } = store.range({ key: compare.key, end: compare.end }, 0, 0, false)
  if (refs.length === 0) return holdsForNone(compare)
  return refs.every((ref) => holdsFor(store, compare, ref))
}

function holdsForNone(compare: Compare): boolean {
  switch (compare.target) {
    case compareTargets.value:
      return false
    case compareTargets.lease:
      return holds(compare.result, order(0n, compare.lease))
    case compareTargets.version:
    case compareTargets.create:
    case compareTargets.mod:
      return holds(compare.result, order(0, compare.number))
    default:
      return holds(compare.result, 0)
  }
}

function holdsFor(store: MvccStore, compare: Compare, ref: RecordRef): boolean {
  switch (compare.target) {
    case compareTargets.value:
      return holds(compare.result, compareBytes(store.value(ref), compare.value))
    case compareTargets.lease:
      return holds(compare.result, order(store.lease(ref), compare.lease))
    case compareTargets.version:
      return holds(compare.result, order(store.version(ref), compare.number))
    case compareTargets.create:
      return holds(compare.result, order(store.fields(ref).createRevision, compare.number))
    case compareTargets.mod:
      return holds(compare.result, order(store.modRevision(ref), compare.number))
    default:
      return holds(compare.result, 0)
  }
}

function order<T extends number | bigint>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function holds(result: number, ordering: number): boolean {
  switch (result) {
    case compareResults.equal:
      return ordering === 0
    case compareResults.notEqual:
      return ordering !== 0
    case compareResults.greater:
      return ordering > 0
    case compareResults.less:
      return ordering < 0
    default:
      return true
  }
}
