import { binaryString } from '../../../base/index.ts'
import { type MvccStore, noRecord, type RecordRef } from '../../../storage/mvcc/index.ts'
import type { CommandResult, OperationResult, RangeResult } from '../results.ts'
import type { NaiveRecord, NaiveResult } from './naive-kv.ts'

/** A result in the terms of the naive twin, with its records read out of the store. */
export function readResult(store: MvccStore, result: CommandResult | RangeResult): NaiveResult {
  if (!result.ok) return { error: result.code }
  switch (result.type) {
    case 'put': {
      const previous = result.previous === noRecord ? undefined : readRecord(store, result.previous)
      return { revision: result.revision, previous }
    }
    case 'deleteRange': {
      const previous = result.previous.map((ref) => readRecord(store, ref))
      return { revision: result.revision, deleted: result.deleted, previous }
    }
    case 'range': {
      const { revision, count, more } = result
      return { revision, count, more, records: result.refs.map((ref) => readRecord(result.store, ref)) }
    }
    case 'txn': {
      const responses = result.responses.map((response: OperationResult) => readResult(store, response))
      return { revision: result.revision, succeeded: result.succeeded, responses }
    }
    case 'leaseGrant':
      return { revision: result.revision, id: result.id, ttlSeconds: result.ttlSeconds }
    default:
      return { revision: result.revision }
  }
}

function readRecord(store: MvccStore, ref: RecordRef): NaiveRecord {
  const { key, createRevision, modRevision, version, lease } = store.fields(ref)
  const value = binaryString(store.value(ref))
  return { key, value, create: createRevision, mod: modRevision, version, lease }
}
