/**
 *     LeaseKeepAliveRequest   = ID:int64=1
 *     LeaseTimeToLiveRequest  = ID:int64=1 keys:bool=2
 *     LeaseGrantResponse      = header=1 ID:int64=2 TTL:int64=3
 *     LeaseKeepAliveResponse  = header=1 ID:int64=2 TTL:int64=3
 *     LeaseTimeToLiveResponse = header=1 ID:int64=2 TTL:int64=3 grantedTTL:int64=4 keys:bytes=5*
 *     LeaseLeasesResponse     = header=1 leases:LeaseStatus=2*      LeaseStatus = ID:int64=1
 *
 * Grant, Revoke and their commands are in `engine/coordination/codec`.
 */
import { type ProtobufReader, ProtobufWriter, varintTag } from '../../base/index.ts'
import type { TimeToLiveResult } from '../../engine/coordination/index.ts'

export function decodeLeaseTimeToLiveRequest(reader: ProtobufReader): { readonly id: bigint; readonly keys: boolean } {
  let id = 0n
  let keys = false
  while (reader.next()) {
    if (reader.tag === varintTag(1)) id = reader.int64()
    else if (reader.tag === varintTag(2)) keys = reader.bool()
    else reader.skip()
  }
  return { id, keys }
}

/** Requests that carry nothing: checks only that the bytes are a message. */
export function decodeEmptyRequest(reader: ProtobufReader): void {
  while (reader.next()) reader.skip()
}

/** What follows the header in the answers to a grant and to a keep-alive. */
export function encodeLeaseFields(id: bigint, ttlSeconds: number): Uint8Array {
  return new ProtobufWriter(24).int64(2, id).int(3, ttlSeconds).finish()
}

export function encodeTimeToLiveFields(id: bigint, result: TimeToLiveResult): Uint8Array {
  const writer = new ProtobufWriter(64).int64(2, id).int(3, result.remainingSeconds).int(4, result.grantedSeconds)
  for (const key of result.keys) writer.presentBinaryString(5, key)
  return writer.finish()
}

export function encodeLeaseList(ids: Iterable<bigint>): Uint8Array {
  const writer = new ProtobufWriter(1024)
  for (const id of ids) writer.message(2, (lease) => lease.int64(1, id))
  return writer.finish()
}
