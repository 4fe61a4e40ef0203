/**
 *     CompactionRequest  = revision:int64=1 physical:bool=2
 *     LeaseGrantRequest  = TTL:int64=1 ID:int64=2
 *     LeaseRevokeRequest = ID:int64=1
 *     AlarmRequest       = action:AlarmAction=1 memberID:uint64=2 alarm:AlarmType=3
 *     AlarmAction        = GET=0 | ACTIVATE=1 | DEACTIVATE=2
 *     AlarmType          = NONE=0 | NOSPACE=1 | CORRUPT=2
 */
import { type ProtobufReader, ProtobufWriter, varintTag } from '../../../base/index.ts'
import type { AlarmRequest, CompactRequest, LeaseGrantRequest } from '../messages.ts'

const tag1 = varintTag(1)
const tag2 = varintTag(2)
const tag3 = varintTag(3)

export function decodeCompactRequest(reader: ProtobufReader): CompactRequest {
  let revision = 0
  let physical = false
  while (reader.next()) {
    if (reader.tag === tag1) revision = reader.int64Number()
    else if (reader.tag === tag2) physical = reader.bool()
    else reader.skip()
  }
  return { revision, physical }
}

export function encodeCompactRequest(request: CompactRequest): Uint8Array {
  return new ProtobufWriter(16).int(1, request.revision).bool(2, request.physical).finish()
}

export function decodeLeaseGrantRequest(reader: ProtobufReader): LeaseGrantRequest {
  let ttlSeconds = 0
  let id = 0n
  while (reader.next()) {
    if (reader.tag === tag1) ttlSeconds = reader.int64Number()
    else if (reader.tag === tag2) id = reader.int64()
    else reader.skip()
  }
  return { id, ttlSeconds }
}

/** Returns the lease's id. */
export function decodeLeaseRevokeRequest(reader: ProtobufReader): bigint {
  let id = 0n
  while (reader.next()) {
    if (reader.tag === tag1) id = reader.int64()
    else reader.skip()
  }
  return id
}

export function encodeLeaseRevokeRequest(id: bigint): Uint8Array {
  return new ProtobufWriter(16).int64(1, id).finish()
}

export function decodeAlarmRequest(reader: ProtobufReader): AlarmRequest {
  let action = 0
  let memberId = 0n
  let alarm = 0
  while (reader.next()) {
    if (reader.tag === tag1) action = reader.int32()
    else if (reader.tag === tag2) memberId = reader.uint64()
    else if (reader.tag === tag3) alarm = reader.int32()
    else reader.skip()
  }
  return { action, memberId, alarm }
}

export function encodeAlarmRequest(request: AlarmRequest): Uint8Array {
  return new ProtobufWriter(24).int(1, request.action).int64(2, request.memberId).int(3, request.alarm).finish()
}
