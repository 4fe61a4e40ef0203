/** Puts and deletions, alone and as parts of transactions. */
import { noRecord, type RecordRef, type WriteTransaction } from '../../../storage/mvcc/index.ts'
import { fail } from '../failures.ts'
import type { DeleteRangeRequest, PutRequest } from '../messages.ts'
import type { DeleteRangeResult, Failure, PutResult } from '../results.ts'
import { retie, type StateData } from './data.ts'

const noRefs: readonly RecordRef[] = []

export function applyPut(data: StateData, request: PutRequest, wanted: boolean): PutResult | Failure {
  // etcd looks at the lease first here, at the key first inside a transaction.
  if (!leaseExists(data, request)) return fail('LEASE_NOT_FOUND')
  if (!hasWhatItKeeps(data, request)) return fail('KEY_NOT_FOUND')
  const previous = data.store.write((transaction) => put(data, transaction, request))
  return wanted ? putResult(request, data.store.revision, previous) : unwantedPut
}

/** Why a put inside a transaction cannot be carried out, judged by the state before the transaction. */
export function checkPut(data: StateData, request: PutRequest): Failure | undefined {
  if (!hasWhatItKeeps(data, request)) return fail('KEY_NOT_FOUND')
  return leaseExists(data, request) ? undefined : fail('LEASE_NOT_FOUND')
}

/** Puts; returns the version replaced. Checked before, so it cannot fail. */
export function put(data: StateData, transaction: WriteTransaction, request: PutRequest): RecordRef {
  const { key } = request
  let { value, lease } = request
  if (request.ignoreValue || request.ignoreLease) {
    const current = data.store.get(key, 0)
    // Gone only if this very transaction deleted it, an order of operations that etcd panics on.
    if (current !== noRecord) {
      if (request.ignoreValue) value = data.store.value(current)
      if (request.ignoreLease) lease = data.store.lease(current)
    }
  }
  const previous = transaction.put(key, value, lease)
  retie(data, key, previous, lease)
  return previous
}

export function putResult(request: PutRequest, revision: number, previous: RecordRef): PutResult {
  return { ok: true, type: 'put', revision, previous: request.previous ? previous : noRecord }
}

export function applyDeleteRange(data: StateData, request: DeleteRangeRequest, wanted: boolean): DeleteRangeResult {
  const deleted = data.store.write((transaction) => deleteRange(data, transaction, request))
  return wanted ? deleteRangeResult(request, data.store.revision, deleted) : unwantedDeleteRange
}

/** Deletes; returns the versions deleted, in key order. */
export function deleteRange(data: StateData, transaction: WriteTransaction, request: DeleteRangeRequest): RecordRef[] {
  const deleted = transaction.delete({ key: request.key, end: request.end })
  if (data.leases.count > 0) {
    for (const ref of deleted) retie(data, data.store.key(ref), ref, 0n)
  }
  return deleted
}

export function deleteRangeResult(
  request: DeleteRangeRequest,
  revision: number,
  deleted: readonly RecordRef[],
): DeleteRangeResult {
  const previous = request.previous ? deleted : noRefs
  return { ok: true, type: 'deleteRange', revision, deleted: deleted.length, previous }
}

function leaseExists(data: StateData, { lease }: PutRequest): boolean {
  return lease === 0n || data.leases.has(lease)
}

/** A put that keeps the old value or lease needs an old version. */
function hasWhatItKeeps(data: StateData, request: PutRequest): boolean {
  return !(request.ignoreValue || request.ignoreLease) || data.store.get(request.key, 0) !== noRecord
}

/** Stands for any result that nobody waits for. */
const unwantedPut: PutResult = { ok: true, type: 'put', revision: 0, previous: noRecord }
const unwantedDeleteRange: DeleteRangeResult = { ok: true, type: 'deleteRange', revision: 0, deleted: 0, previous: [] }
