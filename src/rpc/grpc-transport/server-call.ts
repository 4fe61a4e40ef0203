/**
 * One call at a server, on one HTTP/2 stream.
 *
 * I1. Once `isDone` nothing is sent and no event is told. `onCancel` comes when the call ends otherwise than by `end`.
 * I2. While paused, or before `receive`, whole messages wait in `held`, charged to the connection's budget with what they
 *     take here (`heldBytes`: compressed ones are longer than their bytes), and their bytes are not credited to the
 *     client's window.
 * I3. A request of one message is told when it is complete, and before its half-close; what is wrong with it is refused
 *     before anything is told.
 * I4. `deadlineSlot >= 0` while the call is in the connection's deadline queue: for its deadline, or, while a request of one
 *     message is incomplete, for the end of the time that it may take.
 */
import {
  type DeadlineEntry,
  type GrpcFailure,
  GrpcStatusCode,
  MessageReader,
  messagePrefixBytes,
} from '../../wire/grpc/index.ts'
import { type Http2Stream, type StreamReceiver, streamHighWaterBytes } from '../../wire/http2/index.ts'
import { type Metadata, type Method, noMetadata, noteCompressed, type RpcCode, type Service } from '../service/index.ts'
import type { IncomingCall, IncomingEvents } from '../transport/index.ts'
import type { RequestPlan } from './request-plan.ts'
import { sentMessage } from './sent-message.ts'
import type { GrpcServedConnection } from './server-connection.ts'
import { grpcStatusOf } from './status.ts'

export class GrpcIncomingCall implements IncomingCall, StreamReceiver {
  readonly service: Service
  readonly method: Method
  readonly metadata: Metadata
  /** On the monotonic clock. */
  readonly deadlineMs: number | undefined
  private readonly connection: GrpcServedConnection
  private readonly stream: Http2Stream
  private readonly reader: MessageReader
  private readonly takesOneMessage: boolean
  /** Undefined: nothing is compressed for this client. */
  private readonly gzipFromBytes: number | undefined
  private events: IncomingEvents | undefined = undefined
  private headSent = false
  private isDone = false
  private isCancelled = false
  private isPaused = false
  private isDelivering = false
  private messages = 0
  private held: Uint8Array[] = []
  private heldBytes = 0
  private withheldBytes = 0
  private chargedBytes = 0
  private requestEnded = false
  private halfCloseTold = false
  private timer: CallTimer | undefined = undefined

  constructor(
    connection: GrpcServedConnection,
    stream: Http2Stream,
    plan: RequestPlan,
    served: { readonly service: Service; readonly method: Method },
  ) {
    this.connection = connection
    this.stream = stream
    this.service = served.service
    this.method = served.method
    this.metadata = plan.metadata
    this.gzipFromBytes = plan.acceptsGzip ? connection.server.gzipFromBytes : undefined
    const { messageBytesMax } = connection.server.limits
    this.reader = new MessageReader(messageBytesMax, plan.isGzip, connection.budget)
    this.takesOneMessage = this.method.kind === 'unary' || this.method.kind === 'server-streaming'
    const nowMs = connection.server.clock.monotonicMs()
    this.deadlineMs = plan.timeoutMs === undefined ? undefined : nowMs + plan.timeoutMs
    if (this.takesOneMessage && !stream.isRemoteClosed) this.arm(nowMs + connection.server.limits.requestTimeoutMs)
    else if (this.deadlineMs !== undefined) this.arm(Number.POSITIVE_INFINITY)
  }

  get peer(): string {
    return this.connection.peer
  }

  receive(events: IncomingEvents): void {
    this.events = events
    this.deliver()
  }

  pause(): void {
    this.isPaused = true
  }

  resume(): void {
    this.isPaused = false
    this.deliver()
  }

  sendHeaders(metadata: Metadata): void {
    if (this.isDone || this.headSent) return
    this.headSent = true
    const isGzip = this.gzipFromBytes !== undefined
    this.stream.sendHeaders(this.connection.templates.head(this.service.encoding, metadata, isGzip), false)
  }

  send(message: Uint8Array): boolean {
    if (this.isDone) return true
    this.sendHeaders(noMetadata)
    const { gzipFromBytes } = this
    const byteLength = messagePrefixBytes + message.length
    const writer = gzipFromBytes === undefined ? this.stream.beginDirect(byteLength) : undefined
    if (writer === undefined) {
      const isLow = this.stream.send(sentMessage(message, gzipFromBytes))
      return isLow && this.stream.queuedBytes <= streamHighWaterBytes
    }
    writer.dataHeader(this.stream.id, byteLength, false)
    writer.byte(0)
    writer.uint32(message.length)
    writer.bytes(message)
    return true
  }

  end(code: RpcCode | undefined, message: string, trailers: Metadata): void {
    if (!this.isDone) this.close(grpcStatusOf(code), message, trailers)
  }

  onData(bytes: Buffer, start: number, end: number, endStream: boolean): void {
    if (this.isDone) return
    this.withheldBytes += end - start
    const failure = this.reader.read(bytes, start, end, this.take) ?? (endStream ? this.endFailure() : undefined)
    if (this.isDone) return
    if (failure !== undefined) {
      this.refuse(failure.status, failure.message)
      return
    }
    if (endStream) {
      this.requestEnded = true
      if (this.takesOneMessage) this.arm(Number.POSITIVE_INFINITY)
    }
    this.deliver()
    if (!this.isDone && !this.chargeHeld()) {
      this.refuse(GrpcStatusCode.resourceExhausted, 'grpc: too many messages wait to be read on this connection')
    }
  }

