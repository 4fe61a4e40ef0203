import { crc32c } from '../../base/index.ts'
import { getUint53, setUint53 } from './layout.ts'

/**
 * A frame is one batch: what one write and one sync made durable, for all groups of the node.
 *
 * ```
 *   0  u32  CRC-32C of bytes 4..length, started from the segment's seed
 *   4  u32  marker "SFRM"
 *   8  u32  length of the frame in bytes, from byte 0 to its last record
 *  12  u32  number of records; 0 in a seal
 *  16  u64  sequence: one more than the frame before it, over the whole log
 *  24  u64  synced segment   } everything before this position had been
 *  32  u64  synced offset    } synced when the frame was written
 *  40  records
 *      zeros to the next multiple of 512
 * ```
 *
 * No frame is written before the sync of the one before it returned. So the synced position is the frame's own position,
 * and for the first frame of a segment the end of the segment before (0, 0 in segment 1). A **seal** is a frame without
 * records; its only purpose is to prove that the frame before it had been synced.
 *
 * Worked example: segment 1, one entry of 5 bytes at index 7 in term 2 of group 1, then another at index 8:
 *
 * ```
 *   4096  crc "SFRM" length=73 records=1 sequence=1 synced=(0, 0)
 *   4136    append command length=5 group=1 term=2 index=7 "hello"      4169  zeros
 *   4608  crc "SFRM" length=73 records=1 sequence=2 synced=(1, 4608)
 *   4648    append command length=5 group=1 term=2 index=8 "world"      4681  zeros to the end of the file
 * ```
 *
 * If byte 4150 rots, recovery finds a bad CRC at 4096, searches on, and
 * finds the intact frame at 4608 that says "before 4608 all was synced": corruption. If a byte of the second frame is
 * bad, nothing after it vouches for it: a torn tail, cut back to 4608.
 */
export const frameHeaderBytes = 40

const marker = 0x4d52_4653

export interface FrameHeader {
  readonly length: number
  readonly recordCount: number
  readonly sequence: number
  readonly syncedSegment: number
  readonly syncedOffset: number
}

/** Writes the header over the first 40 bytes of a frame whose records are in place, and its CRC last. */
export function sealFrame(bytes: Uint8Array, view: DataView, header: FrameHeader, crcSeed: number): void {
  view.setUint32(4, marker, true)
  view.setUint32(8, header.length, true)
  view.setUint32(12, header.recordCount, true)
  setUint53(view, 16, header.sequence)
  setUint53(view, 24, header.syncedSegment)
  setUint53(view, 32, header.syncedOffset)
  view.setUint32(0, crc32c(bytes.subarray(4, header.length), crcSeed), true)
}

/**
 * The length that the frame at `offset` claims, or 0 when there is no frame: no marker, or a length that cannot be.
 * Needs 40 bytes.
 */
export function claimedLength(view: DataView, offset: number, lengthMax: number): number {
  if (view.getUint32(offset + 4, true) !== marker) return 0
  const length = view.getUint32(offset + 8, true)
  return length >= frameHeaderBytes && length <= lengthMax ? length : 0
}

/** Whether the CRC of the frame of `length` bytes at `offset` is right. */
export function frameIntact(
  bytes: Uint8Array,
  view: DataView,
  offset: number,
  length: number,
  crcSeed: number,
): boolean {
  return crc32c(bytes.subarray(offset + 4, offset + length), crcSeed) === view.getUint32(offset, true)
}

/** Reads the header of an intact frame. */
export function readFrameHeader(view: DataView, offset: number): FrameHeader {
  return {
    length: view.getUint32(offset + 8, true),
    recordCount: view.getUint32(offset + 12, true),
    sequence: getUint53(view, offset + 16),
    syncedSegment: getUint53(view, offset + 24),
    syncedOffset: getUint53(view, offset + 32),
  }
}
