/**
 * ```
 * meta   = index:f64 term:f64 set set set      voters, outgoing, learners
 * set    = count:u16 member:u64*
 * ```
 */
import { asBuffer } from '../../base/index.ts'
import type { MemberId, SnapshotMeta } from '../../core/index.ts'
import { decodeNumber, encodeNumbers } from './message-kinds.ts'

export function encodeSnapshotMeta(meta: SnapshotMeta): Uint8Array[] {
  const pieces = [encodeNumbers(meta.index, meta.term)]
  for (const set of [meta.configuration.voters, meta.configuration.outgoing, meta.configuration.learners]) {
    const bytes = Buffer.allocUnsafe(2 + set.length * 8)
    bytes.writeUInt16LE(set.length, 0)
    for (const [i, member] of set.entries()) bytes.writeBigUInt64LE(member, 2 + i * 8)
    pieces.push(bytes)
  }
  return pieces
}

/** Undefined when malformed. */
export function decodeSnapshotMeta(bytes: Uint8Array): SnapshotMeta | undefined {
  const buffer = asBuffer(bytes)
  const index = decodeNumber(buffer, 0)
  const term = decodeNumber(buffer, 8)
  if (index < 1 || term < 0) return undefined
  let offset = 16
  const sets: MemberId[][] = []
  for (let i = 0; i < 3; i++) {
    if (offset + 2 > buffer.length) return undefined
    const count = buffer.readUInt16LE(offset)
    offset += 2
    if (offset + count * 8 > buffer.length) return undefined
    const members: MemberId[] = []
    for (let k = 0; k < count; k++, offset += 8) members.push(buffer.readBigUInt64LE(offset))
    sets.push(members)
  }
  const [voters, outgoing, learners] = sets as [MemberId[], MemberId[], MemberId[]]
  return voters.length === 0 ? undefined : { index, term, configuration: { voters, outgoing, learners } }
}
