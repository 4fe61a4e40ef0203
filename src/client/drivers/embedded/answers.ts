/** The engine's answers as the driver gives them. Records are read in the turn of the answer, and copied. */
import { assert } from '../../../base/index.ts'
import type {
  OperationResult as EngineResult,
  RangeResult,
  TxnResult,
  WatchDelivery,
} from '../../../engine/coordination/index.ts'
import { type MvccStore, noRecord, type RecordRef } from '../../../storage/mvcc/index.ts'
import type {
  ChangeEvent,
  Entry,
  Operation,
  OperationResult,
  Transaction,
  TransactionResult,
} from '../../driver/index.ts'
import { isNothing } from './requests.ts'

/** Entries made in one turn, of a long answer. */
const entriesPerSlice = 1000
const noValue = new Uint8Array(0)

export function entryOf(store: MvccStore, ref: RecordRef, keysOnly: boolean): Entry {
  const { key, createRevision, modRevision, version, lease } = store.fields(ref)
  // A copy: the store's own bytes must not change.
  const value = keysOnly ? noValue : new Uint8Array(store.value(ref))
  return { key, value, createRevision, modRevision, version, leaseId: lease }
}

/** All entries of a short answer, at once. */
export function entriesOf({ store, refs, keysOnly }: RangeResult): Entry[] {
  return refs.map((ref) => entryOf(store, ref, keysOnly))
}

/** A job for `runInSlices` that collects the entries of a pinned answer, then calls `done`. */
export function entriesInSlices(result: RangeResult, done: (entries: Entry[]) => void): () => boolean {
  const { store, refs, keysOnly, pin } = result
  const entries: Entry[] = []
  return () => {
    const end = Math.min(entries.length + entriesPerSlice, refs.length)
    while (entries.length < end) entries.push(entryOf(store, refs[entries.length]!, keysOnly))
    if (entries.length < refs.length) return true
    pin?.close()
    done(entries)
    return false
  }
}

/** `transaction` is what was asked; operations that the engine was spared answer as having found nothing. */
export function transactionResult(
  transaction: Transaction,
  { revision, succeeded, responses }: TxnResult,
): TransactionResult {
  const operations = succeeded ? transaction.success : (transaction.failure ?? [])
  let next = 0
  const results = operations.map((operation) =>
    isNothing(operation) ? foundNothing(operation) : operationResult(operation, responses[next++]!),
  )
  return { succeeded, revision, results }
}

function foundNothing({ type }: Operation): OperationResult {
  return type === 'list' ? { type, entries: [], more: false } : { type: 'delete', deleted: 0 }
}

function operationResult(operation: Operation, result: EngineResult): OperationResult {
  switch (result.type) {
    case 'put':
      return { type: 'put' }
    case 'deleteRange':
      return { type: 'delete', deleted: result.deleted }
    case 'range': {
      const entries = entriesOf(result)
      return operation.type === 'get'
        ? { type: 'get', entry: entries[0] }
        : { type: 'list', entries, more: result.more }
    }
    case 'txn':
      assert(false, 'the driver nests no transactions')
      throw new Error('unreachable')
  }
}

/** What a watcher is told. */
export function changesOf({ events, store }: WatchDelivery): ChangeEvent[] {
  return events.map(({ ref, key, modRevision, tombstone }) => {
    assert(ref !== noRecord, 'an event has a record')
    return tombstone
      ? { type: 'delete', key, revision: modRevision }
      : { type: 'put', entry: entryOf(store, ref, false), revision: modRevision }
  })
}
