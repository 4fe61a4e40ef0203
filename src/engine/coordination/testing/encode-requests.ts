/** Encodes requests as clients do, for tests. The server itself only decodes them. */
import { emptyBytes, ProtobufWriter, utf8Bytes } from '../../../base/index.ts'
import {
  type Compare,
  compareTargets,
  type DeleteRangeRequest,
  type Operation,
  type PutRequest,
  type RangeRequest,
  type TxnRequest,
} from '../messages.ts'

export function rangeRequest(key: string, fields: Partial<RangeRequest> = {}): RangeRequest {
  return {
    type: 'range',
    key,
    end: undefined,
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
    ...fields,
  }
}

export function putRequest(key: string, value: string | Uint8Array = '', fields: Partial<PutRequest> = {}): PutRequest {
  return {
    type: 'put',
    key,
    value: typeof value === 'string' ? utf8Bytes(value) : value,
    lease: 0n,
    previous: false,
    ignoreValue: false,
    ignoreLease: false,
    ...fields,
  }
}

export function deleteRangeRequest(key: string, fields: Partial<DeleteRangeRequest> = {}): DeleteRangeRequest {
  return { type: 'deleteRange', key, end: undefined, previous: false, ...fields }
}

export function txnRequest(fields: Partial<TxnRequest>): TxnRequest {
  return { type: 'txn', compares: [], success: [], failure: [], ...fields }
}

export function compare(key: string, fields: Partial<Compare>): Compare {
  return { key, end: undefined, result: 0, target: 0, number: 0, lease: 0n, value: emptyBytes, ...fields }
}

/** The protobuf message of a request. */
export function encodeRequest(request: Operation): Uint8Array {
  const writer = new ProtobufWriter()
  writeRequest(writer, request)
  return Uint8Array.from(writer.finish())
}

function writeRequest(writer: ProtobufWriter, request: Operation): void {
  switch (request.type) {
    case 'range':
      writer.binaryString(1, request.key).binaryString(2, request.end ?? '')
      writer.int(3, request.limit).int(4, request.revision).int(5, request.sortOrder).int(6, request.sortTarget)
      writer.bool(7, request.serializable).bool(8, request.keysOnly).bool(9, request.countOnly)
      writer.int(10, request.minModRevision).int(11, request.maxModRevision)
      writer.int(12, request.minCreateRevision).int(13, request.maxCreateRevision)
      return
    case 'put':
      writer.binaryString(1, request.key).bytes(2, request.value).int64(3, request.lease)
      writer.bool(4, request.previous).bool(5, request.ignoreValue).bool(6, request.ignoreLease)
      return
    case 'deleteRange':
      writer
        .binaryString(1, request.key)
        .binaryString(2, request.end ?? '')
        .bool(3, request.previous)
      return
    case 'txn':
      for (const item of request.compares) writer.message(1, (inner) => writeCompare(inner, item))
      for (const item of request.success) writer.message(2, (inner) => writeOperation(inner, item))
      for (const item of request.failure) writer.message(3, (inner) => writeOperation(inner, item))
      return
    case 'empty':
  }
}

const operationFields = { range: 1, put: 2, deleteRange: 3, txn: 4 } as const

function writeOperation(writer: ProtobufWriter, operation: Operation): void {
  if (operation.type === 'empty') return
  writer.message(operationFields[operation.type], (inner) => writeRequest(inner, operation))
}

function writeCompare(writer: ProtobufWriter, item: Compare): void {
  writer.int(1, item.result).int(2, item.target).binaryString(3, item.key)
  if (item.target === compareTargets.value) writer.presentBytes(7, item.value)
  else if (item.target === compareTargets.lease) writer.int64(8, item.lease)
  else writer.presentInt(4 + item.target, item.number)
  writer.binaryString(64, item.end ?? '')
}
