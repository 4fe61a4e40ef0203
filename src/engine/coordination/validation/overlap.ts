/**
 * Finds puts of one key twice, and puts that meet a deletion, within what one transaction may run: etcd's
 * `checkIntervals`. Its rules, exactly:
 *
 * - In one list of operations, first all deletions of this level are collected; then nested transactions, in order; then
 *   this level's puts.
 * - A put of a nested transaction clashes with this level's deletions, with puts of earlier nested transactions, and with
 *   deletions of *earlier* nested transactions. It does not clash with deletions of later ones.
 * - The two branches of one nested transaction exclude each other, so they may put the same key.
 * - This level's puts clash with everything collected.
 *
 * A deletion whose end is not after its key clashes with nothing. That includes "this key and all after it" (range end
 * '\\0'): etcd's interval tree takes it for an empty interval, and a client that relies on it must not be refused here.
 */
import type { BinaryString } from '../../../base/index.ts'
import type { Operation, TxnRequest } from '../messages.ts'
import type { EngineErrorCode } from '../results.ts'
import { type KeyInterval, KeyIntervalSet } from './key-interval-set.ts'

interface Writes {
  readonly puts: ReadonlySet<BinaryString>
  readonly deletions: KeyIntervalSet
}

/** The error for a transaction with clashing writes in either branch. */
export function findOverlap(request: TxnRequest): EngineErrorCode | undefined {
  const clash = collect(request.success) === undefined || collect(request.failure) === undefined
  return clash ? 'DUPLICATE_KEY' : undefined
}

/** What a list of operations writes; undefined when two writes clash. */
function collect(operations: readonly Operation[]): Writes | undefined {
  const deletions = new KeyIntervalSet()
  const own: KeyInterval[] = []
  for (const operation of operations) {
    if (operation.type !== 'deleteRange') continue
    const { key: begin, end = `${begin}\0` } = operation
    if (end > begin) own.push({ begin, end })
  }
  deletions.add(own)

  const puts = new Set<BinaryString>()
  for (const operation of operations) {
    if (operation.type === 'txn' && !collectNested(operation, puts, deletions)) return undefined
  }
  for (const operation of operations) {
    if (operation.type !== 'put') continue
    if (puts.has(operation.key) || deletions.has(operation.key)) return undefined
    puts.add(operation.key)
  }
  return { puts, deletions }
}

/** Adds what a nested transaction may write; false when that clashes. */
function collectNested(nested: TxnRequest, puts: Set<BinaryString>, deletions: KeyIntervalSet): boolean {
  const success = collect(nested.success)
  const failure = success && collect(nested.failure)
  if (success === undefined || failure === undefined) return false
  for (const key of success.puts) {
    if (puts.has(key) || deletions.has(key)) return false
  }
  for (const key of failure.puts) {
    if (puts.has(key) || deletions.has(key)) return false
  }
  for (const key of success.puts) puts.add(key)
  for (const key of failure.puts) puts.add(key)
  deletions.addAll(success.deletions)
  deletions.addAll(failure.deletions)
  return true
}
