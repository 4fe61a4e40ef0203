/**
 * The driver's calls as the engine takes them: decoded, and as the bytes that the log carries. Numbers of fields are those
 * of etcd's `rpc.proto`.
 */
import { emptyBytes, ProtobufWriter } from '../../../base/index.ts'
import {
  compareResults,
  compareTargets,
  type Compare as EngineCompare,
  type Operation as EngineOperation,
  type RangeRequest,
  type TxnRequest,
} from '../../../engine/coordination/index.ts'
import type { Compare, Key, KeyRange, ListOptions, Operation, ReadOptions, Transaction } from '../../driver/index.ts'

/** To the engine, the smallest key stands for the start of all, and as an end for none. */
const smallestKey = '\0'
/** Where the driver's end `''` goes. */
const noEnd = '\0'

/** A range as the engine takes it; undefined when no key can lie in it. */
export function engineRange({
  start,
  end,
}: KeyRange): { readonly key: Key; readonly end: Key | undefined } | undefined {
  if (end === undefined) return { key: start, end: undefined }
  const key = start === '' ? smallestKey : start
  if (end === '') return { key, end: noEnd }
  return key < end ? { key, end } : undefined
}

const rangeDefaults = {
  type: 'range',
  limit: 0,
  revision: 0,
  sortOrder: 0,
  sortTarget: 0,
  serializable: false,
  keysOnly: false,
  countOnly: false,
  minModRevision: 0,
  maxModRevision: 0,
  minCreateRevision: 0,
  maxCreateRevision: 0,
} as const

export function getRequest(key: Key, options: ReadOptions = {}): RangeRequest {
  const { stale = false, revision = 0 } = options
  return { ...rangeDefaults, key, end: undefined, serializable: stale, revision }
}

export function listRequest(
  range: { readonly key: Key; readonly end: Key | undefined },
  options: ListOptions = {},
): RangeRequest {
  const { stale = false, revision = 0, limit = 0, keysOnly = false } = options
  return { ...rangeDefaults, ...range, serializable: stale, revision, limit, keysOnly }
}

/** What stands for an operation on a range that no key can lie in: the answer of one that found nothing. */
const nothing = { type: 'nothing' } as const

/** The operations that the engine is to run; those of empty ranges are left out. */
export function txnRequest({ compares, success, failure = [] }: Transaction): TxnRequest {
  return {
    type: 'txn',
    compares: compares.map(engineCompare),
    success: engineOperations(success),
    failure: engineOperations(failure),
  }
}

function engineOperations(operations: readonly Operation[]): EngineOperation[] {
  return operations.map(engineOperation).filter((each): each is EngineOperation => each !== nothing)
}

/** Whether the engine never sees the operation. */
export function isNothing(operation: Operation): boolean {
  return engineOperation(operation) === nothing
}

function engineOperation(operation: Operation): EngineOperation | typeof nothing {
  switch (operation.type) {
    case 'get':
      return getRequest(operation.key)
    case 'list': {
      const range = engineRange(operation.range)
      return range === undefined ? nothing : listRequest(range, operation)
    }
    case 'put': {
      const { key, value, leaseId: lease = 0n } = operation
      return { type: 'put', key, value, lease, previous: false, ignoreValue: false, ignoreLease: false }
    }
    case 'delete':
      return { type: 'deleteRange', key: operation.key, end: undefined, previous: false }
    case 'deleteRange': {
      const range = engineRange(operation.range)
      return range === undefined ? nothing : { type: 'deleteRange', ...range, previous: false }
    }
  }
}

const results = {
  '=': compareResults.equal,
  '!=': compareResults.notEqual,
  '<': compareResults.less,
  '>': compareResults.greater,
} as const
const targets = {
  createRevision: compareTargets.create,
  modRevision: compareTargets.mod,
  version: compareTargets.version,
} as const

function engineCompare(compare: Compare): EngineCompare {
  const base = { key: compare.key, end: undefined, number: 0, lease: 0n, value: emptyBytes }
  switch (compare.target) {
    case 'exists': {
      const result = compare.value ? compareResults.greater : compareResults.equal
      return { ...base, target: compareTargets.version, result }
    }
    case 'value':
      return { ...base, target: compareTargets.value, result: results[compare.is], value: compare.value }
    default:
      return { ...base, target: targets[compare.target], result: results[compare.is], number: compare.value }
  }
}

/** The message of a transaction, in memory of its own. */
export function encodeTxn(request: TxnRequest): Uint8Array {
  const writer = new ProtobufWriter(1024)
  writeOperation(writer, request)
  return Uint8Array.from(writer.finish())
}

/** LeaseGrantRequest: the engine chooses the id. */
export function encodeLeaseGrant(ttlSeconds: number): Uint8Array {
  return Uint8Array.from(new ProtobufWriter(16).int(1, ttlSeconds).finish())
}

/** CompactionRequest. */
export function encodeCompaction(revision: number): Uint8Array {
  return Uint8Array.from(new ProtobufWriter(16).int(1, revision).finish())
}

const operationFields = { range: 1, put: 2, deleteRange: 3, txn: 4 } as const

function writeOperation(writer: ProtobufWriter, operation: Exclude<EngineOperation, { type: 'empty' }>): void {
  switch (operation.type) {
    case 'range':
      writer.binaryString(1, operation.key).binaryString(2, operation.end ?? '')
      writer.int(3, operation.limit).int(4, operation.revision)
      writer.bool(7, operation.serializable).bool(8, operation.keysOnly)
      return
    case 'put':
      writer.binaryString(1, operation.key).bytes(2, operation.value).int64(3, operation.lease)
      return
    case 'deleteRange':
      writer.binaryString(1, operation.key).binaryString(2, operation.end ?? '')
      return
    case 'txn':
      for (const each of operation.compares) writer.message(1, (inner) => writeCompare(inner, each))
      writeBranch(writer, 2, operation.success)
      writeBranch(writer, 3, operation.failure)
  }
}

function writeBranch(writer: ProtobufWriter, field: number, operations: readonly EngineOperation[]): void {
  for (const each of operations) {
    if (each.type === 'empty') continue
    writer.message(field, (wrapper) =>
      wrapper.message(operationFields[each.type], (inner) => writeOperation(inner, each)),
    )
  }
}

function writeCompare(writer: ProtobufWriter, compare: EngineCompare): void {
  writer.int(1, compare.result).int(2, compare.target).binaryString(3, compare.key)
  if (compare.target === compareTargets.value) writer.presentBytes(7, compare.value)
  else writer.presentInt(4 + compare.target, compare.number)
}
