/**
 *     WatchRequest       = oneof { create_request=1 cancel_request=2 progress_request=3 }
 *     WatchCreateRequest = key:bytes=1 range_end:bytes=2 start_revision:int64=3 progress_notify:bool=4
 *                          filters:FilterType=5* prev_kv:bool=6 watch_id:int64=7 fragment:bool=8
 *     WatchCancelRequest = watch_id:int64=1
 *     WatchResponse      = header=1 watch_id:int64=2 created:bool=3 canceled:bool=4 compact_revision:int64=5
 *                          cancel_reason:string=6 fragment:bool=7 events:Event=11*
 *     Event              = type:EventType=1 kv:KeyValue=2 prev_kv:KeyValue=3      EventType = PUT=0 | DELETE=1
 *
 * The `kv` of a deletion holds the key and, as mod_revision, the revision that deleted it.
 */
import { type BinaryString, bytesTag, ProtobufReader, ProtobufWriter, varintTag } from '../../base/index.ts'
import { type ReceivedKeyValue, readKeyValue } from './key-value.ts'
import { type AnswerHead, headerTag, readHeader } from './response-header.ts'

/** What stands in an answer for all watches of a stream, and for one that could not be made. */
export const noWatchId = -1

export interface WatchCreation {
  /** Chosen by the client, 1 or more, once a stream. */
  readonly watchId: number
  readonly key: BinaryString
  /** Empty: the key only. `'\0'`: everything from the key on. */
  readonly end: BinaryString
  /** 0: from now on. */
  readonly fromRevision: number
}

/** Asks for progress from time to time, and lets large answers come in pieces. */
export function encodeWatchCreation(creation: WatchCreation): Uint8Array {
  return new ProtobufWriter(64 + creation.key.length + creation.end.length)
    .message(1, (inner) => {
      inner.binaryString(1, creation.key).binaryString(2, creation.end).int(3, creation.fromRevision)
      inner.bool(4, true).int(7, creation.watchId).bool(8, true)
    })
    .finish()
}

export function encodeWatchCancellation(watchId: number): Uint8Array {
  return new ProtobufWriter(24).message(2, (inner) => inner.int(1, watchId)).finish()
}

/** Asks where the stream stands. */
export function encodeWatchProgressRequest(): Uint8Array {
  return new ProtobufWriter(4).message(3, () => {}).finish()
}

export type ReceivedEvent =
  | { readonly type: 'put'; readonly entry: ReceivedKeyValue; readonly revision: number }
  | { readonly type: 'delete'; readonly key: BinaryString; readonly revision: number }

export interface WatchAnswer extends AnswerHead {
  readonly watchId: number
  readonly created: boolean
  readonly canceled: boolean
  /** More than 0: why it was cancelled. */
  readonly compactRevision: number
  readonly cancelReason: string
  /** More of the same answer follows. */
  readonly fragment: boolean
  readonly events: readonly ReceivedEvent[]
}

const watchIdTag = varintTag(2)
const createdTag = varintTag(3)
const canceledTag = varintTag(4)
const compactRevisionTag = varintTag(5)
const cancelReasonTag = bytesTag(6)
const fragmentTag = varintTag(7)
const eventTag = bytesTag(11)
const eventTypeTag = varintTag(1)
const eventKeyValueTag = bytesTag(2)

/** Undefined: the bytes are no such message. */
export function decodeWatchResponse(bytes: Uint8Array): WatchAnswer | undefined {
  const reader = new ProtobufReader(bytes)
  const events: ReceivedEvent[] = []
  const answer = {
    ...{ revision: 0, term: 0, watchId: 0, created: false, canceled: false, compactRevision: 0 },
    ...{ cancelReason: '', fragment: false, events },
  }
  while (reader.next()) {
    switch (reader.tag) {
      case headerTag:
        readHeader(reader, answer)
        break
      case watchIdTag:
        answer.watchId = reader.int64Number()
        break
      case createdTag:
        answer.created = reader.bool()
        break
      case canceledTag:
        answer.canceled = reader.bool()
        break
      case compactRevisionTag:
        answer.compactRevision = reader.int64Number()
        break
      case cancelReasonTag:
        reader.bytes()
        answer.cancelReason = reader.text()
        break
      case fragmentTag:
        answer.fragment = reader.bool()
        break
      case eventTag: {
        const event = readEvent(reader)
        if (event !== undefined) events.push(event)
        break
      }
      default:
        reader.skip()
    }
  }
  return reader.malformed ? undefined : answer
}

function readEvent(reader: ProtobufReader): ReceivedEvent | undefined {
  let type = 0
  let entry: ReceivedKeyValue | undefined
  const outerEnd = reader.enter()
  while (reader.next()) {
    if (reader.tag === eventTypeTag) type = reader.int32()
    else if (reader.tag === eventKeyValueTag) entry = readKeyValue(reader)
    else reader.skip()
  }
  reader.leave(outerEnd)
  if (entry === undefined || (type !== 0 && type !== 1)) {
    reader.fail()
    return undefined
  }
  const revision = entry.modRevision
  return type === 0 ? { type: 'put', entry, revision } : { type: 'delete', key: entry.key, revision }
}
