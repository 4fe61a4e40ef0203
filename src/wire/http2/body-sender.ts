/**
 * Sends queued bodies of one connection as its windows and its transport allow: one frame a stream in turn.
 *
 * I1. `window` is what the peer still accepts on the connection (RFC 9113 §6.9.1); it never exceeds 2^31 - 1.
 * I2. `queuedBytes` is the sum over the open streams' queues.
 * I3. A stream is in the ring (`isReady`) when it may have something to send; one that waits for its own window is
 *     not, and returns with `ready`.
 */
import type { FrameWriter } from './frame-writer.ts'
import { framePayloadBytesDefault, initialWindowBytesDefault } from './protocol.ts'

/** No frame is larger, whatever the peer allows: streams take turns by frames. */
const frameBytesCap = 32 << 10

/** A stream, as its sender sees it. */
export interface BodySource {
  /** What the peer still accepts on the stream; maybe negative. */
  readonly sendWindow: number
  readonly queuedBytes: number
  readonly isClosed: boolean
  /** See I3. */
  isReady: boolean
  /** Writes a DATA frame of the first `byteLength` queued bytes. */
  sendQueued(writer: FrameWriter, byteLength: number): void
  /** The queue is empty: end this side when it was waiting for that. */
  finishQueued(): void
  /** Whether somebody waits for the queue to be low, and it is. Answers so once. */
  takeDrain(): boolean
  notifyDrain(): void
}

export class BodySender {
  window = initialWindowBytesDefault
  queuedBytes = 0
  /** Queued bytes sent so far. */
  sentBytes = 0
  /** The largest payload this side sends: the peer's SETTINGS_MAX_FRAME_SIZE, capped. */
  frameBytesMax = framePayloadBytesDefault

  private readonly writer: FrameWriter
  private ring: BodySource[] = []
  private head = 0
  private drained: BodySource[] = []

  constructor(writer: FrameWriter) {
    this.writer = writer
  }

  setPeerFrameBytesMax(bytes: number): void {
    this.frameBytesMax = Math.min(bytes, frameBytesCap)
  }

  /** Puts `stream` into the ring. */
  ready(stream: BodySource): void {
    if (stream.isReady) return
    stream.isReady = true
    this.ring.push(stream)
  }

  get hasReady(): boolean {
    return this.head < this.ring.length
  }

  /**
   * Writes frames until nothing is ready, the connection's window is used up, or the transport is full. Returns
   * whether it wrote any body.
   */
  pump(): boolean {
    const queuedBefore = this.queuedBytes
    while (this.head < this.ring.length && !this.writer.isBlocked) {
      const stream = this.ring[this.head]!
      if (stream.isClosed) {
        this.leave(stream)
        continue
      }
      if (stream.queuedBytes > 0 && !this.sendFrame(stream)) {
        if (this.window <= 0) break
        this.leave(stream)
        continue
      }
      this.leave(stream)
      if (stream.queuedBytes > 0) this.ready(stream)
      else stream.finishQueued()
      if (stream.takeDrain()) this.drained.push(stream)
    }
    const sentAny = this.queuedBytes < queuedBefore
    this.compact()
    this.notifyDrained()
    return sentAny
  }

  private sendFrame(stream: BodySource): boolean {
    const byteLength = Math.min(stream.queuedBytes, stream.sendWindow, this.window, this.frameBytesMax)
    if (byteLength <= 0) return false
    this.window -= byteLength
    this.queuedBytes -= byteLength
    this.sentBytes += byteLength
    stream.sendQueued(this.writer, byteLength)
    return true
  }

  private leave(stream: BodySource): void {
    stream.isReady = false
    this.head++
  }

  private compact(): void {
    if (this.head === this.ring.length) this.ring = []
    else if (this.head >= 1024) this.ring.splice(0, this.head)
    else return
    this.head = 0
  }

  /** Last, because a receiver that drains queues more. */
  private notifyDrained(): void {
    if (this.drained.length === 0) return
    const drained = this.drained
    this.drained = []
    for (const stream of drained) stream.notifyDrain()
  }
}
