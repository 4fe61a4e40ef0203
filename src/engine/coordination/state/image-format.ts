/**
 * The image of the coordination state:
 *
 *     image      = "SYNODKV" version:u8 section* end
 *     section    = kind:u8 length:u32 bytes
 *     kind       = 1 bookkeeping | 2 a piece of the store's image | 3 a piece of the lease table's image | 4 alarms | 6 members
 *     end        = 0:u8 0:u32
 *     bookkeeping = appliedIndex:u64 appliedTerm:u64
 *     members    = see member-directory.ts
 *     alarms     = count:u32 (memberId:u64 alarm:i32)*
 *
 * Version 2. In version 1, section 5 (what each member published of itself) stands where 6 stands now: the members were
 * the founders, always, and are taken from the settings. Version 1 is still read.
 *
 * Little-endian. Sections of kinds 2 and 3 are pieces of one stream each, in order; the others come once. Checksums are
 * the snapshot file's business.
 *
 * Worked example, the beginning of an image at index 5 of term 2:
 *
 *     53 59 4e 4f 44 4b 56 02   01 10 00 00 00   05 00 00 00 00 00 00 00   02 00 00 00 00 00 00 00
 */
import { concatBytes } from '../../../base/index.ts'
import { type CommandPosition, RestoreError } from '../../replication/index.ts'
import type { Alarm } from '../messages.ts'

const magic = [0x53, 0x59, 0x4e, 0x4f, 0x44, 0x4b, 0x56] as const
export const imageHead: Uint8Array = Uint8Array.of(...magic, 2)
export const imageHeadOfVersion1: Uint8Array = Uint8Array.of(...magic, 1)
export const sectionHeadLength = 5

export const sections = { end: 0, bookkeeping: 1, store: 2, leases: 3, alarms: 4, attributes: 5, members: 6 } as const

const alarmLength = 12

/** Frames a section. */
export function encodeSection(kind: number, bytes: Uint8Array): Uint8Array {
  const head = Buffer.allocUnsafe(sectionHeadLength)
  head.writeUInt8(kind, 0)
  head.writeUInt32LE(bytes.length, 1)
  return concatBytes([head, bytes])
}

export function encodeBookkeeping(applied: CommandPosition): Uint8Array {
  const bytes = Buffer.allocUnsafe(16)
  bytes.writeBigUInt64LE(BigInt(applied.index), 0)
  bytes.writeBigUInt64LE(BigInt(applied.term), 8)
  return bytes
}

export function decodeBookkeeping(bytes: Buffer): CommandPosition {
  if (bytes.length < 16) throw new RestoreError('coordination image: bookkeeping is cut short')
  return { index: Number(bytes.readBigUInt64LE(0)), term: Number(bytes.readBigUInt64LE(8)) }
}

export function encodeAlarms(alarms: readonly Alarm[]): Uint8Array {
  const bytes = Buffer.allocUnsafe(4 + alarms.length * alarmLength)
  bytes.writeUInt32LE(alarms.length, 0)
  let offset = 4
  for (const { memberId, alarm } of alarms) {
    bytes.writeBigUInt64LE(memberId, offset)
    offset = bytes.writeInt32LE(alarm, offset + 8)
  }
  return bytes
}

export function decodeAlarms(bytes: Buffer): readonly Alarm[] {
  const count = bytes.length < 4 ? -1 : bytes.readUInt32LE(0)
  if (bytes.length !== 4 + count * alarmLength) throw new RestoreError('coordination image: alarms have a wrong length')
  const alarms: Alarm[] = []
  for (let offset = 4; offset < bytes.length; offset += alarmLength) {
    alarms.push({ memberId: bytes.readBigUInt64LE(offset), alarm: bytes.readInt32LE(offset + 8) })
  }
  return alarms
}
