/**
 *     LeaseGrantRequest      = TTL:int64=1 ID:int64=2
 *     LeaseGrantResponse     = header=1 ID:int64=2 TTL:int64=3 error:string=4
 *     LeaseRevokeRequest     = ID:int64=1
 *     LeaseRevokeResponse    = header=1
 *     LeaseKeepAliveRequest  = ID:int64=1
 *     LeaseKeepAliveResponse = header=1 ID:int64=2 TTL:int64=3
 *
 * A keep-alive of a lease that is gone is answered with a TTL of 0.
 */
import { ProtobufReader, ProtobufWriter, varintTag } from '../../base/index.ts'
import { type AnswerHead, headerTag, readHeader } from './response-header.ts'

const idTag = varintTag(2)
const ttlTag = varintTag(3)

export function encodeLeaseGrantRequest(leaseId: bigint, ttlSeconds: number): Uint8Array {
  return new ProtobufWriter(24).int(1, ttlSeconds).int64(2, leaseId).finish()
}

/** Of a revocation, and of one keep-alive. */
export function encodeLeaseIdRequest(leaseId: bigint): Uint8Array {
  return new ProtobufWriter(24).int64(1, leaseId).finish()
}

export interface LeaseTime extends AnswerHead {
  readonly leaseId: bigint
  /** 0 or less: there is no such lease. */
  readonly ttlSeconds: number
}

/** The answer to a grant, and to a keep-alive. Undefined: the bytes are no such message. */
export function decodeLeaseTime(bytes: Uint8Array): LeaseTime | undefined {
  const reader = new ProtobufReader(bytes)
  const answer = { revision: 0, term: 0, leaseId: 0n, ttlSeconds: 0 }
  while (reader.next()) {
    if (reader.tag === headerTag) readHeader(reader, answer)
    else if (reader.tag === idTag) answer.leaseId = reader.int64()
    else if (reader.tag === ttlTag) answer.ttlSeconds = reader.int64Number()
    else reader.skip()
  }
  return reader.malformed ? undefined : answer
}
