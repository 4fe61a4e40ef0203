/**
 * Names, sizes and integer encodings that the files of the log share. All integers are little-endian.
 */

/** The newest format this code reads and the one it writes. */
export const formatVersion = 1

/**
 * Frames begin at multiples of this. A disk replaces a sector as a whole, so a power cut in the middle of one frame
 * cannot touch the bytes of the frame before it.
 */
export const sectorBytes = 512

/** Where the first frame begins: the segment header has a page for itself. */
export const segmentHeaderBytes = 4096

export const defaultSegmentBytes = 64 * 1024 * 1024

/** A frame takes no further record once it is this long. */
export const frameBytesMax = 4 * 1024 * 1024

/** Default bound on what may wait for the disk. */
export const defaultQueuedBytesMax = 256 * 1024 * 1024

/** Bytes read from a file at a time. Recovered payloads are views into such a window. */
export const readWindowBytes = 4 * 1024 * 1024

/** Bytes of zeros written and synced at a time when a segment is prepared. */
export const zeroChunkBytes = 256 * 1024

const segmentNamePattern = /^(\d{16})\.wal$/

/** The file name of segment `number`: sixteen digits, so that names sort as numbers do. */
export function segmentName(number: number): string {
  return `${String(number).padStart(16, '0')}.wal`
}

/** The number in a segment's file name; undefined for any other name. */
export function segmentNumber(name: string): number | undefined {
  const digits = segmentNamePattern.exec(name)?.[1]
  if (digits === undefined) return undefined
  const number = Number(digits)
  return Number.isSafeInteger(number) && number > 0 ? number : undefined
}

/** `position` rounded up to the next frame boundary. */
export function alignUp(position: number): number {
  return Math.ceil(position / sectorBytes) * sectorBytes
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** Writes a whole number from 0 to 2^53 - 1 as 64 bits. */
export function setUint53(view: DataView, offset: number, value: number): void {
  view.setUint32(offset, value >>> 0, true)
  view.setUint32(offset + 4, (value / 0x1_0000_0000) >>> 0, true)
}

/** Reads 64 bits; NaN when the value is above 2^53 - 1. */
export function getUint53(view: DataView, offset: number): number {
  const high = view.getUint32(offset + 4, true)
  return high > 0x1f_ffff ? Number.NaN : high * 0x1_0000_0000 + view.getUint32(offset, true)
}
