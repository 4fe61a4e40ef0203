import { asBuffer, crc32c } from '../../base/index.ts'
import type { MemberId, SnapshotMeta } from '../../core/index.ts'
import { damaged, SnapshotError } from './errors.ts'

/**
 * A snapshot file, little-endian:
 *
 * ```
 * header
 *   0  8 bytes  "SYNODSNP"
 *   8  u32      format version
 *  12  u32      CRC-32C of bytes 0..12, then 16..header length
 *  16  u32      header length
 *  20  u32      group
 *  24  u64      cluster id of the node that wrote the file
 *  32  u64      its member id
 *  40  u64      index
 *  48  u64      term
 *  56  u32 x 3  number of voters, outgoing voters, learners
 *  68  u64 ...  their ids, in that order
 * chunk, any number
 *   0  u32      CRC-32C of bytes 4..12 + length, started from the CRC of the chunk before (first: of the header)
 *   4  u32      1
 *   8  u32      length
 *  12  bytes
 * end
 *   0  u32      CRC-32C, likewise chained, so that it vouches for every byte before it and their order
 *   4  u32      2
 *   8  u32      16
 *  12  u64      number of chunks
 *  20  u64      their bytes together
 * ```
 *
 * Magic, version, CRC and header length keep their place in every later version.
 *
 * Worked example: index 100, term 7, one voter, one chunk "abc": header 76 bytes, chunk 15 bytes at 76, end 28 bytes at 91;
 * the file has 119 bytes. A file of 91 bytes, whose end is missing, is damaged, although each chunk in it is intact.
 */
export const snapshotFormatVersion = 1

/** The largest chunk, so that a reader's memory is bounded. */
export const snapshotChunkBytesMax = 64 * 1024 * 1024

/** The bytes of a header that say how long it is. */
export const headerPrefixBytes = 20
export const chunkHeaderBytes = 12
export const endBytes = 28

/** A header past this is damage: 128 thousand members. */
const headerBytesMax = 1024 * 1024
const fixedHeaderBytes = 68
const magic = 'SYNODSNP'
const chunkType = { data: 1, end: 2 } as const

/** Whose snapshot: a file of another member, cluster or group is refused. */
export interface SnapshotOwner {
  readonly clusterId: bigint
  readonly memberId: MemberId
  readonly group: number
}

export function encodeHeader(owner: SnapshotOwner, meta: SnapshotMeta): { bytes: Uint8Array; crc: number } {
  const { voters, outgoing, learners } = meta.configuration
  const members = [...voters, ...outgoing, ...learners]
  const bytes = Buffer.alloc(fixedHeaderBytes + members.length * 8)
  bytes.latin1Write(magic, 0, 8)
  bytes.writeUInt32LE(snapshotFormatVersion, 8)
  bytes.writeUInt32LE(bytes.length, 16)
  bytes.writeUInt32LE(owner.group, 20)
  bytes.writeBigUInt64LE(owner.clusterId, 24)
  bytes.writeBigUInt64LE(owner.memberId, 32)
  bytes.writeBigUInt64LE(BigInt(meta.index), 40)
  bytes.writeBigUInt64LE(BigInt(meta.term), 48)
  for (const [i, list] of [voters, outgoing, learners].entries()) bytes.writeUInt32LE(list.length, 56 + i * 4)
  for (const [i, member] of members.entries()) bytes.writeBigUInt64LE(member, fixedHeaderBytes + i * 8)
  const crc = headerCrc(bytes)
  bytes.writeUInt32LE(crc, 12)
  return { bytes, crc }
}

/** The length that a header claims. `prefix` holds at least its first 20 bytes. */
export function claimedHeaderLength(prefix: Uint8Array, path: string): number {
  if (prefix.length < headerPrefixBytes) throw damaged(path, `it has only ${prefix.length} bytes`)
  const bytes = asBuffer(prefix)
  if (bytes.latin1Slice(0, 8) !== magic) throw damaged(path, 'it does not begin as a snapshot does')
  const length = bytes.readUInt32LE(16)
  if (length < headerPrefixBytes || length > headerBytesMax) throw damaged(path, 'its header is')
  return length
}

