import { PieceGatherer } from '../../base/index.ts'
import type { FrameWriter } from './frame-writer.ts'

/** Body bytes of one stream that wait for window: chunks as the application gave them, sent in frames of any size. */
export class BodyQueue {
  bytes = 0
  private chunks: Uint8Array[] = []
  private gatherer: PieceGatherer | undefined = undefined
  /** The first chunk not wholly sent, and how much of it is. */
  private head = 0
  private headOffset = 0

  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return
    if (this.chunks.length === 0) this.chunks.push(chunk)
    else {
      this.gatherer ??= new PieceGatherer()
      this.gatherer.append(this.chunks, chunk)
    }
    this.bytes += chunk.length
  }

  /** Moves the first `byteLength` bytes into `writer`, which has room for them. */
  moveTo(writer: FrameWriter, byteLength: number): void {
    this.bytes -= byteLength
    let left = byteLength
    while (left > 0) {
      const chunk = this.chunks[this.head]!
      const available = chunk.length - this.headOffset
      if (available > left) {
        writer.bytes(chunk.subarray(this.headOffset, this.headOffset + left))
        this.headOffset += left
        return
      }
      writer.bytes(this.headOffset === 0 ? chunk : chunk.subarray(this.headOffset))
      left -= available
      this.dropHead()
    }
  }

  private dropHead(): void {
    this.head++
    this.headOffset = 0
    if (this.head === this.chunks.length) {
      this.chunks = []
      this.head = 0
    } else if (this.head >= 64) {
      this.chunks.splice(0, this.head)
      this.head = 0
    }
  }
}
