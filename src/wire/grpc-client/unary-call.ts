/**
 * One unary call: sends the request as soon as a connection takes it, gathers the response, tells `done` once.
 *
 * I1. `isDone` is final; `done` is called where it is set, or at the end of that turn.
 * I2. `sentAtMs` is 0 until the request is handed to the transport, and a moment just before that afterwards.
 */
import { type DeadlineEntry, GrpcStatusCode, MessageReader, messagePrefix, messagePrefixBytes } from '../grpc/index.ts'
import type { ClientStream, ResponseHead, ResponseReceiver, StreamFailure } from '../http2-client/index.ts'
import type { ChannelConnection } from './channel-connection.ts'
import type { GrpcChannel } from './grpc-channel.ts'
import type { CallMetadata, GrpcFailureReply, UnaryReply } from './replies.ts'
import { failureOfStream, localFailure, refusalOfHead, serverEnd, statusOfTrailers } from './response-status.ts'

export type UnaryDone = (reply: UnaryReply, sentAtMs: number) => void

export class UnaryCall implements ResponseReceiver, DeadlineEntry {
  readonly deadlineMs: number
  deadlineSlot = -1
  isDone = false
  private sentAtMs = 0
  private readonly channel: GrpcChannel
  private readonly path: string
  private readonly request: Uint8Array
  private readonly metadata: CallMetadata | undefined
  private readonly timeoutText: string
  private readonly done: UnaryDone
  private stream: ClientStream | undefined = undefined
  private connection: ChannelConnection | undefined = undefined
  private message: Uint8Array | undefined = undefined
  private reader: MessageReader | undefined = undefined
  private isGzip = false

  constructor(
    channel: GrpcChannel,
    path: string,
    request: Uint8Array,
    metadata: CallMetadata | undefined,
    deadline: { readonly atMs: number; readonly text: string },
    done: UnaryDone,
  ) {
    this.channel = channel
    this.path = path
    this.request = request
    this.metadata = metadata
    this.deadlineMs = deadline.atMs
    this.timeoutText = deadline.text
    this.done = done
  }

  /** Bytes that it holds while it waits. */
  get waitingBytes(): number {
    return this.request.length
  }

  /** Sends the request on a connection that can open a stream. */
  start(connection: ChannelConnection): void {
    const template = connection.templates.find(this.path, this.metadata, this.timeoutText)
    if (template === undefined) {
      this.failLater(GrpcStatusCode.internal, invalidMetadata)
      return
    }
    const request = this.request
    this.connection = connection
    this.sentAtMs = this.channel.clock.monotonicMs()
    const stream = connection.http2.open(template, this)
    this.stream = stream
    const writer = stream.beginWhole(messagePrefixBytes + request.length)
    if (writer === undefined) {
      stream.send(messagePrefix(request.length), request)
      stream.end()
      return
    }
    writer.byte(0)
    writer.uint32(request.length)
    writer.bytes(request)
  }

  /** The caller gives up. */
  cancel(): void {
    if (!this.isDone) this.failLater(GrpcStatusCode.cancelled, 'the call was cancelled')
  }

  onDeadline(): void {
    if (this.isDone) return
    const reply = this.localFailure(GrpcStatusCode.deadlineExceeded, 'the deadline passed before an answer came')
    this.giveUp()
    this.done(reply, this.sentAtMs)
  }

  /** Fails it on this side; `done` is told at the end of the turn. */
  failLater(status: GrpcStatusCode, message: string): void {
    if (this.isDone) return
    const reply = this.localFailure(status, message)
    this.giveUp()
    this.channel.defer(() => this.done(reply, this.sentAtMs))
  }

  /** Ends it, before it was sent, for the connection that it waited for. */
  failUnsent(reply: GrpcFailureReply): void {
    this.finish(reply)
  }

  onHead(head: ResponseHead, endStream: boolean): void {
    if (this.isDone) return
    if (endStream) {
      this.onTrailers(head)
      return
    }
    const refusal = refusalOfHead(head)
    if (refusal === undefined) {
      this.isGzip = head.get('grpc-encoding') === 'gzip'
      return
    }
    this.stream!.reset()
    this.finish({ ok: false, ...serverEnd(refusal, head) })
  }

  onData(bytes: Buffer, start: number, end: number, endStream: boolean): void {
    if (this.isDone) return
    this.stream!.consumed(end - start)
    const messageBytes = end - start - messagePrefixBytes
    if (
      this.reader === undefined &&
      this.message === undefined &&
      messageBytes >= 0 &&
      bytes[start] === 0 &&
      bytes.readUInt32BE(start + 1) === messageBytes &&
      messageBytes <= this.channel.settings.receiveMessageBytesMax
    ) {
      // The whole response in one frame, uncompressed: no reader needed.
      this.message = bytes.subarray(start + messagePrefixBytes, end)
    } else if (start !== end) {
      this.readSlowly(bytes, start, end)
    }
    if (endStream && !this.isDone) this.fail(GrpcStatusCode.unknown, 'the server sent no trailers')
  }

  onTrailers(trailers: ResponseHead): void {
    if (this.isDone) return
    const status = statusOfTrailers(trailers)
    if (status.status !== GrpcStatusCode.ok) {
      this.finish({ ok: false, ...serverEnd(status, trailers) })
    } else if (this.message === undefined || this.reader?.isBetweenMessages === false) {
      this.fail(GrpcStatusCode.internal, 'the server ended the call without a whole message')
    } else {
      this.finish({ ok: true, message: this.message })
    }
  }

  onFailed(failure: StreamFailure): void {
    if (!this.isDone) this.finish(failureOfStream(failure, this.stream === undefined || this.stream.isLocalClosed))
  }

  private readSlowly(bytes: Buffer, start: number, end: number): void {
    this.reader ??= new MessageReader(
      this.channel.settings.receiveMessageBytesMax,
      this.isGzip,
      this.connection!.budget,
    )
    const failure = this.reader.read(bytes, start, end, (message) => {
      if (this.message !== undefined) return secondMessage
      this.message = message
      return undefined
    })
    if (failure !== undefined) this.fail(failure.status, failure.message)
  }

  private fail(status: GrpcStatusCode, message: string): void {
    const reply = this.localFailure(status, message)
    this.giveUp()
    this.done(reply, this.sentAtMs)
  }

  private localFailure(status: GrpcStatusCode, message: string): GrpcFailureReply {
    return localFailure(status, message, this.stream?.isLocalClosed === true)
  }

  private giveUp(): void {
    this.end()
    if (this.stream === undefined) this.channel.onGivenUp()
    else this.stream.reset()
  }

  private finish(reply: UnaryReply): void {
    this.end()
    this.done(reply, this.sentAtMs)
  }

  private end(): void {
    this.isDone = true
    if (this.deadlineSlot >= 0) this.channel.deadlines.remove(this)
    if (this.reader !== undefined) this.reader.drop()
  }
}

export const invalidMetadata =
  'the call has metadata that cannot be sent: use names of a-z, 0-9, _, -, . that gRPC leaves to callers, and values of printable ASCII'

const secondMessage = {
  status: GrpcStatusCode.internal,
  message: 'the server sent more than one message for a call that has one',
}
