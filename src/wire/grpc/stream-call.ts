/**
 * One streaming call: messages in and out until either side ends it.
 *
 * I1. Once `isDone` nothing is sent and no callback runs.
 * I2. While paused, or before `onMessage` is set, whole messages wait in `waiting` and the stream's window stays shut
 *     for them: a client can have at most its window of them here. They are charged to the connection's budget.
 * I3. Callbacks come in order: messages, then the half-close. `onCancel` comes once, when the call ends otherwise
 *     than by this side's `end` or `fail`.
 */
import { type Http2Stream, type StreamReceiver, streamHighWaterBytes } from '../http2/index.ts'
import type { CallPlan } from './call-plan.ts'
import type { DeadlineEntry } from './deadline-queue.ts'
import type { GrpcConnection } from './grpc-connection.ts'
import { bufferExhausted, MessageReader, messagePrefix, messagePrefixBytes } from './message-reader.ts'
import { type GrpcFailure, GrpcStatusCode } from './status.ts'

export class StreamCall implements StreamReceiver, DeadlineEntry {
  /** When the client gives up, on the monotonic clock; `Infinity` when it does not say. */
  readonly deadlineMs: number
  /** The call ended otherwise than by `end` or `fail`. */
  cancelled = false
  /** Kept by `DeadlineQueue`. */
  deadlineSlot = -1

  private readonly stream: Http2Stream
  private readonly connection: GrpcConnection
  private readonly plan: CallPlan
  private readonly reader: MessageReader
  private headersSent = false
  private isDone = false
  private isPaused = false
  private isDelivering = false
  /** Messages not yet delivered (I2), and the received bytes not yet credited for them. */
  private waiting: Uint8Array[] = []
  private withheldBytes = 0
  /** How much of them is charged to the budget. */
  private chargedBytes = 0
  private requestEnded = false
  private halfCloseTold = false
  private messageCallback: ((message: Uint8Array) => void) | undefined = undefined
  private halfCloseCallback: (() => void) | undefined = undefined
  private cancelCallback: (() => void) | undefined = undefined
  private drainCallback: (() => void) | undefined = undefined

  constructor(connection: GrpcConnection, stream: Http2Stream, plan: CallPlan) {
    this.connection = connection
    this.stream = stream
    this.plan = plan
    this.reader = new MessageReader(connection.server.options.requestBytesMax, plan.isGzip, connection.budget)
    if (plan.timeoutMs === undefined) {
      this.deadlineMs = Number.POSITIVE_INFINITY
    } else {
      this.deadlineMs = connection.server.clock.monotonicMs() + plan.timeoutMs
      connection.server.deadlines.add(this)
    }
  }

  /** The method's path. */
  get path(): string {
    return this.plan.registered.path
  }

  /** Response bytes that wait for the client. */
  get queuedBytes(): number {
    return this.stream.queuedBytes
  }

  /** The first value of a request header, by its lower-case name. */
  metadata(name: string): string | undefined {
    return this.stream.head.get(name)
  }

  /** Each request message, a view of received memory: copy what is kept for long. */
  onMessage(callback: (message: Uint8Array) => void): void {
    this.messageCallback = callback
    this.deliver()
  }

  /** The client sends no more. The response goes on until `end` or `fail`. */
  onHalfClose(callback: () => void): void {
    this.halfCloseCallback = callback
    this.deliver()
  }

  /** The call was reset, its connection lost, or its deadline passed. At once, when that has already happened. */
  onCancel(callback: () => void): void {
    if (this.cancelled) callback()
    else this.cancelCallback = callback
  }

  /** `queuedBytes` is low again after a `send` that returned false. */
  onDrain(callback?: () => void): void {
    if (callback !== undefined) this.drainCallback = callback
    else if (!this.isDone) this.drainCallback?.()
  }

  /** Stops `onMessage` until `resume`. The client is slowed down by its window. */
  pause(): void {
    this.isPaused = true
  }

  resume(): void {
    this.isPaused = false
    this.deliver()
  }

  /** Sends the response's headers before any message, for clients that wait for them. */
  sendHeaders(): void {
    if (this.isDone || this.headersSent) return
    this.headersSent = true
    this.stream.sendHeaders(this.connection.templates.headers, false)
  }