  onReset(): void {
    if (this.isDone) return
    this.finish()
    this.tellCancel('cancelled')
  }

  onDrain(): void {
    if (!this.isDone) this.events?.onDrain()
  }

  /** The call's time is over: its deadline, or that of an incomplete request. */
  onTimeout(): void {
    if (this.isDone) return
    this.close(GrpcStatusCode.deadlineExceeded, 'Deadline exceeded', noMetadata)
    this.tellCancel('deadline')
  }

  private readonly take = (message: Uint8Array, isCompressed: boolean): GrpcFailure | undefined => {
    if (this.takesOneMessage && this.messages > 0) return secondMessage
    if (isCompressed) noteCompressed(message)
    this.messages++
    this.held.push(message)
    this.heldBytes += message.length
    return undefined
  }

  private endFailure(): GrpcFailure | undefined {
    if (!this.reader.isBetweenMessages) return unexpectedEnd
    return this.takesOneMessage && this.messages === 0 ? missingMessage : undefined
  }

  /** Hands on what waits, as far as allowed. Not reentrant: an event that resumes is served by the loop. */
  private deliver(): void {
    const events = this.events
    if (this.isDelivering || events === undefined || this.isDone) return
    if (this.takesOneMessage && !this.requestEnded) {
      // It is bounded by its size: what is gathered is credited at once.
      this.credit()
      return
    }
    this.isDelivering = true
    let at = 0
    while (at < this.held.length && !this.isPaused && !this.isDone) {
      const message = this.held[at++]!
      this.heldBytes -= message.length
      events.onMessage(message)
    }
    this.isDelivering = false
    if (this.isDone) return
    this.held = at === this.held.length ? [] : this.held.slice(at)
    if (this.held.length > 0 || this.isPaused) return
    this.credit()
    if (!this.requestEnded || this.halfCloseTold) return
    this.halfCloseTold = true
    events.onHalfClose()
  }

  private credit(): void {
    if (this.withheldBytes === 0) return
    this.stream.consumed(this.withheldBytes)
    this.withheldBytes = 0
    this.uncharge()
  }

  /** See I2. A request of one message that is still arriving is bounded by its size. */
  private chargeHeld(): boolean {
    if (this.held.length === 0 || this.takesOneMessage) return true
    const byteLength = Math.max(this.withheldBytes, this.heldBytes)
    if (!this.connection.budget.claim(byteLength - this.chargedBytes)) return false
    this.chargedBytes = byteLength
    return true
  }

  private uncharge(): void {
    if (this.chargedBytes === 0) return
    this.connection.budget.release(this.chargedBytes)
    this.chargedBytes = 0
  }

  /** See I4: expires at `atMs`, or at the deadline where that is earlier. */
  private arm(atMs: number): void {
    const { deadlines } = this.connection.server
    if (this.timer !== undefined && this.timer.deadlineSlot >= 0) deadlines.remove(this.timer)
    const earliestMs = Math.min(atMs, this.deadlineMs ?? Number.POSITIVE_INFINITY)
    if (earliestMs === Number.POSITIVE_INFINITY) return
    this.timer = new CallTimer(this, earliestMs)
    deadlines.add(this.timer)
  }

  private refuse(status: GrpcStatusCode, message: string): void {
    this.close(status, message, noMetadata)
    this.tellCancel('cancelled')
  }

  private close(status: number, message: string, trailers: Metadata): void {
    this.finish()
    const { templates } = this.connection
    if (this.headSent) this.stream.end(templates.trailers(status, message, trailers))
    else if (status === GrpcStatusCode.ok) {
      // A stream of no messages: clients take a success in the head for one too, but not all do.
      this.stream.sendHeaders(templates.head(this.service.encoding, noMetadata, false), false)
      this.stream.end(templates.trailers(status, message, trailers))
    } else this.stream.sendHeaders(templates.trailersOnly(200, status, message, trailers), true)
  }

  private finish(): void {
    this.isDone = true
    if (this.timer !== undefined && this.timer.deadlineSlot >= 0) this.connection.server.deadlines.remove(this.timer)
    this.reader.drop()
    this.held = []
    this.uncharge()
    this.connection.server.callEnded()
  }

  private tellCancel(why: 'cancelled' | 'deadline'): void {
    if (this.isCancelled) return
    this.isCancelled = true
    this.events?.onCancel(why)
  }
}

/** A call's entry in the deadline queue. */
class CallTimer implements DeadlineEntry {
  readonly deadlineMs: number
  deadlineSlot = -1
  private readonly call: GrpcIncomingCall

  constructor(call: GrpcIncomingCall, deadlineMs: number) {
    this.call = call
    this.deadlineMs = deadlineMs
  }

  onDeadline(): void {
    this.call.onTimeout()
  }
}

const unexpectedEnd = { status: GrpcStatusCode.internal, message: 'unexpected EOF' }
const missingMessage = {
  status: GrpcStatusCode.internal,
  message: 'cardinality violation: received no request message from non-client-streaming RPC',
}
const secondMessage = {
  status: GrpcStatusCode.internal,
  message: 'cardinality violation: received multiple request messages for non-client-streaming RPC',
}
