/**
 * One request and its response (RFC 9113 §5.1), client side. Made by `Http2ClientConnection.open`; used by the layer
 * above to send the body.
 *
 * I1. `isClosed` is final: nothing is written for the stream after it. It is set just before the receiver hears the end,
 *     and nothing is heard after that.
 * I2. The receiver hears one end: `onHead`, `onData` or `onTrailers` with the end of the stream, or `onFailed`; none
 *     when it reset the stream itself.
 * I3. `sendWindow` may be negative after the server shrank its initial window (§6.9.2).
 */
import {
  BodyQueue,
  type BodySender,
  type BodySource,
  type FrameWriter,
  type HeaderSource,
  Http2ErrorCode,
  streamHighWaterBytes,
} from '../http2/index.ts'
import type { ResponseHead } from './response-head.ts'

/** Why a stream ended early. */
export interface StreamFailure {
  /** Who ended it: the server (RST_STREAM), this side (for the server's error), or the loss of the connection. */
  readonly by: 'server' | 'local' | 'connection'
  readonly code: Http2ErrorCode
  /** False when the server certainly did not act on the request (RFC 9113 §8.7). */
  readonly processed: boolean
  readonly reason: string
}

/** The layer above, for one stream. */
export interface ResponseReceiver {
  /** The final head of the response; with `endStream` it is the whole response. */
  onHead(head: ResponseHead, endStream: boolean): void
  /** A piece of the body, `bytes[start..end)`, maybe empty. The bytes stay unchanged. */
  onData(bytes: Buffer, start: number, end: number, endStream: boolean): void
  onTrailers(trailers: ResponseHead): void
  onFailed(failure: StreamFailure): void
  /** An interim response (RFC 9113 §8.1), before `onHead`. Those who leave this out are not told. */
  onInformational?(head: ResponseHead): void
  /** The request's queue is low again after a `send` that returned false. */
  onDrain?(): void
}

const streamLowWaterBytes = streamHighWaterBytes / 2

/** What a stream needs of its connection. */
export interface ClientStreamOwner {
  readonly writer: FrameWriter
  readonly sender: BodySender
  readonly streamReceiveWindowBytes: number
  scheduleFlush(): void
  /** This side gives up. */
  resetStream(stream: ClientStream, code: Http2ErrorCode): void
}

export class ClientStream implements BodySource {
  readonly id: number
  readonly receiver: ResponseReceiver
  sendWindow: number
  /** What the server may still send; negative is its error. */
  receiveWindow: number
  hasHead = false
  /** The whole request is written. */
  isLocalClosed = false
  /** See I1. */
  isClosed = false
  isReady = false

  private readonly owner: ClientStreamOwner
  private queue: BodyQueue | undefined = undefined
  /** The request ends when the queue is empty. */
  private isEnding = false
  private uncreditedBytes = 0
  private wantsDrain = false
  private trailers: HeaderSource | undefined = undefined

  /** With `isWhole` the head is the whole request. */
  constructor(owner: ClientStreamOwner, id: number, receiver: ResponseReceiver, sendWindow: number, isWhole: boolean) {
    this.owner = owner
    this.id = id
    this.receiver = receiver
    this.sendWindow = sendWindow
    this.isEnding = isWhole
    this.isLocalClosed = isWhole
    this.receiveWindow = owner.streamReceiveWindowBytes
  }

  /** Body bytes that wait for the server. */
  get queuedBytes(): number {
    return this.queue === undefined ? 0 : this.queue.bytes
  }

  /**
   * The fast path: when the whole body of `byteLength` bytes fits into one frame, all windows and the transport right
   * now, writes the frame's header and returns the writer, into which the caller at once writes exactly that much; the
   * request is complete then. Otherwise `undefined`, and nothing has happened.
   */
  beginWhole(byteLength: number): FrameWriter | undefined {
    const { sender, writer } = this.owner
    const fits = byteLength <= this.sendWindow && byteLength <= sender.window && byteLength <= sender.frameBytesMax
    if (!fits || this.isClosed || this.isEnding || writer.isBlocked || this.queue !== undefined) return undefined
    this.sendWindow -= byteLength
    sender.window -= byteLength
    this.isEnding = true
    this.isLocalClosed = true
    writer.dataHeader(this.id, byteLength, true)
    this.owner.scheduleFlush()
    return writer
  }

  /**
   * Queues body bytes, which the caller must not change. Returns false when more than 64 KiB are queued: wait for
   * `onDrain`.
   */
  send(...chunks: readonly Uint8Array[]): boolean {
    if (this.isClosed || this.isEnding) return true
    this.queue ??= new BodyQueue()
    const before = this.queue.bytes
    for (const chunk of chunks) this.queue.push(chunk)
    this.owner.sender.queuedBytes += this.queue.bytes - before
    this.owner.sender.ready(this)
    this.owner.scheduleFlush()
    if (this.queue.bytes <= streamHighWaterBytes) return true
    this.wantsDrain = true
    return false
  }

  /** Ends the request after what is queued, with `trailers` or without. */
  end(trailers?: HeaderSource): void {
    if (this.isClosed || this.isEnding) return
    this.isEnding = true
    this.trailers = trailers
    if (this.queuedBytes > 0) return
    this.finishQueued()
    this.owner.scheduleFlush()
  }

  /** Gives up: RST_STREAM. What is queued is dropped. The receiver hears nothing more. */
  reset(code: Http2ErrorCode = Http2ErrorCode.cancel): void {
    if (!this.isClosed) this.owner.resetStream(this, code)
  }

  /** `byteLength` received bytes are taken: the server may send as many more. */
  consumed(byteLength: number): void {
    this.uncreditedBytes += byteLength
    if (this.isClosed) return
    if (this.uncreditedBytes * 2 < this.owner.streamReceiveWindowBytes) return
    this.receiveWindow += this.uncreditedBytes
    this.owner.writer.windowUpdate(this.id, this.uncreditedBytes)
    this.uncreditedBytes = 0
    this.owner.scheduleFlush()
  }

  // What follows is for the connection and its sender.

  sendQueued(writer: FrameWriter, byteLength: number): void {
    this.sendWindow -= byteLength
    const isLast = this.isEnding && this.trailers === undefined && byteLength === this.queuedBytes
    writer.dataHeader(this.id, byteLength, isLast)
    this.queue!.moveTo(writer, byteLength)
    if (isLast) this.isLocalClosed = true
  }

  finishQueued(): void {
    if (!this.isEnding || this.isLocalClosed || this.isClosed) return
    if (this.trailers === undefined) this.owner.writer.dataHeader(this.id, 0, true)
    else this.owner.writer.headers(this.id, this.trailers.encode(), true, this.owner.sender.frameBytesMax)
    this.isLocalClosed = true
  }

  takeDrain(): boolean {
    if (!this.wantsDrain || this.queuedBytes > streamLowWaterBytes) return false
    this.wantsDrain = false
    return !this.isClosed
  }

  notifyDrain(): void {
    if (!this.isClosed) this.receiver.onDrain?.()
  }

  /** Marks it closed and drops the queue. */
  markClosed(): void {
    if (this.isClosed) return
    this.isClosed = true
    this.owner.sender.queuedBytes -= this.queuedBytes
    this.queue = undefined
  }

  /** Ends it from outside (I2). */
  abort(failure: StreamFailure): void {
    if (this.isClosed) return
    this.markClosed()
    this.receiver.onFailed(failure)
  }
}
