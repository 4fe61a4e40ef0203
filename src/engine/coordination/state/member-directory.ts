/**
 * What each member says of itself through the log: its name and where clients reach it. MemberList shows it, also while
 * the member is away.
 *
 *     attributes = memberId:uint64 (1) name:string (2) clientUrl:string (3, repeated)      a protobuf message
 */
import { bytesTag, ProtobufReader, ProtobufWriter, varintTag } from '../../../base/index.ts'

export interface MemberAttributes {
  readonly memberId: bigint
  readonly name: string
  readonly clientUrls: readonly string[]
}

export function encodeMemberAttributes({ memberId, name, clientUrls }: MemberAttributes): Uint8Array {
  const writer = new ProtobufWriter().int64(1, memberId).text(2, name)
  for (const url of clientUrls) writer.presentText(3, url)
  return writer.finish()
}

/** `reader.malformed` tells whether the result counts. */
export function decodeMemberAttributes(reader: ProtobufReader): MemberAttributes {
  let memberId = 0n
  let name = ''
  const clientUrls: string[] = []
  while (reader.next()) {
    switch (reader.tag) {
      case varintTag(1):
        memberId = reader.uint64()
        break
      case bytesTag(2):
        reader.bytes()
        name = reader.text()
        break
      case bytesTag(3):
        reader.bytes()
        clientUrls.push(reader.text())
        break
      default:
        reader.skip()
    }
  }
  return { memberId, name, clientUrls }
}

/** The attributes by member, in order of id, so that every node lists and hashes them alike. */
export class MemberDirectory {
  private members: readonly MemberAttributes[] = []

  list(): readonly MemberAttributes[] {
    return this.members
  }

  get(memberId: bigint): MemberAttributes | undefined {
    return this.members.find((member) => member.memberId === memberId)
  }

  set(attributes: MemberAttributes): void {
    const others = this.members.filter((member) => member.memberId !== attributes.memberId)
    this.members = [...others, attributes].sort((a, b) => (a.memberId < b.memberId ? -1 : 1))
  }

  /** The same bytes on every node. */
  encode(): Uint8Array {
    const writer = new ProtobufWriter()
    for (const member of this.members) writer.presentBytes(1, encodeMemberAttributes(member))
    return writer.finish()
  }

  /** Takes in what `encode` gave. False when it is damaged. */
  decode(bytes: Uint8Array): boolean {
    const reader = new ProtobufReader(bytes)
    while (reader.next()) {
      if (reader.tag !== bytesTag(1)) {
        reader.skip()
        continue
      }
      reader.bytes()
      const member = new ProtobufReader(bytes, reader.start, reader.stop)
      const attributes = decodeMemberAttributes(member)
      if (member.malformed) return false
      this.set(attributes)
    }
    return !reader.malformed
  }
}
