/**
 * One request and its response (RFC 9113 §5.1). Made by `Http2ServerConnection`; used by the layer above to answer.
 *
 * A server's stream starts *open*, becomes *half-closed (remote)* when the request ends, and is *closed* when the
 * response ends or either side resets it.
 *
 * I1. `isClosed` is final: nothing is written for the stream after it, and the receiver hears nothing more.
 * I2. The receiver hears `onReset` at most once, and only when it did not end the stream itself.
 * I3. `sendWindow` may be negative after the peer shrank its initial window (§6.9.2).
 */
import { BodyQueue } from './body-queue.ts'
import type { BodySender } from './body-sender.ts'
import type { FrameWriter } from './frame-writer.ts'
import type { HeaderSource } from './header-block-writer.ts'
import type { HeaderField } from './header-field.ts'
import type { Http2ErrorCode } from './protocol.ts'
import type { RequestHead } from './request-head.ts'

/** The layer above, for one stream. */
export interface StreamReceiver {
  /**
   * A piece of the request's body, `bytes[start..end)`, maybe empty; `endStream` with the last. The bytes stay
   * unchanged. The stream's window opens again only through {@link Http2Stream.consumed}.
   */
  onData(bytes: Buffer, start: number, end: number, endStream: boolean): void
  /** The stream ended early: reset by the peer, refused for its errors, or lost with its connection. */
  onReset(code: number): void
  /** The request's trailers; the `onData` that ends it follows. Those who leave this out get requests without. */
  onTrailers?(fields: readonly HeaderField[]): void
  /** The queue is low again after a `send` that returned false. */
  onDrain(): void
  /** All that was queued is written, the end of the response included. Not after `endDirect` and heads that end it. */
  onSent?(): void
}

/** What a stream needs of its connection. */
export interface StreamOwner {
  readonly writer: FrameWriter
  readonly sender: BodySender
  readonly streamReceiveWindowBytes: number
  /** What the open streams themselves take, besides bodies. */
  streamBytesHeld: number
  /** Something was written, or is ready to be: flush at the end of this turn. */
  scheduleFlush(): void
  /** The response is complete, or this side gave up with `resetCode`. */
  streamEnded(stream: Http2Stream, resetCode: Http2ErrorCode | undefined): void
}

/** `send` returns false above this. */
export const streamHighWaterBytes = 64 << 10
const streamLowWaterBytes = streamHighWaterBytes / 2
/** About what an open stream with its call takes in memory, measured; its header list comes on top. */
const streamOverheadBytes = 2 << 10

export class Http2Stream {
  readonly id: number
  readonly head: RequestHead
  receiver: StreamReceiver | undefined = undefined
  sendWindow: number
  /** What the peer may still send; negative is its error. */
  receiveWindow: number
  /** Body bytes received, to be compared with `content-length`. */
  receivedBytes = 0
  /** The request has ended. */
  isRemoteClosed: boolean
  /** See I1. */
  isClosed = false
  hasResponded = false
  /** Kept by {@link BodySender}. */
  isReady = false

  private readonly owner: StreamOwner
  private queue: BodyQueue | undefined = undefined
  private uncreditedBytes = 0
  private wantsDrain = false
  /** The response ends when the queue is empty. */
  private isEnding = false
  /** `queuedBytes` at the last look of `isStalled`. */
  private queuedBytesSeen = 0
  private trailers: HeaderSource | undefined = undefined
  /** The frame that ends the response is written. */
  private endIsWritten = false

  constructor(owner: StreamOwner, id: number, head: RequestHead, endStream: boolean, sendWindow: number) {
    this.owner = owner
    this.id = id
    this.head = head
    this.isRemoteClosed = endStream
    this.sendWindow = sendWindow
    this.receiveWindow = owner.streamReceiveWindowBytes
    owner.streamBytesHeld += streamOverheadBytes + head.listBytes
  }

  /** Body bytes that wait for the peer. */
  get queuedBytes(): number {
    return this.queue === undefined ? 0 : this.queue.bytes
  }

  /** Sends the response's header list; with `endStream` it is the whole response. */
  sendHeaders(source: HeaderSource, endStream: boolean): void {
    if (this.isClosed) return
    this.hasResponded = true
    this.owner.writer.headers(this.id, source.encode(), endStream, this.owner.sender.frameBytesMax)
    this.owner.scheduleFlush()
    if (endStream) this.owner.streamEnded(this, undefined)
  }

  /** Sends an interim response (RFC 9113 §8.1), before `sendHeaders`. */
  sendInformational(source: HeaderSource): void {
    if (this.isClosed || this.hasResponded) return
    this.owner.writer.headers(this.id, source.encode(), false, this.owner.sender.frameBytesMax)
    this.owner.scheduleFlush()
  }

