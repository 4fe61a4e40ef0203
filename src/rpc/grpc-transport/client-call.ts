/**
 * One attempt at a call on one HTTP/2 stream.
 *
 * I1. `isDone` is final: no event is told after it, and nothing is sent.
 * I2. What is sent before the stream is open waits in `unsent`; its sender hears `false` at once and `onDrain` when the
 *     stream takes it, so one message waits there, or few.
 * I3. While paused, whole messages wait in `held`, and their bytes are not credited to the server's window: it can have at
 *     most its window of them here. Compressed ones take more: `heldBytes` of all together, bounded too.
 */
import { type GrpcFailure, GrpcStatusCode, MessageReader, messagePrefixBytes } from '../../wire/grpc/index.ts'
import type { ClientStream, ResponseHead, ResponseReceiver, StreamFailure } from '../../wire/http2-client/index.ts'
import { noteCompressed } from '../service/index.ts'
import type { CallEnd, CallEvents, TransportCall, TransportRequest } from '../transport/index.ts'
import type { ChannelConnection } from './channel-connection.ts'
import type { GrpcClientChannel } from './client-channel.ts'
import { endOfFailure, endOfTrailers, localEnd, meaningOfHead } from './response-meaning.ts'
import { sentMessage } from './sent-message.ts'
import { rpcCodeOf } from './status.ts'

export class GrpcClientCall implements TransportCall, ResponseReceiver {
  isDone = false
  readonly request: TransportRequest
  private readonly channel: GrpcClientChannel
  private readonly events: CallEvents
  private stream: ClientStream | undefined = undefined
  private connection: ChannelConnection | undefined = undefined
  private reader: MessageReader | undefined = undefined
  private unsent: Uint8Array[] = []
  private isEnding = false
  private hasWaitedTwice = false
  private isPaused = false
  private held: Uint8Array[] = []
  private heldBytes = 0
  /** Received bytes that are not credited yet. */
  private withheldBytes = 0
  /** The end that waits behind `held`. */
  private heldEnd: CallEnd | undefined = undefined

  constructor(channel: GrpcClientChannel, request: TransportRequest, events: CallEvents) {
    this.channel = channel
    this.request = request
    this.events = events
  }

  /** Opens it on a connection that can open a stream. */
  start(connection: ChannelConnection): void {
    const { service, method, message } = this.request
    const template = connection.templates.find(`/${service.name}/${method.name}`, this.request, this.timeoutText())
    this.connection = connection
    const stream = connection.http2.open(template, this)
    this.stream = stream
    if (message !== undefined) {
      this.sendWhole(stream, message)
      return
    }
    let isLow = true
    for (const one of this.unsent) isLow = stream.send(...sentMessage(one, connection.gzipFromBytes))
    this.unsent = []
    if (this.isEnding) stream.end()
    if (isLow) this.channel.defer(() => this.onDrain())
  }

  send(message: Uint8Array): boolean {
    if (this.isDone || this.isEnding) return true
    const stream = this.stream
    if (stream !== undefined) return stream.send(...sentMessage(message, this.connection!.gzipFromBytes))
    this.unsent.push(message)
    return false
  }

  end(): void {
    if (this.isDone) return
    this.isEnding = true
    this.stream?.end()
  }

  cancel(): void {
    if (this.isDone) return
    this.close()
    if (this.stream === undefined) this.channel.onGivenUp()
    else this.stream.reset()
  }

  pause(): void {
    this.isPaused = true
  }

  resume(): void {
    if (!this.isPaused) return
    this.isPaused = false
    this.deliverHeld()
  }

  /** Fails it before it was sent; told at the end of the turn. */
  failLater(end: CallEnd): void {
    this.channel.defer(() => this.failUnsent(end))
  }

  /** Fails it before it was sent. */
  failUnsent(end: CallEnd): void {
    if (!this.isDone) this.finish(end)
  }

  /** Whether it may wait for one more connection: true the first time. */
  takeSecondWait(): boolean {
    if (this.isDone || this.hasWaitedTwice) return false
    this.hasWaitedTwice = true
    return true
  }

  onDrain(): void {
    if (!this.isDone) this.events.onDrain()
  }

