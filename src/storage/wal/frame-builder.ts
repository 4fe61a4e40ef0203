import type { Entry, HardState } from '../../core/index.ts'
import { type FrameHeader, frameHeaderBytes, sealFrame } from './frame.ts'
import { alignUp, viewOf } from './layout.ts'
import { encodeEntry, encodeRestart, type RecordType, recordHeaderBytes } from './record.ts'

/** A promise that waits for a frame. */
export interface Waiter {
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

const initialBytes = 64 * 1024
/** A buffer larger than this is given back to the heap after use. */
const keptBytesMax = 1024 * 1024

/**
 * Collects one frame: records are encoded when they are appended, while the frame before is being written, so that only
 * the header and the CRC remain to be done when the disk is free. Owned by the log's writer, which reuses builders.
 *
 * Invariants:
 * - I1  Bytes from `length` on are never written to disk but as zeros up to the sector's end.
 * - I2  Between `seal` and `reset` nothing is added: the disk reads the buffer.
 */
export class FrameBuilder {
  /** Bytes from the frame's header to its last record. */
  length = frameHeaderBytes
  recordCount = 0
  /** The newest hard state of each group that changed. Saved before the frame is written. */
  readonly hardStates = new Map<number, HardState>()
  /** The highest index of each group in this frame. */
  readonly maxima = new Map<number, number>()
  /** Who waits for this frame, in order of arrival. */
  readonly waiters: Waiter[] = []
  private bytes = Buffer.allocUnsafeSlow(initialBytes)
  private view = viewOf(this.bytes)

  addEntries(type: RecordType, group: number, entries: readonly Entry[], from: number, to: number): void {
    let max = this.maxima.get(group) ?? 0
    let offset = this.length
    for (let i = from; i < to; i++) {
      const entry = entries[i]!
      this.reserve(offset + recordHeaderBytes + entry.payload.length)
      offset = encodeEntry(this.bytes, this.view, offset, type, group, entry)
      if (entry.index > max) max = entry.index
    }
    this.length = offset
    this.recordCount += to - from
    this.maxima.set(group, max)
  }

  addRestart(group: number, index: number): void {
    this.reserve(this.length + recordHeaderBytes)
    this.length = encodeRestart(this.view, this.length, group, index)
    this.recordCount++
  }

  /** Completes the header and returns the bytes to write: whole sectors. */
  seal(position: Omit<FrameHeader, 'length' | 'recordCount'>, crcSeed: number): Uint8Array {
    const { length, recordCount } = this
    const padded = alignUp(length)
    this.reserve(padded)
    this.bytes.fill(0, length, padded)
    sealFrame(this.bytes, this.view, { ...position, length, recordCount }, crcSeed)
    return this.bytes.subarray(0, padded)
  }

  reset(): void {
    this.length = frameHeaderBytes
    this.recordCount = 0
    this.hardStates.clear()
    this.maxima.clear()
    this.waiters.length = 0
    if (this.bytes.length > keptBytesMax) this.adopt(Buffer.allocUnsafeSlow(initialBytes))
  }

  private reserve(needed: number): void {
    if (needed <= this.bytes.length) return
    const grown = Buffer.allocUnsafeSlow(Math.max(alignUp(needed), this.bytes.length * 2))
    grown.set(this.bytes, 0)
    this.adopt(grown)
  }

  private adopt(bytes: Buffer): void {
    this.bytes = bytes as typeof this.bytes
    this.view = viewOf(bytes)
  }
}