  /**
   * Sends one message, given in pieces that the caller must not change afterwards. Returns false above the high-water
   * mark: the message is queued all the same; send the next after `onDrain`.
   */
  send(...chunks: Uint8Array[]): boolean {
    if (this.isDone) return true
    this.sendHeaders()
    let byteLength = 0
    for (const chunk of chunks) byteLength += chunk.length
    const writer = this.stream.beginDirect(messagePrefixBytes + byteLength)
    if (writer === undefined) {
      const isLow = this.stream.send([messagePrefix(byteLength), ...chunks])
      return isLow && this.stream.queuedBytes <= streamHighWaterBytes
    }
    writer.dataHeader(this.stream.id, messagePrefixBytes + byteLength, false)
    writer.byte(0)
    writer.uint32(byteLength)
    for (const chunk of chunks) writer.bytes(chunk)
    return true
  }

  /** Ends the call with success, after the messages sent. */
  end(): void {
    this.fail(GrpcStatusCode.ok, '')
  }

  /** Ends the call with a status, after the messages sent. */
  fail(status: GrpcStatusCode, message: string): void {
    if (this.isDone) return
    this.finish(status)
    if (this.headersSent) this.stream.end(this.connection.templates.trailers(status, message))
    else this.stream.sendHeaders(this.connection.templates.trailersOnly(200, status, message), true)
  }

  onData(bytes: Buffer, start: number, end: number, endStream: boolean): void {
    if (this.isDone) return
    this.withheldBytes += end - start
    const failure = this.reader.read(bytes, start, end, (message) => {
      this.waiting.push(message)
      return undefined
    })
    if (endStream) this.requestEnded = true
    this.deliver()
    const ended: GrpcFailure | undefined = endStream && !this.reader.isBetweenMessages ? unexpectedEnd : undefined
    const reason = failure ?? ended ?? this.chargeWaiting()
    if (reason !== undefined && !this.isDone) {
      const callback = this.cancelCallback
      this.cancelled = true
      this.fail(reason.status, reason.message)
      callback?.()
    }
  }

  onReset(): void {
    if (this.isDone) {
      this.waiting = []
      return
    }
    const callback = this.cancelCallback
    this.cancelled = true
    this.finish(GrpcStatusCode.cancelled)
    callback?.()
  }

  onDeadline(): void {
    if (this.isDone) return
    const callback = this.cancelCallback
    this.cancelled = true
    this.fail(GrpcStatusCode.deadlineExceeded, 'context deadline exceeded')
    callback?.()
  }

  /** Hands waiting messages on as far as allowed. Not reentrant: a callback that resumes is served by the loop. */
  private deliver(): void {
    if (this.isDelivering) return
    this.isDelivering = true
    let at = 0
    while (at < this.waiting.length && this.mayDeliver()) this.messageCallback!(this.waiting[at++]!)
    this.isDelivering = false
    if (this.isDone) return
    if (at > 0) this.waiting = at === this.waiting.length ? [] : this.waiting.slice(at)
    if (this.waiting.length > 0) return
    if (this.withheldBytes > 0 && !this.isPaused) {
      this.stream.consumed(this.withheldBytes)
      this.withheldBytes = 0
      this.uncharge()
    }
    if (this.requestEnded && !this.halfCloseTold && !this.isPaused && this.reader.isBetweenMessages) {
      if (this.halfCloseCallback === undefined) return
      this.halfCloseTold = true
      this.halfCloseCallback()
    }
  }

  private mayDeliver(): boolean {
    return !this.isPaused && !this.isDone && this.messageCallback !== undefined
  }

  /** See I2. */
  private chargeWaiting(): GrpcFailure | undefined {
    if (this.waiting.length === 0 || this.isDone) return undefined
    if (!this.connection.budget.claim(this.withheldBytes - this.chargedBytes)) return bufferExhausted
    this.chargedBytes = this.withheldBytes
    return undefined
  }

  private uncharge(): void {
    if (this.chargedBytes === 0) return
    this.connection.budget.release(this.chargedBytes)
    this.chargedBytes = 0
  }

  private finish(status: GrpcStatusCode): void {
    this.isDone = true
    this.plan.registered.finished[status]!++
    if (this.deadlineSlot >= 0) this.connection.server.deadlines.remove(this)
    this.reader.drop()
    this.waiting = []
    this.uncharge()
    this.cancelCallback = undefined
    this.drainCallback = undefined
  }
}

const unexpectedEnd: GrpcFailure = { status: GrpcStatusCode.internal, message: 'unexpected EOF' }
