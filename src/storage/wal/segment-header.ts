import { asBuffer, crc32c } from '../../base/index.ts'
import { corrupt, foreign, unsupportedVersion } from './errors.ts'
import { formatVersion, getUint53, segmentHeaderBytes, setUint53, viewOf } from './layout.ts'
import type { NodeTag } from './types.ts'

/**
 * The first page of a segment file:
 *
 * ```
 *    0  8 bytes  "SYNODWAL"
 *    8  u32      format version
 *   12  u32      CRC-32C of bytes 0..12, then 16..4096
 *   16  u64      segment number, from 1
 *   24  u64      cluster id
 *   32  u64      member id
 *   40  8 bytes  salt: random, new for every segment; its CRC-32C seeds the CRC of every frame in the file
 *   48  u64      size of the file in bytes
 *   56  zeros    to 4096
 * ```
 *
 * Magic, version and CRC keep their place and meaning in every later version, so that a damaged version field is told
 * from a newer one.
 */
export interface SegmentHeader {
  readonly number: number
  readonly tag: NodeTag
  readonly salt: Uint8Array
  readonly sizeBytes: number
}

const magic = Buffer.from('SYNODWAL', 'latin1')

export function encodeSegmentHeader(header: SegmentHeader): Uint8Array {
  const bytes = Buffer.alloc(segmentHeaderBytes)
  const view = viewOf(bytes)
  bytes.set(magic, 0)
  view.setUint32(8, formatVersion, true)
  setUint53(view, 16, header.number)
  view.setBigUint64(24, header.tag.clusterId, true)
  view.setBigUint64(32, header.tag.memberId, true)
  bytes.set(header.salt, 40)
  setUint53(view, 48, header.sizeBytes)
  view.setUint32(12, headerCrc(bytes), true)
  return bytes
}

/** Decodes and checks the header of the file at `path`, which must be segment `number` of the node `tag`. */
export function decodeSegmentHeader(
  bytes: Uint8Array,
  path: string,
  number: number,
  fileBytes: number,
  tag: NodeTag,
): SegmentHeader {
  if (fileBytes === 0) throw corrupt(`${path} is empty (0 bytes), though it had been written and synced`)
  if (bytes.length < segmentHeaderBytes) {
    throw corrupt(`${path} was cut off inside its header, at ${fileBytes} bytes`)
  }
  const view = viewOf(bytes)
  if (asBuffer(bytes).compare(magic, 0, 8, 0, 8) !== 0) throw corrupt(`${path} does not begin as a log segment does`)
  if (view.getUint32(12, true) !== headerCrc(bytes)) throw corrupt(`The header of ${path} is damaged`)
  const version = view.getUint32(8, true)
  if (version > formatVersion) throw unsupportedVersion(path, version, formatVersion)
  const header: SegmentHeader = {
    number: getUint53(view, 16),
    tag: { clusterId: view.getBigUint64(24, true), memberId: view.getBigUint64(32, true) },
    salt: bytes.slice(40, 48),
    sizeBytes: getUint53(view, 48),
  }
  checkTag(path, header.tag, tag)
  if (header.number !== number) throw corrupt(`${path} holds segment ${header.number}, not ${number}`)
  if (header.sizeBytes !== fileBytes) {
    throw corrupt(`${path} was cut off: it has ${fileBytes} of ${header.sizeBytes} bytes`)
  }
  return header
}

/** Throws `FOREIGN` unless `found` is `expected`. */
export function checkTag(path: string, found: NodeTag, expected: NodeTag): void {
  if (found.clusterId === expected.clusterId && found.memberId === expected.memberId) return
  throw foreign(path, describeTag(found), describeTag(expected))
}

/** What the CRC of each frame in the segment starts from. */
export function frameCrcSeed(header: SegmentHeader): number {
  return crc32c(header.salt)
}

function describeTag(tag: NodeTag): string {
  return `member ${tag.memberId.toString(16)} of cluster ${tag.clusterId.toString(16)}`
}

function headerCrc(bytes: Uint8Array): number {
  return crc32c(bytes.subarray(16, segmentHeaderBytes), crc32c(bytes.subarray(0, 12)))
}
