import { assert, assertDefined } from '../../base/index.ts'

/**
 * Owns the bytes of records: append-only chunks, each one ArrayBuffer. Called by the store's writer, loader and
 * reclaimer.
 *
 * - I1  Bytes once written are never overwritten. A chunk without live bytes is dropped, and the garbage collector
 *       frees it when the last view on it is gone. So views need no lifetime.
 * - I2  Only the current chunk is appended to; it is never dropped.
 *
 * Worked example: chunks hold 64 KiB, 256 KiB, then 1 MiB each. Ten records of 300 bytes go to chunk 0 at 0, 300, …,
 * 2700. Releasing nine leaves chunk 0 with 300 live bytes of 65536; once it is no longer current, the reclaimer
 * copies the tenth record to the current chunk and releases it here, which drops chunk 0 and frees its number.
 */

const chunkBytesFirst = 64 * 1024
const chunkBytesMax = 1024 * 1024

export class Arena {
  /** Capacity of all chunks held. */
  sizeBytes = 0
  /** Bytes reserved and not released. */
  liveBytes = 0
  /** The chunk and offset of the last reservation. */
  chunk = -1
  offset = 0

  private readonly buffers: (Buffer | undefined)[] = []
  private readonly live: number[] = []
  private readonly freeNumbers: number[] = []
  private used = 0
  private capacity = 0
  private current: Buffer = Buffer.alloc(0)
  private currentChunk = -1

  /** The number of chunk numbers ever in use: an upper bound for walking. */
  get chunkCount(): number {
    return this.buffers.length
  }

  /** Makes room for `length` bytes; returns the chunk's memory, and leaves their place in `chunk` and `offset`. */
  reserve(length: number): Buffer {
    if (this.used + length > this.capacity) {
      if (length > chunkBytesMax / 4) return this.reserveAlone(length)
      this.openChunk(length)
    }
    this.chunk = this.currentChunk
    this.offset = this.used
    this.used += length
    this.live[this.chunk]! += length
    this.liveBytes += length
    return this.current
  }

  bytes(chunk: number): Buffer {
    return this.buffers[chunk]!
  }

  release(chunk: number, length: number): void {
    const left = assertDefined(this.live[chunk], 'a released chunk exists') - length
    assert(left >= 0, 'an arena chunk has no more released than reserved')
    this.live[chunk] = left
    this.liveBytes -= length
    if (left === 0 && chunk !== this.currentChunk) this.drop(chunk)
  }

  /** True when less than half of a chunk that takes no more records is live: worth evacuating. */
  isSparse(chunk: number): boolean {
    const buffer = this.buffers[chunk]
    return buffer !== undefined && chunk !== this.currentChunk && this.live[chunk]! * 2 < buffer.length
  }

  deadBytes(chunk: number): number {
    return this.buffers[chunk]!.length - this.live[chunk]!
  }

  /** A value too big to share a chunk gets its own, beside the current one. */
  private reserveAlone(length: number): Buffer {
    this.chunk = this.addChunk(length)
    this.offset = 0
    this.live[this.chunk] = length
    this.liveBytes += length
    return this.buffers[this.chunk]!
  }

  private openChunk(length: number): void {
    const last = this.currentChunk
    const size = Math.min(chunkBytesMax, Math.max(chunkBytesFirst, this.capacity * 4, length))
    this.currentChunk = this.addChunk(size)
    this.current = this.buffers[this.currentChunk]!
    this.capacity = size
    this.used = 0
    if (last >= 0 && this.live[last] === 0) this.drop(last)
  }

  private addChunk(size: number): number {
    const chunk = this.freeNumbers.pop() ?? this.buffers.length
    this.buffers[chunk] = Buffer.allocUnsafeSlow(size)
    this.live[chunk] = 0
    this.sizeBytes += size
    return chunk
  }

  private drop(chunk: number): void {
    this.sizeBytes -= this.buffers[chunk]!.length
    this.buffers[chunk] = undefined
    this.freeNumbers.push(chunk)
  }
}
