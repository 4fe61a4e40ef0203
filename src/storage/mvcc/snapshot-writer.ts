import { crc32c } from '../../base/index.ts'
import { varintLength, writeVarint } from './record-codec.ts'
import {
  checksumSeed,
  countsPayloadBytes,
  frameEnd,
  frameHeader,
  frameHeaderBytes,
  frameRecords,
  imageMagic,
  imagePreambleBytes,
  imageVersion,
} from './snapshot-format.ts'
import type { StoreSnapshot } from './store.ts'
import type { StoreState } from './store-state.ts'

/**
 * Writes the image of a store as it was when the snapshot was taken, a chunk at a time.
 *
 * - I1  Records after `last` are newer than the snapshot. Those up to it stay where they are while it is pinned.
 * - I2  Whether a record is kept is judged by the compacted revision of the snapshot's moment.
 *
 * Worked example: see `snapshot-format.ts`.
 */

/** Records looked at for one chunk: some may not be kept, and a chunk must not take long for them. */
const visitsPerChunkMax = 8192
const chunkBytesMin = 1024

export class SnapshotWriter implements StoreSnapshot {
  readonly revision: number
  readonly compactedRevision: number
  private readonly state: StoreState
  private readonly liveKeys: number
  /** The last record of the image, or -1. */
  private readonly last: number
  /** The next record to write; -1 after the last. */
  private slot: number
  private records = 0
  private checksum = checksumSeed
  private stage: 'preamble' | 'records' | 'done' = 'preamble'
  private open = true

  constructor(state: StoreState) {
    this.state = state
    this.revision = state.revision
    this.compactedRevision = state.compactedRevision
    this.liveKeys = state.keys.liveCount
    this.slot = state.table.first
    this.last = state.table.last
    state.pins++
  }

  next(chunkBytes: number): Uint8Array | undefined {
    if (!this.open || this.stage === 'done') return undefined
    if (this.stage === 'preamble') {
      this.stage = 'records'
      return this.preamble()
    }
    if (this.slot >= 0) return this.recordsFrame(Math.max(chunkBytes, chunkBytesMin))
    this.stage = 'done'
    const end = Buffer.alloc(frameHeaderBytes + countsPayloadBytes)
    end.writeBigUInt64LE(BigInt(this.records), frameHeaderBytes)
    end.writeBigUInt64LE(BigInt(this.liveKeys), frameHeaderBytes + 8)
    return this.seal(end, frameEnd)
  }

  close(): void {
    if (!this.open) return
    this.open = false
    this.state.pins--
  }

  private preamble(): Uint8Array {
    const bytes = Buffer.alloc(imagePreambleBytes + frameHeaderBytes + countsPayloadBytes)
    imageMagic.copy(bytes, 0)
    bytes.writeUInt32LE(imageVersion, imageMagic.length)
    const frame = bytes.subarray(imagePreambleBytes)
    frame.writeBigUInt64LE(BigInt(this.revision), frameHeaderBytes)
    frame.writeBigUInt64LE(BigInt(this.compactedRevision), frameHeaderBytes + 8)
    this.seal(frame, frameHeader)
    return bytes
  }

  private recordsFrame(chunkBytes: number): Uint8Array {
    const { table, arena } = this.state
    let frame = Buffer.allocUnsafeSlow(chunkBytes)
    let used = frameHeaderBytes
    for (let visits = 0; this.slot >= 0 && visits < visitsPerChunkMax; visits++) {
      const slot = this.slot
      if (this.state.isKept(slot, this.compactedRevision)) {
        const length = table.length(slot)
        const stored = length + varintLength(this.state.sub(slot))
        const needed = varintLength(length) + stored
        if (used + needed > frame.length) {
          if (used > frameHeaderBytes) break
          frame = Buffer.allocUnsafeSlow(frameHeaderBytes + needed)
        }
        used = writeVarint(frame, used, length)
        const start = table.offset(slot)
        used += arena.bytes(table.chunk(slot)).copy(frame, used, start, start + stored)
        this.records++
      }
      this.slot = slot === this.last ? -1 : table.after(slot)
    }
    return this.seal(frame.subarray(0, used), frameRecords)
  }

  private seal(frame: Buffer, kind: number): Buffer {
    frame[8] = kind
    this.checksum = crc32c(frame.subarray(8), this.checksum)
    frame.writeUInt32LE(frame.length - frameHeaderBytes, 0)
    frame.writeUInt32LE(this.checksum, 4)
    return frame
  }
}
