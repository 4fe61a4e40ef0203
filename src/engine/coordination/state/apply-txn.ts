/**
 * Transactions, in etcd's three phases (`server/etcdserver/txn/txn.go`):
 *
 * 1. Plan: all compares, also those of nested transactions, are evaluated against the state before the transaction, and
 *    choose the branches.
 * 2. Check: everything in the chosen branches that could fail is checked against that same state. The first failure is
 *    the whole transaction's, and nothing happens.
 * 3. Execute: in order, under one main revision. Ranges see the writes before them.
 */
import type { WriteTransaction } from '../../../storage/mvcc/index.ts'
import { fail } from '../failures.ts'
import type { Operation, RangeRequest, TxnRequest } from '../messages.ts'
import { evaluateNow } from '../ranges/index.ts'
import type { Failure, OperationResult, TxnResult } from '../results.ts'
import { checkPut, deleteRange, deleteRangeResult, put, putResult } from './apply-writes.ts'
import type { StateData } from './data.ts'
import { evaluateCompare } from './evaluate-compare.ts'

/** The branches that a transaction takes. */
interface Plan {
  readonly succeeded: boolean
  readonly operations: readonly Operation[]
  /** The plans of the nested transactions among `operations`, in their order. */
  readonly nested: readonly Plan[]
}

/** Where operations run: the revision in sight, and the transaction, which a read-only one does not have. */
interface Execution {
  readonly data: StateData
  readonly transaction: WriteTransaction | undefined
  readonly wanted: boolean
}

const noResponses: readonly OperationResult[] = []

export function applyTxn(data: StateData, request: TxnRequest, wanted: boolean): TxnResult | Failure {
  const plan = makePlan(data, request)
  const failure = check(data, plan)
  if (failure !== undefined) return failure
  const responses = data.store.write((transaction) => execute({ data, transaction, wanted }, plan))
  return { ok: true, type: 'txn', revision: data.store.revision, succeeded: plan.succeeded, responses }
}

/** A transaction whose branches hold nothing but ranges, answered from the state as it is. */
export function evaluateReadOnlyTxn(data: StateData, request: TxnRequest): TxnResult | Failure {
  const plan = makePlan(data, request)
  const failure = check(data, plan)
  if (failure !== undefined) return failure
  const responses = execute({ data, transaction: undefined, wanted: true }, plan)
  return { ok: true, type: 'txn', revision: data.store.revision, succeeded: plan.succeeded, responses }
}

function makePlan(data: StateData, request: TxnRequest): Plan {
  const succeeded = request.compares.every((compare) => evaluateCompare(data.store, compare))
  const operations = succeeded ? request.success : request.failure
  const nested: Plan[] = []
  for (const operation of operations) if (operation.type === 'txn') nested.push(makePlan(data, operation))
  return { succeeded, operations, nested }
}

function check(data: StateData, plan: Plan): Failure | undefined {
  let nestedAt = 0
  for (const operation of plan.operations) {
    const failure =
      operation.type === 'range'
        ? checkRange(data, operation)
        : operation.type === 'put'
          ? checkPut(data, operation)
          : operation.type === 'txn'
            ? check(data, plan.nested[nestedAt++]!)
            : undefined
    if (failure !== undefined) return failure
  }
  return undefined
}

/** Stricter than a range on its own: etcd takes a negative revision for one that is compacted. */
function checkRange({ store }: StateData, { revision }: RangeRequest): Failure | undefined {
  if (revision === 0) return undefined
  if (revision > store.revision) return fail('FUTURE_REVISION')
  // etcd's first readable revision is -1 before the first compaction.
  const first = store.compactedRevision === 0 ? -1 : store.compactedRevision
  return revision < first ? fail('COMPACTED') : undefined
}

function execute(execution: Execution, plan: Plan): readonly OperationResult[] {
  const responses: OperationResult[] = []
  let nestedAt = 0
  for (const operation of plan.operations) {
    const nested = operation.type === 'txn' ? plan.nested[nestedAt++] : undefined
    const response = nested === undefined ? executeOne(execution, operation) : executeNested(execution, nested)
    if (response !== undefined) responses.push(response)
  }
  return execution.wanted ? responses : noResponses
}

function executeNested(execution: Execution, plan: Plan): TxnResult {
  const responses = execute(execution, plan)
  // The header of a nested answer is empty in etcd.
  return { ok: true, type: 'txn', revision: 0, succeeded: plan.succeeded, responses }
}

/** Undefined when there is nothing to answer: nobody waits for it, or the operation is empty. */
function executeOne({ data, transaction, wanted }: Execution, operation: Operation): OperationResult | undefined {
  if (operation.type === 'range') {
    if (!wanted) return undefined
    const answer = evaluateNow(data.store, operation, visibleRevision(data, transaction))
    return answer.ok ? answer : undefined
  }
  if (transaction === undefined) return undefined
  if (operation.type === 'put') {
    const previous = put(data, transaction, operation)
    return wanted ? putResult(operation, transaction.revision, previous) : undefined
  }
  if (operation.type === 'deleteRange') {
    const deleted = deleteRange(data, transaction, operation)
    return wanted ? deleteRangeResult(operation, visibleRevision(data, transaction), deleted) : undefined
  }
  return undefined
}

/** The newest revision that a read sees here: the transaction's own, once it changed something. */
function visibleRevision(data: StateData, transaction: WriteTransaction | undefined): number {
  if (transaction === undefined) return data.store.revision
  return transaction.changed ? transaction.revision : transaction.revision - 1
}
