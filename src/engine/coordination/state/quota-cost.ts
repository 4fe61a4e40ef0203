import type { Operation, PutRequest, TxnRequest } from '../messages.ts'

/** What etcd reckons for a key's metadata, and for a lease. */
const keyOverheadBytes = 256
export const leaseOverheadBytes = 64

/** The bytes that a put may add, by etcd's estimate. */
export function putCost(request: PutRequest): number {
  return keyOverheadBytes + request.key.length + request.value.length
}

/** The bytes that a transaction may add: those of its costlier branch. More than 0 exactly when some branch puts. */
export function txnCost(request: TxnRequest): number {
  return Math.max(branchCost(request.success), branchCost(request.failure))
}

function branchCost(operations: readonly Operation[]): number {
  let cost = 0
  for (const operation of operations) {
    if (operation.type === 'put') cost += putCost(operation)
    else if (operation.type === 'txn') cost += txnCost(operation)
  }
  return cost
}
