/**
 *     PutRequest          = key:bytes=1 value:bytes=2 lease:int64=3 prev_kv:bool=4 …
 *     PutResponse         = header=1 prev_kv:KeyValue=2
 *     DeleteRangeRequest  = key:bytes=1 range_end:bytes=2 prev_kv:bool=3
 *     DeleteRangeResponse = header=1 deleted:int64=2 prev_kvs:KeyValue=3*
 */
import {
  type BinaryString,
  bytesFieldSize,
  int64FieldSize,
  ProtobufReader,
  putBytesHead,
  putInt64Field,
  varintTag,
} from '../../base/index.ts'
import { putBinaryField } from './range.ts'
import { type AnswerHead, headerTag, readHeader } from './response-header.ts'

const deletedTag = varintTag(2)

export function putRequestSize(key: BinaryString, value: Uint8Array, leaseId: bigint): number {
  return bytesFieldSize(1, key.length) + bytesFieldSize(2, value.length) + int64FieldSize(3, leaseId)
}

/** Puts the message at `offset`; returns the offset after it. */
export function putPutRequest(
  target: Buffer,
  offset: number,
  key: BinaryString,
  value: Uint8Array,
  leaseId: bigint,
): number {
  const at = putBytesHead(target, putBinaryField(target, offset, 1, key), 2, value.length)
  target.set(value, at)
  return putInt64Field(target, at + value.length, 3, leaseId)
}

export function encodePutRequest(key: BinaryString, value: Uint8Array, leaseId: bigint): Uint8Array {
  const request = Buffer.allocUnsafe(putRequestSize(key, value, leaseId))
  putPutRequest(request, 0, key, value, leaseId)
  return request
}

/** `end` as in a range request. */
export function deleteRangeRequestSize(key: BinaryString, end: BinaryString): number {
  return bytesFieldSize(1, key.length) + (end === '' ? 0 : bytesFieldSize(2, end.length))
}

/** Puts the message at `offset`; returns the offset after it. */
export function putDeleteRangeRequest(target: Buffer, offset: number, key: BinaryString, end: BinaryString): number {
  const at = putBinaryField(target, offset, 1, key)
  return end === '' ? at : putBinaryField(target, at, 2, end)
}

export function encodeDeleteRangeRequest(key: BinaryString, end: BinaryString = ''): Uint8Array {
  const request = Buffer.allocUnsafe(deleteRangeRequestSize(key, end))
  putDeleteRangeRequest(request, 0, key, end)
  return request
}

/** The answer to a put, and to everything else that says nothing but the header. */
export function decodeHeaderOnly(bytes: Uint8Array): AnswerHead | undefined {
  const reader = new ProtobufReader(bytes)
  const answer = readHeaderOnly(reader)
  return reader.malformed ? undefined : answer
}

/** Reads to the end of the reader's message; the caller checks `reader.malformed`. */
export function readHeaderOnly(reader: ProtobufReader): AnswerHead {
  const answer = { revision: 0, term: 0 }
  while (reader.next()) {
    if (reader.tag === headerTag) readHeader(reader, answer)
    else reader.skip()
  }
  return answer
}

export interface DeleteRangeAnswer extends AnswerHead {
  /** How many keys it deleted. */
  readonly deleted: number
}

/** Undefined: the bytes are no such message. */
export function decodeDeleteRangeResponse(bytes: Uint8Array): DeleteRangeAnswer | undefined {
  const reader = new ProtobufReader(bytes)
  const answer = readDeleteRangeResponse(reader)
  return reader.malformed ? undefined : answer
}

/** Reads to the end of the reader's message; the caller checks `reader.malformed`. */
export function readDeleteRangeResponse(reader: ProtobufReader): DeleteRangeAnswer {
  const answer = { revision: 0, term: 0, deleted: 0 }
  while (reader.next()) {
    if (reader.tag === headerTag) readHeader(reader, answer)
    else if (reader.tag === deletedTag) answer.deleted = reader.int64Number()
    else reader.skip()
  }
  if (answer.deleted < 0) reader.fail()
  return answer
}
