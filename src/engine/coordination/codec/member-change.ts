/**
 * What the commands about members carry (types 8 to 12), as protobuf messages of our own: the id of a new member is the
 * proposing node's choice and the URLs are normalised by it, so etcd's requests are not carried as they came.
 *
 *     memberAttributes = memberId:uint64=1 name:string=2 clientUrl:string=3*
 *     memberAdd        = id:uint64=1 peerUrl:string=2* isLearner:bool=3
 *     memberUpdate     = id:uint64=1 peerUrl:string=2*
 *     memberRemove     = id:uint64=1
 *     memberPromote    = id:uint64=1
 *     member           = id:uint64=1 name:string=2 peerUrl:string=3* clientUrl:string=4* isLearner:bool=5
 *
 * `member` is etcd's `Member`, so that the wire and snapshots share its bytes. `reader.malformed` tells whether a decoded
 * value counts.
 */
import { bytesTag, type ProtobufReader, ProtobufWriter, varintTag } from '../../../base/index.ts'
import type { Member, MemberAttributes, MemberChange } from '../messages.ts'

export function encodeMemberAttributes({ memberId, name, clientUrls }: MemberAttributes): Uint8Array {
  const writer = new ProtobufWriter().int64(1, memberId).text(2, name)
  for (const url of clientUrls) writer.presentText(3, url)
  return writer.finish()
}

export function decodeMemberAttributes(reader: ProtobufReader): MemberAttributes {
  let memberId = 0n
  let name = ''
  const clientUrls: string[] = []
  while (reader.next()) {
    if (reader.tag === varintTag(1)) memberId = reader.uint64()
    else if (reader.tag === bytesTag(2)) name = readText(reader)
    else if (reader.tag === bytesTag(3)) clientUrls.push(readText(reader))
    else reader.skip()
  }
  return { memberId, name, clientUrls }
}

export function encodeMemberChange({ id, peerUrls, isLearner }: MemberChange): Uint8Array {
  const writer = new ProtobufWriter().int64(1, id)
  for (const url of peerUrls) writer.presentText(2, url)
  return writer.bool(3, isLearner).finish()
}

export function decodeMemberChange(reader: ProtobufReader): MemberChange {
  let id = 0n
  let isLearner = false
  const peerUrls: string[] = []
  while (reader.next()) {
    if (reader.tag === varintTag(1)) id = reader.uint64()
    else if (reader.tag === bytesTag(2)) peerUrls.push(readText(reader))
    else if (reader.tag === varintTag(3)) isLearner = reader.bool()
    else reader.skip()
  }
  return { id, peerUrls, isLearner }
}

export function encodeMember({ id, name, peerUrls, clientUrls, isLearner }: Member): Uint8Array {
  const writer = new ProtobufWriter().int64(1, id).text(2, name)
  for (const url of peerUrls) writer.presentText(3, url)
  for (const url of clientUrls) writer.presentText(4, url)
  return writer.bool(5, isLearner).finish()
}

export function decodeMember(reader: ProtobufReader): Member {
  let id = 0n
  let name = ''
  let isLearner = false
  const peerUrls: string[] = []
  const clientUrls: string[] = []
  while (reader.next()) {
    switch (reader.tag) {
      case varintTag(1):
        id = reader.uint64()
        break
      case bytesTag(2):
        name = readText(reader)
        break
      case bytesTag(3):
        peerUrls.push(readText(reader))
        break
      case bytesTag(4):
        clientUrls.push(readText(reader))
        break
      case varintTag(5):
        isLearner = reader.bool()
        break
      default:
        reader.skip()
    }
  }
  return { id, name, peerUrls, clientUrls, isLearner }
}

function readText(reader: ProtobufReader): string {
  reader.bytes()
  return reader.text()
}