export function decodeHeader(
  header: Uint8Array,
  path: string,
  owner: SnapshotOwner,
): { readonly meta: SnapshotMeta; readonly crc: number } {
  const bytes = asBuffer(header)
  const crc = bytes.readUInt32LE(12)
  if (bytes.readUInt32LE(16) !== bytes.length || crc !== headerCrc(bytes)) throw damaged(path, 'its header is')
  const version = bytes.readUInt32LE(8)
  if (version > snapshotFormatVersion) {
    throw new SnapshotError(
      'UNSUPPORTED_VERSION',
      `${path} has format version ${version}; this Synod knows up to ${snapshotFormatVersion}. Start the newer Synod that wrote it.`,
    )
  }
  const counts = [56, 60, 64].map((offset) => bytes.readUInt32LE(offset))
  const [voters = 0, outgoing = 0, learners = 0] = counts
  if (bytes.length !== fixedHeaderBytes + (voters + outgoing + learners) * 8) throw damaged(path, 'its header is')
  checkOwner(path, owner, bytes.readUInt32LE(20), bytes.readBigUInt64LE(24), bytes.readBigUInt64LE(32))
  const members: MemberId[] = []
  for (let at = fixedHeaderBytes; at < bytes.length; at += 8) members.push(bytes.readBigUInt64LE(at))
  const meta: SnapshotMeta = {
    index: Number(bytes.readBigUInt64LE(40)),
    term: Number(bytes.readBigUInt64LE(48)),
    configuration: {
      voters: members.slice(0, voters),
      outgoing: members.slice(voters, voters + outgoing),
      learners: members.slice(voters + outgoing),
    },
  }
  return { meta, crc }
}

/** The twelve bytes before a chunk, and its CRC, which the next one starts from. */
export function encodeChunkHeader(chunk: Uint8Array, previousCrc: number): { bytes: Uint8Array; crc: number } {
  return encodeFrame(chunkType.data, chunk, previousCrc)
}

export function encodeEnd(chunks: number, payloadBytes: number, previousCrc: number): Uint8Array {
  const body = Buffer.alloc(16)
  body.writeBigUInt64LE(BigInt(chunks), 0)
  body.writeBigUInt64LE(BigInt(payloadBytes), 8)
  return Buffer.concat([encodeFrame(chunkType.end, body, previousCrc).bytes, body])
}

/** What the twelve bytes before a chunk say; undefined when they cannot be such. */
export function decodeChunkHeader(
  header: Uint8Array,
): { readonly isEnd: boolean; readonly length: number; readonly crc: number } | undefined {
  if (header.length < chunkHeaderBytes) return undefined
  const bytes = asBuffer(header)
  const type = bytes.readUInt32LE(4)
  const length = bytes.readUInt32LE(8)
  const isEnd = type === chunkType.end
  if (isEnd ? length !== 16 : type !== chunkType.data || length > snapshotChunkBytesMax) return undefined
  return { isEnd, length, crc: bytes.readUInt32LE(0) }
}

/** Whether header and body belong together and follow what had `previousCrc`. */
export function chunkIntact(header: Uint8Array, body: Uint8Array, crc: number, previousCrc: number): boolean {
  return crc32c(body, crc32c(header.subarray(4, chunkHeaderBytes), previousCrc)) === crc
}

export function decodeEnd(body: Uint8Array): { readonly chunks: number; readonly payloadBytes: number } {
  const bytes = asBuffer(body)
  return { chunks: Number(bytes.readBigUInt64LE(0)), payloadBytes: Number(bytes.readBigUInt64LE(8)) }
}

function encodeFrame(type: number, body: Uint8Array, previousCrc: number): { bytes: Uint8Array; crc: number } {
  const bytes = Buffer.alloc(chunkHeaderBytes)
  bytes.writeUInt32LE(type, 4)
  bytes.writeUInt32LE(body.length, 8)
  const crc = crc32c(body, crc32c(bytes.subarray(4), previousCrc))
  bytes.writeUInt32LE(crc, 0)
  return { bytes, crc }
}

function checkOwner(path: string, owner: SnapshotOwner, group: number, clusterId: bigint, memberId: bigint): void {
  if (group === owner.group && clusterId === owner.clusterId && memberId === owner.memberId) return
  throw new SnapshotError(
    'FOREIGN',
    `${path} belongs to group ${group} of member ${memberId.toString(16)} in cluster ${clusterId.toString(16)}, but this ` +
      `is group ${owner.group} of member ${owner.memberId.toString(16)} in cluster ${owner.clusterId.toString(16)}. ` +
      'Point the node at its own data directory.',
  )
}

function headerCrc(bytes: Uint8Array): number {
  return crc32c(bytes.subarray(16), crc32c(bytes.subarray(0, 12)))
}
