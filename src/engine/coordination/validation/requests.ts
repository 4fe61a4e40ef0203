/**
 * What etcd checks of a request before it proposes anything (`server/etcdserver/api/v3rpc/key.go`), in etcd's order, so
 * that the same broken request gets the same error. Undefined: nothing is wrong.
 */
import type { DeleteRangeRequest, Operation, PutRequest, RangeRequest, TxnRequest } from '../messages.ts'
import type { EngineErrorCode } from '../results.ts'
import { findOverlap } from './overlap.ts'

const sortOrderMax = 2
const sortTargetMax = 4

export function validateRange(request: RangeRequest): EngineErrorCode | undefined {
  if (request.key === '') return 'EMPTY_KEY'
  if (request.sortOrder < 0 || request.sortOrder > sortOrderMax) return 'INVALID_SORT_OPTION'
  if (request.sortTarget < 0 || request.sortTarget > sortTargetMax) return 'INVALID_SORT_OPTION'
  return undefined
}

export function validatePut(request: PutRequest): EngineErrorCode | undefined {
  if (request.key === '') return 'EMPTY_KEY'
  if (request.ignoreValue && request.value.length > 0) return 'VALUE_PROVIDED'
  if (request.ignoreLease && request.lease !== 0n) return 'LEASE_PROVIDED'
  return undefined
}

export function validateDeleteRange(request: DeleteRangeRequest): EngineErrorCode | undefined {
  return request.key === '' ? 'EMPTY_KEY' : undefined
}

/** `maxOperations` is etcd's --max-txn-ops. */
export function validateTxn(request: TxnRequest, maxOperations: number): EngineErrorCode | undefined {
  return validateTxnShape(request, maxOperations) ?? findOverlap(request)
}

/** A nested transaction may use what its parent left of the bound, so nesting is bounded too. */
function validateTxnShape(request: TxnRequest, maxOperations: number): EngineErrorCode | undefined {
  const { compares, success, failure } = request
  const operations = Math.max(compares.length, success.length, failure.length)
  if (operations > maxOperations) return 'TOO_MANY_OPERATIONS'
  for (const compare of compares) if (compare.key === '') return 'EMPTY_KEY'
  for (const branch of [success, failure]) {
    for (const operation of branch) {
      const error = validateOperation(operation, maxOperations - operations)
      if (error !== undefined) return error
    }
  }
  return undefined
}

function validateOperation(operation: Operation, maxOperations: number): EngineErrorCode | undefined {
  switch (operation.type) {
    case 'range':
      return validateRange(operation)
    case 'put':
      return validatePut(operation)
    case 'deleteRange':
      return validateDeleteRange(operation)
    case 'txn':
      return validateTxnShape(operation, maxOperations)
    case 'empty':
      return 'EMPTY_OPERATION'
  }
}
