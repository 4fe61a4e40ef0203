/**
 *     MemberAddRequest     = peerURLs:string=1* isLearner:bool=2
 *     MemberRemoveRequest  = ID:uint64=1
 *     MemberUpdateRequest  = ID:uint64=1 peerURLs:string=2*
 *     MemberPromoteRequest = ID:uint64=1
 *     MemberListRequest    = linearizable:bool=1
 *     MemberAddResponse    = header=1 member:Member=2 members:Member=3*
 *     other responses      = header=1 members:Member=2*
 *     Member               = ID:uint64=1 name:string=2 peerURLs:string=3* clientURLs:string=4* isLearner:bool=5
 */
import { bytesTag, type ProtobufReader, ProtobufWriter, varintTag } from '../../base/index.ts'
import { encodeMember, type Member } from '../../engine/coordination/index.ts'

export interface MemberAddRequest {
  readonly peerUrls: readonly string[]
  readonly isLearner: boolean
}

export interface MemberUpdateRequest {
  readonly id: bigint
  readonly peerUrls: readonly string[]
}

export function decodeMemberAddRequest(reader: ProtobufReader): MemberAddRequest {
  const peerUrls: string[] = []
  let isLearner = false
  while (reader.next()) {
    if (reader.tag === bytesTag(1)) peerUrls.push(readText(reader))
    else if (reader.tag === varintTag(2)) isLearner = reader.bool()
    else reader.skip()
  }
  return { peerUrls, isLearner }
}

export function decodeMemberUpdateRequest(reader: ProtobufReader): MemberUpdateRequest {
  const peerUrls: string[] = []
  let id = 0n
  while (reader.next()) {
    if (reader.tag === varintTag(1)) id = reader.uint64()
    else if (reader.tag === bytesTag(2)) peerUrls.push(readText(reader))
    else reader.skip()
  }
  return { id, peerUrls }
}

/** The id that a removal or a promotion names. */
export function decodeMemberId(reader: ProtobufReader): bigint {
  let id = 0n
  while (reader.next()) {
    if (reader.tag === varintTag(1)) id = reader.uint64()
    else reader.skip()
  }
  return id
}

/** Whether the list must be linearizable. */
export function decodeMemberListRequest(reader: ProtobufReader): boolean {
  let linearizable = false
  while (reader.next()) {
    if (reader.tag === varintTag(1)) linearizable = reader.bool()
    else reader.skip()
  }
  return linearizable
}

/** The fields of a MemberAddResponse after its header. */
export function encodeMemberAdded(added: Member, members: readonly Member[]): Uint8Array {
  const writer = new ProtobufWriter(256).presentBytes(2, encodeMember(added))
  for (const member of members) writer.presentBytes(3, encodeMember(member))
  return writer.finish()
}

/** The fields of the other responses after their header. */
export function encodeMembers(members: readonly Member[]): Uint8Array {
  const writer = new ProtobufWriter(256)
  for (const member of members) writer.presentBytes(2, encodeMember(member))
  return writer.finish()
}

function readText(reader: ProtobufReader): string {
  reader.bytes()
  return reader.text()
}
