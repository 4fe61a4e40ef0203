import { asBuffer } from '../../base/index.ts'
import type { DiskFile } from '../../runtime/index.ts'
import { corrupt } from './errors.ts'
import { claimedLength, type FrameHeader, frameHeaderBytes, frameIntact, readFrameHeader } from './frame.ts'
import { alignUp, readWindowBytes, sectorBytes, segmentHeaderBytes, viewOf } from './layout.ts'
import { decodeRecords, type RecordSink } from './record.ts'
import { frameCrcSeed, type SegmentHeader } from './segment-header.ts'

/** Where the log stands between two frames. */
export interface LogPosition {
  /** The sequence of the next frame; 0 when not known (the segment before was released). */
  readonly sequence: number
  /** What the next frame must record as synced before it, unless the sequence is not known. */
  readonly syncedSegment: number
  readonly syncedOffset: number
}

/** What {@link scanSegment} found. */
export interface SegmentScan {
  readonly frames: number
  /** Where the next frame belongs. */
  readonly end: number
  /** Whether there was a frame, and which came last. */
  readonly lastFrame: { readonly offset: number; readonly bytes: Uint8Array; readonly sequence: number } | undefined
  /** One past the last byte that is not zero after `end`; `end` itself when all are. */
  readonly dirtyEnd: number
}

/**
 * Reads all frames of a segment in order, hands their records to `sink`, and looks through all that follows the last
 * intact one. An intact frame found there proves that a frame before it was durable and is damaged: `CORRUPT`.
 */
export async function scanSegment(
  file: DiskFile,
  header: SegmentHeader,
  from: LogPosition,
  sink: RecordSink,
): Promise<SegmentScan> {
  const seed = frameCrcSeed(header)
  const window = new Window(file, header.sizeBytes)
  let expected = from
  let end = segmentHeaderBytes
  let frames = 0
  let lastFrame: SegmentScan['lastFrame']
  for (;;) {
    const found = await window.frameAt(end, seed)
    if (found === undefined) break
    const { bytes, view, offset, frame } = found
    checkOrder(file.path, end, frame, expected, header.number)
    const place = () => `frame at byte ${end} of ${file.path}`
    const recordsStart = offset + frameHeaderBytes
    decodeRecords(bytes, view, recordsStart, offset + frame.length, frame.recordCount, sink, place)
    lastFrame = { offset: end, bytes: bytes.subarray(offset, offset + frame.length), sequence: frame.sequence }
    frames++
    end = alignUp(end + frame.length)
    expected = { sequence: frame.sequence + 1, syncedSegment: header.number, syncedOffset: end }
  }
  const dirtyEnd = await searchRest(window, end, seed)
  return { frames, end, lastFrame, dirtyEnd }
}

/** An intact frame in the wrong place or order means that frames before it are gone. */
function checkOrder(path: string, at: number, frame: FrameHeader, expected: LogPosition, segment: number): void {
  const where = `The frame at byte ${at} of ${path}`
  if (expected.sequence === 0) {
    if (frame.syncedSegment < segment && frame.sequence >= 1) return
    throw corrupt(`${where} is not the first of its segment`)
  }
  if (frame.syncedSegment !== expected.syncedSegment || frame.syncedOffset !== expected.syncedOffset) {
    throw corrupt(
      `${where} was written after byte ${frame.syncedOffset} of segment ${frame.syncedSegment} had been synced, but ` +
        `intact frames end at byte ${expected.syncedOffset} of segment ${expected.syncedSegment}`,
    )
  }
  if (frame.sequence !== expected.sequence) {
    throw corrupt(`${where} has sequence ${frame.sequence} where ${expected.sequence} is due`)
  }
}

/** Returns one past the last byte after `end` that is not zero, or throws when an intact frame is there. */
async function searchRest(window: Window, end: number, seed: number): Promise<number> {
  let dirtyEnd = end
  for (let at = end; at < window.sizeBytes; ) {
    const bytes = await window.load(at, readWindowBytes)
    const view = viewOf(bytes)
    const used = lastNonZero(bytes) + 1
    if (used > 0) dirtyEnd = at + used
    for (let offset = 0; offset < used && offset + frameHeaderBytes <= bytes.length; offset += sectorBytes) {
      if (claimedLength(view, offset, window.sizeBytes) === 0) continue
      // Only the first frame of a segment records another position than its own: spares the CRC of look-alikes.
      if (readFrameHeader(view, offset).syncedOffset !== at + offset) continue
      const found = await window.frameAt(at + offset, seed)
      if (found === undefined) continue
      throw corrupt(
        `${window.path} is damaged at byte ${end}: the intact frame at byte ${at + offset} was written after ` +
          `everything before it had been synced`,
      )
    }
    at += bytes.length
  }
  return dirtyEnd
}

const zeros = Buffer.alloc(readWindowBytes)

/** The index of the last byte that is not zero; -1 when there is none. */
function lastNonZero(bytes: Uint8Array): number {
  let high = bytes.length
  // Halve while the upper half is zero; comparing is native and fast.
  for (let size = high; size >= sectorBytes && high > 0; ) {
    const start = Math.max(0, high - size)
    if (asBuffer(bytes).compare(zeros, 0, high - start, start, high) === 0) high = start
    else size = Math.floor(size / 2)
  }
  while (high > 0 && bytes[high - 1] === 0) high--
  return high - 1
}

interface FoundFrame {
  readonly bytes: Uint8Array
  readonly view: DataView
  readonly offset: number
  readonly frame: FrameHeader
}

/** A part of the file in memory. */
class Window {
  readonly path: string
  readonly sizeBytes: number
  private readonly file: DiskFile
  private start = 0
  private bytes: Uint8Array = new Uint8Array(0)
  private view = viewOf(this.bytes)

  constructor(file: DiskFile, sizeBytes: number) {
    this.file = file
    this.path = file.path
    this.sizeBytes = sizeBytes
  }

  /** The intact frame at `position`, or undefined. */
  async frameAt(position: number, seed: number): Promise<FoundFrame | undefined> {
    if (position + frameHeaderBytes > this.sizeBytes) return undefined
    if (!this.holds(position, frameHeaderBytes)) await this.load(position, readWindowBytes)
    const length = claimedLength(this.view, position - this.start, this.sizeBytes - position)
    if (length === 0) return undefined
    if (!this.holds(position, length)) await this.load(position, Math.max(length, readWindowBytes))
    const { bytes, view } = this
    const offset = position - this.start
    if (!frameIntact(bytes, view, offset, length, seed)) return undefined
    return { bytes, view, offset, frame: readFrameHeader(view, offset) }
  }

  /** Reads from `position` on; fewer than `length` bytes only at the end of the file. */
  async load(position: number, length: number): Promise<Uint8Array> {
    const wanted = Math.min(length, this.sizeBytes - position)
    this.bytes = await this.file.read(position, wanted)
    if (this.bytes.length !== wanted) throw corrupt(`${this.path} ends at byte ${position + this.bytes.length}`)
    this.view = viewOf(this.bytes)
    this.start = position
    return this.bytes
  }

  private holds(position: number, length: number): boolean {
    return position >= this.start && position + length <= this.start + this.bytes.length
  }
}
