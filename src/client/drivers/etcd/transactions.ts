/** The driver's transactions in etcd's words, and the answers back. */
import {
  type AnswerHead,
  decodeDeleteRangeResponse,
  decodeHeaderOnly,
  decodeRangeResponse,
  decodeTxnResponse,
  encodeDeleteRangeRequest,
  encodePutRequest,
  encodeRangeRequest,
  encodeTxnRequest,
  etcdPaths,
  type OperationAnswer,
  type RangeAnswer,
  type RangeQuery,
  type SentCompare,
  type SentOperation,
} from '../../../wire/etcd-client/index.ts'
import type { Compare, Operation, OperationResult, Transaction, TransactionResult } from '../../driver/index.ts'
import { SynodError } from '../../errors.ts'
import type { Question } from './call.ts'
import { etcdRange } from './etcd-range.ts'

/** What a transaction answers, as the caller is told it. */
export interface TransactionAnswer extends AnswerHead {
  readonly result: TransactionResult
}

/** Throws `INVALID_ARGUMENT` for what no server would take. */
export function transactionQuestion(transaction: Transaction, operationsMax: number): Question<TransactionAnswer> {
  const { compares, success } = transaction
  const failure = transaction.failure ?? []
  for (const part of [compares, success, failure]) checkCount(part.length, operationsMax)
  checkBranch(success)
  checkBranch(failure)
  const only = success[0]
  if (compares.length === 0 && success.length === 1 && only !== undefined) return singleQuestion(only)
  const branches = { true: success, false: failure }
  return {
    name: 'Txn',
    path: etcdPaths.txn,
    kind: [...success, ...failure].some(writes) ? 'write' : 'read',
    request: encodeTxnRequest(compares.map(sentCompare), success.map(sentOperation), failure.map(sentOperation)),
    decode: (bytes) => {
      const answer = decodeTxnResponse(bytes)
      if (answer === undefined) return undefined
      const { revision, term, succeeded } = answer
      const results = resultsOf(branches[`${succeeded}`], answer.answers)
      return results && { revision, term, result: { succeeded, revision, results } }
    },
  }
}

/** One operation without conditions has a method of its own, which costs less on both sides. */
function singleQuestion(operation: Operation): Question<TransactionAnswer> {
  const told = (answer: OperationAnswer | undefined): TransactionAnswer | undefined => {
    const result = answer && resultOf(operation, answer)
    if (answer === undefined || result === undefined) return undefined
    const { revision, term } = answer
    return { revision, term, result: { succeeded: true, revision, results: [result] } }
  }
  const sent = sentOperation(operation)
  switch (sent.type) {
    case 'put':
      return {
        ...{ name: 'Put', path: etcdPaths.put, kind: 'write' },
        request: encodePutRequest(sent.key, sent.value, sent.leaseId),
        decode: (bytes) => told(typed('put', decodeHeaderOnly(bytes))),
      }
    case 'delete':
      return {
        ...{ name: 'DeleteRange', path: etcdPaths.deleteRange, kind: 'write' },
        request: encodeDeleteRangeRequest(sent.key, sent.end),
        decode: (bytes) => told(typed('delete', decodeDeleteRangeResponse(bytes))),
      }
    case 'range':
      return {
        ...{ name: 'Range', path: etcdPaths.range, kind: 'read' },
        request: encodeRangeRequest(sent.key, sent.query),
        decode: (bytes) => told(typed('range', decodeRangeResponse(bytes))),
      }
  }
}

function typed<Type extends string, Answer>(type: Type, answer: Answer | undefined) {
  return answer && { type, ...answer }
}

function checkCount(count: number, most: number): void {
  if (count > most)
    throw new SynodError('INVALID_ARGUMENT', `a transaction has ${count} steps of a kind, more than ${most}: split it`)
}

/** etcd refuses a branch that writes a key twice; so would the engines that cannot tell. */
function checkBranch(operations: readonly Operation[]): void {
  if (operations.length < 2) return
  const written = new Set<string>()
  const ranges: { readonly start: string; readonly end: string }[] = []
  for (const operation of operations) {
    if (operation.type === 'put' || operation.type === 'delete') {
      if (written.has(operation.key)) throw writtenTwice(operation.key)
      written.add(operation.key)
    } else if (operation.type === 'deleteRange') {
      const { start, end } = operation.range
      ranges.push({ start, end: end ?? `${start}\0` })
    }
  }
  for (const [i, range] of ranges.entries()) {
    for (const key of written) if (key >= range.start && (range.end === '' || key < range.end)) throw writtenTwice(key)
    for (const other of ranges.slice(0, i)) {
      const from = other.start > range.start ? other.start : range.start
      if ((range.end === '' || from < range.end) && (other.end === '' || from < other.end)) throw writtenTwice(from)
    }
  }
}

function writtenTwice(key: string): SynodError {
  const shown = Buffer.from(key, 'latin1').toString('utf8')
  return new SynodError('INVALID_ARGUMENT', `a transaction writes ${JSON.stringify(shown)} twice: write it once`)
}

function writes(operation: Operation): boolean {
  return operation.type !== 'get' && operation.type !== 'list'
}

function sentCompare(compare: Compare): SentCompare {
  switch (compare.target) {
    case 'exists':
      return { key: compare.key, target: 'version', is: compare.value ? '!=' : '=', number: 0 }
    case 'value':
      return compare
    default:
      return { key: compare.key, target: compare.target, is: compare.is, number: compare.value }
  }
}

function sentOperation(operation: Operation): SentOperation {
  switch (operation.type) {
    case 'get':
      return { type: 'range', key: operation.key, query: {} }
    case 'list': {
      const { key, end } = etcdRange(operation.range)
      return { type: 'range', key, query: { end, ...limits(operation.limit, operation.keysOnly) } }
    }
    case 'put':
      return { type: 'put', key: operation.key, value: operation.value, leaseId: operation.leaseId ?? 0n }
    case 'delete':
      return { type: 'delete', key: operation.key, end: '' }
    case 'deleteRange':
      return { type: 'delete', ...etcdRange(operation.range) }
  }
}

/** A limit of 0 means none in etcd: whoever wants nothing asks for one. */
export function limits(limit: number | undefined, keysOnly: boolean | undefined): RangeQuery {
  return { limit: limit === undefined ? 0 : Math.max(1, limit), keysOnly }
}

/** What a caller who wanted at most `limit` is told. */
export function limited({ entries, more }: RangeAnswer, limit: number | undefined) {
  return limit === 0 ? { entries: [], more: entries.length > 0 } : { entries, more }
}

function resultsOf(
  operations: readonly Operation[],
  answers: readonly OperationAnswer[],
): readonly OperationResult[] | undefined {
  if (operations.length !== answers.length) return undefined
  const results: OperationResult[] = []
  for (const [i, operation] of operations.entries()) {
    const result = resultOf(operation, answers[i]!)
    if (result === undefined) return undefined
    results.push(result)
  }
  return results
}

/** Undefined: that is no answer to this operation. */
function resultOf(operation: Operation, answer: OperationAnswer): OperationResult | undefined {
  switch (operation.type) {
    case 'get':
      return answer.type === 'range' ? { type: 'get', entry: answer.entries[0] } : undefined
    case 'list':
      return answer.type === 'range' ? { type: 'list', ...limited(answer, operation.limit) } : undefined
    case 'put':
      return answer.type === 'put' ? { type: 'put' } : undefined
    case 'delete':
    case 'deleteRange':
      return answer.type === 'delete' ? { type: 'delete', deleted: answer.deleted } : undefined
  }
}
