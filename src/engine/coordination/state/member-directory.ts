/**
 * The declared members: who belongs to the cluster, where the others reach it, and what it says of itself. MemberList
 * shows them; the consensus group's configuration follows them.
 *
 * - I1  Members are in ascending order of id, each id once, so that every node lists and hashes them alike.
 * - I2  An id is a member, or removed, or neither; a removed id never becomes a member again.
 *
 * As carried in a snapshot (section 6 of the image) and hashed:
 *
 *     directory = member:bytes=1* removed:uint64=2*       both ascending; for `member` see codec/member-change.ts
 */
import { bytesTag, ProtobufReader, ProtobufWriter, varintTag } from '../../../base/index.ts'
import { decodeMember, decodeMemberAttributes, encodeMember } from '../codec/index.ts'
import type { Member, MemberAttributes } from '../messages.ts'

export class MemberDirectory {
  private members: readonly Member[]
  private removed: ReadonlySet<bigint>

  constructor(members: readonly Member[], removed: Iterable<bigint> = []) {
    this.members = members.toSorted(byId)
    this.removed = new Set([...removed].sort(ascending))
  }

  list(): readonly Member[] {
    return this.members
  }

  get(id: bigint): Member | undefined {
    return this.members.find((member) => member.id === id)
  }

  isRemoved(id: bigint): boolean {
    return this.removed.has(id)
  }

  removedIds(): ReadonlySet<bigint> {
    return this.removed
  }

  /** Adds a member, or puts another version of it in its place. */
  set(member: Member): void {
    this.members = [...this.members.filter(({ id }) => id !== member.id), member].sort(byId)
  }

  /** Takes the member out, for good. */
  remove(id: bigint): void {
    this.members = this.members.filter((member) => member.id !== id)
    this.removed = new Set([...this.removed, id].sort(ascending))
  }

  /** Takes in what a member says of itself. False when it is not a member. */
  publish({ memberId, name, clientUrls }: MemberAttributes): boolean {
    const member = this.get(memberId)
    if (member !== undefined) this.set({ ...member, name, clientUrls })
    return member !== undefined
  }

  /** The same bytes on every node. */
  encode(): Uint8Array {
    const writer = new ProtobufWriter()
    for (const member of this.members) writer.presentBytes(1, encodeMember(member))
    for (const id of this.removed) writer.int64(2, id)
    return writer.finish()
  }

  /** What `encode` gave; undefined when it is damaged. */
  static decode(bytes: Uint8Array): MemberDirectory | undefined {
    const reader = new ProtobufReader(bytes)
    const members: Member[] = []
    const removed: bigint[] = []
    let damaged = false
    while (reader.next()) {
      if (reader.tag === bytesTag(1)) {
        reader.bytes()
        const inner = new ProtobufReader(bytes, reader.start, reader.stop)
        members.push(decodeMember(inner))
        damaged ||= inner.malformed
      } else if (reader.tag === varintTag(2)) removed.push(reader.uint64())
      else reader.skip()
    }
    return damaged || reader.malformed ? undefined : new MemberDirectory(members, removed)
  }

  /** Takes in what images of format 1 have instead of a directory: `attributes:bytes=1*`. False when it is damaged. */
  publishAll(bytes: Uint8Array): boolean {
    const reader = new ProtobufReader(bytes)
    while (reader.next()) {
      if (reader.tag !== bytesTag(1)) {
        reader.skip()
        continue
      }
      reader.bytes()
      const inner = new ProtobufReader(bytes, reader.start, reader.stop)
      const attributes = decodeMemberAttributes(inner)
      if (inner.malformed) return false
      this.publish(attributes)
    }
    return !reader.malformed
  }
}

function byId(a: Member, b: Member): number {
  return ascending(a.id, b.id)
}

function ascending(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0
}
