/** Requests as clients send them: etcd's messages, encoded here and decoded by the engine's own codecs. */
import { binaryString, ProtobufReader, ProtobufWriter, utf8Bytes } from '../../../base/index.ts'
import {
  type CompactRequest,
  compareResults,
  compareTargets,
  type DeleteRangeRequest,
  decodeCompactRequest,
  decodeDeleteRangeRequest,
  decodeLeaseGrantRequest,
  decodePutRequest,
  decodeRangeRequest,
  decodeTxnRequest,
  type LeaseGrantRequest,
  type PutRequest,
  type RangeRequest,
  type TxnRequest,
} from '../../../engine/coordination/index.ts'
import type { KvCompare, KvStep } from '../../history/index.ts'

/** A decoded request beside its bytes, as the engine takes them. */
export interface Encoded<T> {
  readonly request: T
  readonly bytes: Uint8Array
}

function encoded<T>(body: (writer: ProtobufWriter) => void, decode: (reader: ProtobufReader) => T): Encoded<T> {
  const writer = new ProtobufWriter()
  body(writer)
  const bytes = Uint8Array.from(writer.finish())
  return { request: decode(new ProtobufReader(bytes)), bytes }
}

/** A key of the history (R3) as the store has it: its UTF-8 bytes as a binary string. */
function keyOf(text: string): string {
  return binaryString(utf8Bytes(text))
}

function writeRange(writer: ProtobufWriter, key: string, end: string | undefined, serializable: boolean): void {
  writer.binaryString(1, keyOf(key))
  if (end !== undefined) writer.binaryString(2, keyOf(end))
  writer.bool(7, serializable)
}

function writePut(writer: ProtobufWriter, key: string, value: string, lease: bigint): void {
  writer.binaryString(1, keyOf(key)).bytes(2, utf8Bytes(value)).int64(3, lease)
}

export function range(key: string, end: string | undefined, serializable: boolean): Encoded<RangeRequest> {
  return encoded((writer) => writeRange(writer, key, end, serializable), decodeRangeRequest)
}

export function put(key: string, value: string, lease = 0n): Encoded<PutRequest> {
  return encoded((writer) => writePut(writer, key, value, lease), decodePutRequest)
}

export function deleteKey(key: string): Encoded<DeleteRangeRequest> {
  return encoded((writer) => writer.binaryString(1, keyOf(key)), decodeDeleteRangeRequest)
}

const targets = {
  version: compareTargets.version,
  createRevision: compareTargets.create,
  modRevision: compareTargets.mod,
  value: compareTargets.value,
} as const
const relations = {
  '=': compareResults.equal,
  '!=': compareResults.notEqual,
  '<': compareResults.less,
  '>': compareResults.greater,
} as const

function writeCompare(writer: ProtobufWriter, compare: KvCompare): void {
  const target = targets[compare.target]
  writer.int(1, relations[compare.relation]).int(2, target).binaryString(3, keyOf(compare.key))
  if (target === compareTargets.value) writer.presentBytes(7, utf8Bytes(String(compare.operand)))
  else writer.presentInt(4 + target, Number(compare.operand))
}

/** A step of a transaction; `lease` ties what it puts to one. */
function writeStep(writer: ProtobufWriter, step: KvStep, lease: bigint): void {
  switch (step.op) {
    case 'get':
      writer.message(1, (inner) => writeRange(inner, step.key, undefined, false))
      return
    case 'put':
      writer.message(2, (inner) => writePut(inner, step.key, step.value, lease))
      return
    case 'delete':
      writer.message(3, (inner) => inner.binaryString(1, keyOf(step.key)))
  }
}

export interface TxnShape {
  readonly compares: readonly KvCompare[]
  readonly success: readonly KvStep[]
  readonly failure: readonly KvStep[]
}

export function txn({ compares, success, failure }: TxnShape, lease = 0n): Encoded<TxnRequest> {
  return encoded((writer) => {
    for (const each of compares) writer.message(1, (inner) => writeCompare(inner, each))
    for (const each of success) writer.message(2, (inner) => writeStep(inner, each, lease))
    for (const each of failure) writer.message(3, (inner) => writeStep(inner, each, lease))
  }, decodeTxnRequest)
}

export function compact(revision: number, physical: boolean): Encoded<CompactRequest> {
  return encoded((writer) => writer.int(1, revision).bool(2, physical), decodeCompactRequest)
}

export function leaseGrant(ttlSeconds: number): Encoded<LeaseGrantRequest> {
  return encoded((writer) => writer.int(1, ttlSeconds), decodeLeaseGrantRequest)
}