  onHead(head: ResponseHead, endStream: boolean): void {
    if (this.isDone) return
    if (endStream) {
      this.onTrailers(head)
      return
    }
    const { refusal, isGzip, metadata } = meaningOfHead(head)
    if (refusal !== undefined) {
      this.stream!.reset()
      // Success without the messages that were to follow is none.
      this.finish(refusal.code === undefined ? { ...refusal, code: 'UNKNOWN', message: unexpectedHead } : refusal)
      return
    }
    const { limits } = this.channel
    this.reader = new MessageReader(limits.messageBytesMax, isGzip, this.connection!.budget)
    this.events.onHeaders(metadata)
  }

  onData(bytes: Buffer, start: number, end: number, endStream: boolean): void {
    if (this.isDone) return
    this.withheldBytes += end - start
    const reader = this.reader
    if (reader === undefined) return
    const failure = reader.read(bytes, start, end, this.take)
    // A message told may have ended the call.
    if (this.isDone) return
    this.credit()
    if (failure !== undefined) this.fail(failure.status, failure.message)
    else if (endStream) this.fail(GrpcStatusCode.unknown, 'the server sent no trailers')
  }

  onTrailers(trailers: ResponseHead): void {
    if (this.isDone) return
    const end = endOfTrailers(trailers)
    if (end.code === undefined && this.reader?.isBetweenMessages === false) {
      this.fail(GrpcStatusCode.internal, 'the server ended the call in the midst of a message')
    } else if (this.held.length > 0) {
      this.heldEnd = end
    } else {
      this.finish(end)
    }
  }

  onFailed(failure: StreamFailure): void {
    if (this.isDone || this.heldEnd !== undefined) return
    const isWhole = this.request.message === undefined || this.stream === undefined || this.stream.isLocalClosed
    this.finish(endOfFailure(failure, isWhole))
  }

  private readonly take = (message: Uint8Array, isCompressed: boolean): GrpcFailure | undefined => {
    if (this.isDone) return
    if (isCompressed) noteCompressed(message)
    if (!this.isPaused && this.held.length === 0) {
      this.events.onMessage(message)
      return
    }
    this.held.push(message)
    this.heldBytes += message.length
    if (this.heldBytes > Math.max(heldBytesMin, 4 * this.channel.limits.messageBytesMax)) return tooManyHeld
    return
  }

  private sendWhole(stream: ClientStream, message: Uint8Array): void {
    const { gzipFromBytes } = this.connection!
    const writer = gzipFromBytes === undefined ? stream.beginWhole(messagePrefixBytes + message.length) : undefined
    if (writer === undefined) {
      stream.send(...sentMessage(message, gzipFromBytes))
      stream.end()
      return
    }
    writer.byte(0)
    writer.uint32(message.length)
    writer.bytes(message)
  }

  private deliverHeld(): void {
    let at = 0
    while (at < this.held.length && !this.isPaused && !this.isDone) {
      const message = this.held[at++]!
      this.heldBytes -= message.length
      this.events.onMessage(message)
    }
    this.held = at >= this.held.length ? [] : this.held.slice(at)
    if (this.isDone || this.held.length > 0) return
    this.credit()
    if (this.heldEnd !== undefined && !this.isPaused) this.finish(this.heldEnd)
  }

  private credit(): void {
    if (this.isPaused || this.held.length > 0 || this.withheldBytes === 0) return
    this.stream!.consumed(this.withheldBytes)
    this.withheldBytes = 0
  }

  private timeoutText(): string {
    return this.channel.timeoutText(this.request.timeoutMs)
  }

  private fail(status: GrpcStatusCode, message: string): void {
    this.stream!.reset()
    this.finish(localEnd(rpcCodeOf(status) ?? 'UNKNOWN', message, false))
  }

  private finish(end: CallEnd): void {
    this.close()
    this.events.onEnd(end)
  }

  private close(): void {
    this.isDone = true
    this.unsent = []
    this.held = []
    this.reader?.drop()
  }
}

/** What messages that nobody reads yet may take in any case. */
const heldBytesMin = 64 << 20
const tooManyHeld: GrpcFailure = {
  status: GrpcStatusCode.resourceExhausted,
  message: 'the compressed messages of the server that wait to be read are too long: read faster',
}

const unexpectedHead = 'the server said success before it answered'