  /**
   * The fast path: when `byteLength` body bytes fit into one frame, all windows and the transport right now, takes
   * them from the windows and returns the writer, into which the caller at once writes frames with exactly that much
   * body for this stream. Otherwise `undefined`, and nothing has happened.
   */
  beginDirect(byteLength: number): FrameWriter | undefined {
    const owner = this.owner
    const sender = owner.sender
    if (
      this.isClosed ||
      owner.writer.isBlocked ||
      byteLength > this.sendWindow ||
      byteLength > sender.window ||
      byteLength > sender.frameBytesMax ||
      (this.queue !== undefined && this.queue.bytes > 0)
    ) {
      return undefined
    }
    this.sendWindow -= byteLength
    sender.window -= byteLength
    this.hasResponded = true
    owner.scheduleFlush()
    return owner.writer
  }

  /** After `beginDirect`: the frames just written ended the stream. */
  endDirect(): void {
    this.owner.streamEnded(this, undefined)
  }

  /** Queues body bytes, which the caller must not change. Returns false above the high-water mark: wait for `onDrain`. */
  send(chunks: readonly Uint8Array[], highWaterBytes: number = streamHighWaterBytes): boolean {
    if (this.isClosed || this.isEnding) return true
    this.queue ??= new BodyQueue()
    const before = this.queue.bytes
    for (const chunk of chunks) this.queue.push(chunk)
    this.owner.sender.queuedBytes += this.queue.bytes - before
    this.owner.sender.ready(this)
    this.owner.scheduleFlush()
    if (this.queue.bytes <= highWaterBytes) return true
    this.wantsDrain = true
    return false
  }

  /** Ends the response after what is queued, with `trailers` or without. */
  end(trailers?: HeaderSource): void {
    if (this.isClosed || this.isEnding) return
    this.isEnding = true
    this.trailers = trailers
    if (this.queuedBytes === 0) {
      this.finishQueued()
      this.owner.scheduleFlush()
    }
  }

  /** Gives up: RST_STREAM. What is queued is dropped. The receiver hears nothing more. */
  reset(code: Http2ErrorCode): void {
    if (!this.isClosed) this.owner.streamEnded(this, code)
  }

  /** The application has taken `byteLength` received bytes: the peer may send as many more. */
  consumed(byteLength: number): void {
    this.uncreditedBytes += byteLength
    if (this.isClosed || this.isRemoteClosed) return
    if (this.uncreditedBytes < this.owner.streamReceiveWindowBytes / 2) return
    this.receiveWindow += this.uncreditedBytes
    this.owner.writer.windowUpdate(this.id, this.uncreditedBytes)
    this.uncreditedBytes = 0
    this.owner.scheduleFlush()
  }

  // What follows is for the connection and its sender.

  /** Nothing of a complete response has left since the last look. An unfinished one may wait for its peer. */
  isStalled(): boolean {
    const queued = this.queuedBytes
    const stalled = this.isEnding && queued > 0 && queued === this.queuedBytesSeen
    this.queuedBytesSeen = queued
    return stalled
  }

  sendQueued(writer: FrameWriter, byteLength: number): void {
    this.sendWindow -= byteLength
    this.endIsWritten = this.isEnding && this.trailers === undefined && byteLength === this.queuedBytes
    writer.dataHeader(this.id, byteLength, this.endIsWritten)
    this.queue!.moveTo(writer, byteLength)
  }

  /** The queue is empty: end the response when it was waiting for that. */
  finishQueued(): void {
    if (!this.isEnding || this.isClosed) return
    if (this.trailers !== undefined) {
      this.owner.writer.headers(this.id, this.trailers.encode(), true, this.owner.sender.frameBytesMax)
    } else if (!this.endIsWritten) {
      this.owner.writer.dataHeader(this.id, 0, true)
    }
    this.owner.streamEnded(this, undefined)
    this.receiver?.onSent?.()
  }

  takeDrain(): boolean {
    if (!this.wantsDrain || this.queuedBytes > streamLowWaterBytes) return false
    this.wantsDrain = false
    return !this.isClosed
  }

  notifyDrain(): void {
    if (!this.isClosed) this.receiver?.onDrain()
  }

  /** Marks it closed and drops the queue. */
  markClosed(): void {
    if (this.isClosed) return
    this.isClosed = true
    this.owner.streamBytesHeld -= streamOverheadBytes + this.head.listBytes
    this.owner.sender.queuedBytes -= this.queuedBytes
    this.queue = undefined
  }

  /** Ends it from outside (I2). */
  abort(code: number): void {
    if (this.isClosed) return
    this.markClosed()
    this.receiver?.onReset(code)
  }
}
