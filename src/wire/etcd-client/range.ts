/**
 *     RangeRequest  = key:bytes=1 range_end:bytes=2 limit:int64=3 revision:int64=4 sort_order:SortOrder=5
 *                     sort_target:SortTarget=6 serializable:bool=7 keys_only:bool=8 …
 *     RangeResponse = header=1 kvs:KeyValue=2* more:bool=3 count:int64=4
 *
 * Without an order asked for, servers answer in the order of keys.
 */
import {
  type BinaryString,
  bytesFieldSize,
  bytesTag,
  intFieldSize,
  ProtobufReader,
  putBytesHead,
  putIntField,
  varintTag,
} from '../../base/index.ts'
import { type ReceivedKeyValue, readKeyValue } from './key-value.ts'
import { type AnswerHead, headerTag, readHeader } from './response-header.ts'

const keyValueTag = bytesTag(2)
const moreTag = varintTag(3)

/** What is asked of a range; what is left out is not asked for. */
export interface RangeQuery {
  /** Empty: the key only. `'\0'`: everything from the key on. */
  readonly end?: BinaryString | undefined
  readonly limit?: number | undefined
  readonly revision?: number | undefined
  readonly serializable?: boolean | undefined
  readonly keysOnly?: boolean | undefined
}

const plainQuery: RangeQuery = {}

export function rangeRequestSize(key: BinaryString, query: RangeQuery): number {
  const end = query.end ?? ''
  return (
    bytesFieldSize(1, key.length) +
    (end === '' ? 0 : bytesFieldSize(2, end.length)) +
    intFieldSize(3, query.limit ?? 0) +
    intFieldSize(4, query.revision ?? 0) +
    intFieldSize(7, query.serializable === true ? 1 : 0) +
    intFieldSize(8, query.keysOnly === true ? 1 : 0)
  )
}

/** Puts the message at `offset`; returns the offset after it. */
export function putRangeRequest(target: Buffer, offset: number, key: BinaryString, query: RangeQuery): number {
  let at = putBinaryField(target, offset, 1, key)
  const end = query.end ?? ''
  if (end !== '') at = putBinaryField(target, at, 2, end)
  at = putIntField(target, at, 3, query.limit ?? 0)
  at = putIntField(target, at, 4, query.revision ?? 0)
  at = putIntField(target, at, 7, query.serializable === true ? 1 : 0)
  return putIntField(target, at, 8, query.keysOnly === true ? 1 : 0)
}

/** Puts a bytes field, also when it is empty. */
export function putBinaryField(target: Buffer, offset: number, field: number, text: BinaryString): number {
  const at = putBytesHead(target, offset, field, text.length)
  target.latin1Write(text, at)
  return at + text.length
}

export function encodeRangeRequest(key: BinaryString, query: RangeQuery = plainQuery): Uint8Array {
  const request = Buffer.allocUnsafe(rangeRequestSize(key, query))
  putRangeRequest(request, 0, key, query)
  return request
}

/** The answer to a range. */
export interface RangeAnswer extends AnswerHead {
  readonly entries: readonly ReceivedKeyValue[]
  /** Whether the limit left something out. */
  readonly more: boolean
}

/** Undefined: the bytes are no such message. */
export function decodeRangeResponse(bytes: Uint8Array): RangeAnswer | undefined {
  const reader = new ProtobufReader(bytes)
  const answer = readRangeResponse(reader)
  return reader.malformed ? undefined : answer
}

/** Reads to the end of the reader's message; the caller checks `reader.malformed`. */
export function readRangeResponse(reader: ProtobufReader): RangeAnswer {
  const answer = { revision: 0, term: 0, entries: [] as ReceivedKeyValue[], more: false }
  while (reader.next()) {
    switch (reader.tag) {
      case headerTag:
        readHeader(reader, answer)
        break
      case keyValueTag:
        answer.entries.push(readKeyValue(reader))
        break
      case moreTag:
        answer.more = reader.bool()
        break
      default:
        reader.skip()
    }
  }
  return answer
}
