/**
 * Cuts received bytes into frames (RFC 9113 §4.1).
 *
 *     Length (24)  Type (8)  Flags (8)  Reserved (1)  Stream Identifier (31)  Payload (Length octets)
 *
 * A frame that lies whole in a received chunk is handed on in place; one that spans chunks is first gathered in a
 * buffer of its own.
 *
 * I1. `heldBytes` bytes of the unfinished frame are at the start of `held`; 0 means that there is none.
 * I2. Payloads handed to the sink stay unchanged: the sink may keep views of them.
 */
import { asBuffer } from '../../base/index.ts'
import { frameHeaderBytes } from './protocol.ts'

export interface FrameSink {
  /** One frame, its payload being `bytes[start..end)`. Returns false to stop reading for good. */
  onFrame(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): boolean
  /** The next frame announces more than the bound. Reading stops. */
  onFrameTooLarge(type: number, streamId: number): void
}

export class FrameReader {
  private readonly sink: FrameSink
  private readonly payloadBytesMax: number
  private held: Buffer = Buffer.allocUnsafeSlow(frameHeaderBytes)
  private heldBytes = 0
  private stopped = false

  constructor(sink: FrameSink, payloadBytesMax: number) {
    this.sink = sink
    this.payloadBytesMax = payloadBytesMax
  }

  /** Whether part of a frame has arrived. */
  get isMidFrame(): boolean {
    return this.heldBytes > 0
  }

  /** Memory of the unfinished frame. */
  get bufferedBytes(): number {
    return this.heldBytes > 0 ? this.held.length : 0
  }

  stop(): void {
    this.stopped = true
  }

  push(chunk: Uint8Array): void {
    const bytes = asBuffer(chunk)
    let offset = this.heldBytes > 0 && !this.stopped ? this.finishHeld(bytes) : 0
    while (!this.stopped && bytes.length - offset >= frameHeaderBytes) {
      const start = offset + frameHeaderBytes
      const end = start + payloadLength(bytes, offset)
      if (this.refuse(bytes, offset)) return
      if (end > bytes.length) break
      this.emit(bytes, offset, end)
      offset = end
    }
    if (!this.stopped && offset < bytes.length) this.hold(bytes, offset)
  }

  /** Completes the held frame from `bytes`; returns how much of `bytes` that took. */
  private finishHeld(bytes: Buffer): number {
    let offset = 0
    if (this.heldBytes < frameHeaderBytes) {
      offset = Math.min(frameHeaderBytes - this.heldBytes, bytes.length)
      bytes.copy(this.held, this.heldBytes, 0, offset)
      this.heldBytes += offset
      if (this.heldBytes < frameHeaderBytes || this.refuse(this.held, 0)) return bytes.length
    }
    const frameBytes = frameHeaderBytes + payloadLength(this.held, 0)
    this.growHeld(frameBytes)
    const take = Math.min(frameBytes - this.heldBytes, bytes.length - offset)
    bytes.copy(this.held, this.heldBytes, offset, offset + take)
    this.heldBytes += take
    if (this.heldBytes < frameBytes) return bytes.length
    const frame = this.held
    this.heldBytes = 0
    this.held = Buffer.allocUnsafeSlow(frameHeaderBytes)
    this.emit(frame, 0, frameBytes)
    return offset + take
  }

  private hold(bytes: Buffer, offset: number): void {
    const available = bytes.length - offset
    this.growHeld(available < frameHeaderBytes ? frameHeaderBytes : frameHeaderBytes + payloadLength(bytes, offset))
    bytes.copy(this.held, 0, offset)
    this.heldBytes = available
  }

  private growHeld(capacity: number): void {
    if (this.held.length >= capacity) return
    const grown = Buffer.allocUnsafeSlow(capacity)
    this.held.copy(grown, 0, 0, this.heldBytes)
    this.held = grown
  }

  private refuse(bytes: Buffer, offset: number): boolean {
    if (payloadLength(bytes, offset) <= this.payloadBytesMax) return false
    this.stopped = true
    this.sink.onFrameTooLarge(bytes[offset + 3]!, streamIdOf(bytes, offset))
    return true
  }

  private emit(bytes: Buffer, offset: number, end: number): void {
    const start = offset + frameHeaderBytes
    const streamId = streamIdOf(bytes, offset)
    if (!this.sink.onFrame(bytes[offset + 3]!, bytes[offset + 4]!, streamId, bytes, start, end)) this.stopped = true
  }
}

function payloadLength(bytes: Buffer, offset: number): number {
  return (bytes[offset]! << 16) | (bytes[offset + 1]! << 8) | bytes[offset + 2]!
}

function streamIdOf(bytes: Buffer, offset: number): number {
  return (
    ((bytes[offset + 5]! & 0x7f) << 24) | (bytes[offset + 6]! << 16) | (bytes[offset + 7]! << 8) | bytes[offset + 8]!
  )
}
