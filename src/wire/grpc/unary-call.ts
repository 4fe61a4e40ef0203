/**
 * One unary call: gathers the request, runs the handler once, sends the one answer.
 *
 * I1. `phase` only moves on: receiving, running, done. The handler runs in the step to `running`.
 * I2. Once done nothing is sent. A call that ends before its answer is `cancelled`, and tells `onCancel` once.
 */
import type { Http2Stream, RequestReceiver } from '../http2/index.ts'
import type { CallPlan } from './call-plan.ts'
import type { DeadlineEntry } from './deadline-queue.ts'
import type { GrpcConnection } from './grpc-connection.ts'
import { MessageReader, messagePrefix, messagePrefixBytes } from './message-reader.ts'
import { type GrpcFailure, GrpcStatusCode } from './status.ts'

const noMessage: Uint8Array = new Uint8Array(0)

export class UnaryCall implements RequestReceiver, DeadlineEntry {
  /**
   * The request. A view of received memory, which stays unchanged but may be much larger: copy what is kept for long.
   * Empty until the handler runs.
   */
  message: Uint8Array = noMessage
  /** When the client gives up, on the monotonic clock; `Infinity` when it does not say. */
  readonly deadlineMs: number
  /** The client is gone, or its deadline has passed: an answer would be dropped. */
  cancelled = false
  /** Kept by `DeadlineQueue`. */
  deadlineSlot = -1
  bornInSweep = 0

  private readonly stream: Http2Stream
  private readonly connection: GrpcConnection
  private readonly plan: CallPlan
  private reader: MessageReader | undefined = undefined
  private hasMessage = false
  /** Charged to the connection for an answer in the making. */
  private preparedBytes = 0
  private phase: 'receiving' | 'running' | 'done' = 'receiving'
  private cancelCallback: (() => void) | undefined = undefined

  constructor(connection: GrpcConnection, stream: Http2Stream, plan: CallPlan) {
    this.connection = connection
    this.stream = stream
    this.plan = plan
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

  get isReceiving(): boolean {
    return this.phase === 'receiving'
  }

  /** The first value of a request header, by its lower-case name. */
  metadata(name: string): string | undefined {
    return this.stream.head.get(name)
  }

  /** Tells when the call ends before its answer. At once, when it already has. */
  onCancel(callback: () => void): void {
    if (this.cancelled) callback()
    else this.cancelCallback = callback
  }

  /**
   * Says that `byteLength` more bytes of a large answer are about to be made. False when too many wait for this client:
   * the call is over then.
   */
  prepare(byteLength: number): boolean {
    if (this.phase === 'done') return false
    if (!this.connection.http2.claimAnswer(byteLength)) {
      this.fail(GrpcStatusCode.resourceExhausted, 'grpc: too much waits to be sent on this connection')
      return false
    }
    this.preparedBytes += byteLength
    return true
  }

  /** Succeeds with one message, given in pieces that the caller must not change afterwards. */
  reply(...chunks: Uint8Array[]): void {
    if (this.phase === 'done') return
    let byteLength = 0
    for (const chunk of chunks) byteLength += chunk.length
    const stream = this.stream
    const templates = this.connection.templates
    const writer = stream.beginDirect(messagePrefixBytes + byteLength)
    if (writer === undefined) {
      stream.sendHeaders(templates.headers, false)
      stream.send([messagePrefix(byteLength), ...chunks])
      stream.end(templates.trailersOk)
    } else {
      const id = stream.id
      const frameBytesMax = this.connection.frameBytesMax
      writer.headers(id, templates.headers.encode(), false, frameBytesMax)
      writer.dataHeader(id, messagePrefixBytes + byteLength, false)
      writer.byte(0)
      writer.uint32(byteLength)
      for (const chunk of chunks) writer.bytes(chunk)
      writer.headers(id, templates.trailersOk.encode(), true, frameBytesMax)
      stream.endDirect()
    }
    this.finish(GrpcStatusCode.ok)
  }

  /** Fails with a status. */
  fail(status: GrpcStatusCode, message: string): void {
    if (this.phase === 'done') return
    this.stream.sendHeaders(this.connection.templates.trailersOnly(200, status, message), true)
    this.finish(status)
  }

  onData(bytes: Buffer, start: number, end: number, endStream: boolean): void {
    if (this.phase !== 'receiving') return
    const messageBytes = end - start - messagePrefixBytes
    if (endStream && this.reader === undefined && messageBytes >= 0 && bytes[start] === 0) {
      // The whole request in one frame, uncompressed: no reader needed.
      if (
        bytes.readUInt32BE(start + 1) === messageBytes &&
        messageBytes <= this.connection.server.options.requestBytesMax
      ) {
        this.message = bytes.subarray(start + messagePrefixBytes, end)
        this.run()
        return
      }
    }
    this.stream.consumed(end - start)
    const failure = this.readSlowly(bytes, start, end) ?? (endStream ? this.endFailure() : undefined)
    if (failure !== undefined) this.fail(failure.status, failure.message)
    else if (endStream) this.run()
  }

  onReset(): void {
    this.cancel(GrpcStatusCode.cancelled)
  }

  onDrain(): void {}

  expire(): void {
    this.fail(GrpcStatusCode.deadlineExceeded, 'the request did not arrive in time')
  }

  onDeadline(): void {
    if (this.phase === 'done') return
    const callback = this.takeCancelCallback()
    this.fail(GrpcStatusCode.deadlineExceeded, 'context deadline exceeded')
    callback?.()
  }

  private readSlowly(bytes: Buffer, start: number, end: number): GrpcFailure | undefined {
    if (this.reader === undefined) {
      const { requestBytesMax } = this.connection.server.options
      this.reader = new MessageReader(requestBytesMax, this.plan.isGzip, this.connection.budget)
    }
    return this.reader.read(bytes, start, end, (message) => {
      if (this.hasMessage) return secondMessage
      this.hasMessage = true
      this.message = message
      return undefined
    })
  }

  private endFailure(): GrpcFailure | undefined {
    if (this.reader?.isBetweenMessages === false) return unexpectedEnd
    return this.hasMessage ? undefined : missingMessage
  }

  private run(): void {
    this.phase = 'running'
    this.reader = undefined
    const method = this.plan.registered.method
    if (method.kind === 'unary') method.handler(this)
  }

  private cancel(status: GrpcStatusCode): void {
    if (this.phase === 'done') return
    const callback = this.takeCancelCallback()
    this.finish(status)
    callback?.()
  }

  private takeCancelCallback(): (() => void) | undefined {
    const callback = this.cancelCallback
    this.cancelCallback = undefined
    this.cancelled = true
    return callback
  }

  private finish(status: GrpcStatusCode): void {
    this.phase = 'done'
    this.plan.registered.finished[status]!++
    if (this.deadlineSlot >= 0) this.connection.server.deadlines.remove(this)
    if (this.reader !== undefined) {
      this.reader.drop()
      this.reader = undefined
    }
    this.connection.http2.answerBytesHeld -= this.preparedBytes
    this.preparedBytes = 0
    this.cancelCallback = undefined
  }
}

const unexpectedEnd: GrpcFailure = { status: GrpcStatusCode.internal, message: 'unexpected EOF' }
const missingMessage: GrpcFailure = {
  status: GrpcStatusCode.internal,
  message: 'cardinality violation: received no request message from non-client-streaming RPC',
}
const secondMessage: GrpcFailure = {
  status: GrpcStatusCode.internal,
  message: 'cardinality violation: received multiple request messages for non-client-streaming RPC',
}
