/**
 *     WatchRequest       = oneof { create_request=1 cancel_request=2 progress_request=3 }
 *     WatchCreateRequest = key:bytes=1 range_end:bytes=2 start_revision:int64=3 progress_notify:bool=4
 *                          filters:FilterType=5* prev_kv:bool=6 watch_id:int64=7 fragment:bool=8
 *     FilterType         = NOPUT=0 | NODELETE=1
 *     WatchCancelRequest = watch_id:int64=1
 *     WatchResponse      = header=1 watch_id:int64=2 created:bool=3 canceled:bool=4 compact_revision:int64=5
 *                          cancel_reason:string=6 fragment:bool=7 events:Event=11*
 */
import { type BinaryString, bytesTag, ProtobufReader, ProtobufWriter, varintTag } from '../../base/index.ts'
import type { WatchId } from '../../engine/coordination/index.ts'

export interface WatchCreate {
  readonly type: 'create'
  readonly key: BinaryString
  /** Empty: just `key`. '\0': `key` and everything after it. */
  readonly rangeEnd: BinaryString
  readonly startRevision: number
  readonly progressNotify: boolean
  readonly noPut: boolean
  readonly noDelete: boolean
  readonly previous: boolean
  readonly watchId: WatchId
  readonly fragment: boolean
}

export type WatchMessage =
  | WatchCreate
  | { readonly type: 'cancel'; readonly watchId: WatchId }
  | { readonly type: 'progress' }
  /** None of those we know; etcd passes over it. */
  | { readonly type: 'none' }
  | { readonly type: 'malformed' }

/** Decodes one message of the request stream. Of a oneof's members, the last one counts. */
export function decodeWatchMessage(bytes: Uint8Array): WatchMessage {
  const reader = new ProtobufReader(bytes)
  let message: WatchMessage = { type: 'none' }
  while (reader.next()) {
    if (reader.tag === bytesTag(1)) message = decodeCreate(inner(reader))
    else if (reader.tag === bytesTag(2)) message = decodeCancel(inner(reader))
    else if (reader.tag === bytesTag(3)) message = skipAll(inner(reader))
    else reader.skip()
    if (message.type === 'malformed') return message
  }
  return reader.malformed ? { type: 'malformed' } : message
}

function inner(reader: ProtobufReader): ProtobufReader {
  reader.bytes()
  return new ProtobufReader(reader.buffer, reader.start, reader.stop)
}

function decodeCreate(reader: ProtobufReader): WatchMessage {
  let key = ''
  let rangeEnd = ''
  let startRevision = 0
  let progressNotify = false
  let previous = false
  let watchId = 0n
  let fragment = false
  const filters = new Set<number>()
  while (reader.next()) {
    if (reader.tag === bytesTag(1)) key = binaryField(reader)
    else if (reader.tag === bytesTag(2)) rangeEnd = binaryField(reader)
    else if (reader.tag === varintTag(3)) startRevision = reader.int64Number()
    else if (reader.tag === varintTag(4)) progressNotify = reader.bool()
    else if (reader.tag === varintTag(5)) filters.add(reader.int32())
    else if (reader.tag === bytesTag(5)) readPacked(reader, filters)
    else if (reader.tag === varintTag(6)) previous = reader.bool()
    else if (reader.tag === varintTag(7)) watchId = reader.int64()
    else if (reader.tag === varintTag(8)) fragment = reader.bool()
    else reader.skip()
  }
  if (reader.malformed) return { type: 'malformed' }
  const noPut = filters.has(0)
  const noDelete = filters.has(1)
  const flags = { progressNotify, noPut, noDelete, previous, fragment }
  return { type: 'create', key, rangeEnd, startRevision, watchId, ...flags }
}

function binaryField(reader: ProtobufReader): BinaryString {
  reader.bytes()
  return reader.binaryString()
}

/** A repeated enum as proto3 encoders write it: all values in one field. */
function readPacked(reader: ProtobufReader, into: Set<number>): void {
  const values = inner(reader)
  while (values.offset < values.end) into.add(values.int32())
  if (values.malformed) reader.fail()
}

function decodeCancel(reader: ProtobufReader): WatchMessage {
  let watchId = 0n
  while (reader.next()) {
    if (reader.tag === varintTag(1)) watchId = reader.int64()
    else reader.skip()
  }
  return reader.malformed ? { type: 'malformed' } : { type: 'cancel', watchId }
}

function skipAll(reader: ProtobufReader): WatchMessage {
  while (reader.next()) reader.skip()
  return reader.malformed ? { type: 'malformed' } : { type: 'progress' }
}

/** Everything of a response between its header and its events. */
export interface WatchResponseFields {
  readonly watchId: WatchId
  readonly created?: boolean
  readonly canceled?: boolean
  readonly compactRevision?: number
  readonly cancelReason?: string
  readonly fragment?: boolean
}

/** Encodes the fields after the header; events may follow as they are. */
export function encodeWatchFields(fields: WatchResponseFields): Uint8Array {
  return new ProtobufWriter(48)
    .int64(2, fields.watchId)
    .bool(3, fields.created ?? false)
    .bool(4, fields.canceled ?? false)
    .int(5, fields.compactRevision ?? 0)
    .text(6, fields.cancelReason ?? '')
    .bool(7, fields.fragment ?? false)
    .finish()
}
