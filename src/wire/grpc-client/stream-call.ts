/**
 * One streaming call in both directions.
 *
 * I1. `isDone` is final: the handler hears nothing after its `onEnd`.
 * I2. What is sent before the stream is open waits in `waiting`, bounded by the channel.
 */
import { GrpcStatusCode, MessageReader, messagePrefix } from '../grpc/index.ts'
import type { ClientStream, ResponseHead, ResponseReceiver, StreamFailure } from '../http2-client/index.ts'
import type { ChannelConnection } from './channel-connection.ts'
import type { GrpcChannel } from './grpc-channel.ts'
import type { CallMetadata, ClientStreamingCall, GrpcFailureReply, StreamEnd, StreamHandler } from './replies.ts'
import { failureOfStream, localFailure, refusalOfHead, serverEnd, statusOfTrailers } from './response-status.ts'
import { invalidMetadata } from './unary-call.ts'

export class StreamCall implements ResponseReceiver, ClientStreamingCall {
  isDone = false
  private readonly channel: GrpcChannel
  private readonly path: string
  private readonly metadata: CallMetadata | undefined
  private readonly handler: StreamHandler
  private stream: ClientStream | undefined = undefined
  private connection: ChannelConnection | undefined = undefined
  private reader: MessageReader | undefined = undefined
  private waiting: Uint8Array[] = []
  private bytesWaiting = 0
  private isEnding = false

  constructor(channel: GrpcChannel, path: string, metadata: CallMetadata | undefined, handler: StreamHandler) {
    this.channel = channel
    this.path = path
    this.metadata = metadata
    this.handler = handler
  }

  /** Bytes that it holds while it waits to be opened, as far as the channel knows of them. */
  get waitingBytes(): number {
    return this.bytesWaiting
  }

  send(message: Uint8Array): number {
    const nowMs = this.channel.clock.monotonicMs()
    if (this.isDone || this.isEnding) return nowMs
    if (this.stream !== undefined) {
      this.sendOn(this.stream, message)
    } else if (this.channel.claimWaiting(message.length)) {
      this.waiting.push(message)
      this.bytesWaiting += message.length
    } else {
      this.failLater(GrpcStatusCode.resourceExhausted, 'too much waits to be sent on this channel')
    }
    return nowMs
  }

  end(): void {
    this.isEnding = true
    this.stream?.end()
  }

  cancel(): void {
    this.failLater(GrpcStatusCode.cancelled, 'the call was cancelled')
  }

  /** Begins it on a connection that can open a stream. */
  start(connection: ChannelConnection): void {
    const template = connection.templates.find(this.path, this.metadata)
    if (template === undefined) {
      this.failLater(GrpcStatusCode.internal, invalidMetadata)
      return
    }
    this.connection = connection
    const stream = connection.http2.open(template, this)
    this.stream = stream
    const waiting = this.waiting
    this.waiting = []
    this.bytesWaiting = 0
    for (const message of waiting) this.sendOn(stream, message)
    if (this.isEnding) stream.end()
  }

  failLater(status: GrpcStatusCode, message: string): void {
    if (this.isDone) return
    const failure = localFailure(status, message, this.stream !== undefined)
    this.giveUp()
    this.channel.defer(() => this.handler.onEnd(endOf(failure)))
  }

  failUnsent(reply: GrpcFailureReply): void {
    this.finish(endOf(reply))
  }

  onHead(head: ResponseHead, endStream: boolean): void {
    if (this.isDone) return
    if (endStream) {
      this.onTrailers(head)
      return
    }
    const refusal = refusalOfHead(head)
    if (refusal === undefined) {
      const isGzip = head.get('grpc-encoding') === 'gzip'
      const { receiveMessageBytesMax } = this.channel.settings
      this.reader = new MessageReader(receiveMessageBytesMax, isGzip, this.connection!.budget)
      return
    }
    this.stream!.reset()
    this.finish(serverEnd(refusal, head))
  }

  onData(bytes: Buffer, start: number, end: number, endStream: boolean): void {
    if (this.isDone) return
    this.stream!.consumed(end - start)
    const failure = this.reader!.read(bytes, start, end, this.deliver)
    // The handler may have ended the call.
    if (this.isDone) return
    if (failure !== undefined) this.fail(failure.status, failure.message)
    else if (endStream) this.fail(GrpcStatusCode.unknown, 'the server sent no trailers')
  }

  onTrailers(trailers: ResponseHead): void {
    if (this.isDone) return
    const status = statusOfTrailers(trailers)
    if (status.status === GrpcStatusCode.ok && this.reader?.isBetweenMessages === false) {
      this.fail(GrpcStatusCode.internal, 'the server ended the call in the midst of a message')
    } else {
      this.finish(serverEnd(status, trailers))
    }
  }

  onFailed(failure: StreamFailure): void {
    if (!this.isDone) this.finish(endOf(failureOfStream(failure, true)))
  }

  private readonly deliver = (message: Uint8Array): undefined => {
    if (!this.isDone) this.handler.onMessage(message)
  }

  private sendOn(stream: ClientStream, message: Uint8Array): void {
    stream.send(messagePrefix(message.length), message)
    if (stream.queuedBytes > this.channel.settings.waitingBytesMax) {
      this.failLater(GrpcStatusCode.resourceExhausted, 'too much waits to be sent on this call')
    }
  }

  private fail(status: GrpcStatusCode, message: string): void {
    this.giveUp()
    this.handler.onEnd(endOf(localFailure(status, message, true)))
  }

  private giveUp(): void {
    this.close()
    if (this.stream === undefined) this.channel.onGivenUp()
    else this.stream.reset()
  }

  private finish(end: StreamEnd): void {
    this.close()
    this.handler.onEnd(end)
  }

  private close(): void {
    this.isDone = true
    this.waiting = []
    this.reader?.drop()
  }
}

function endOf({ status, message, processed, origin, metadata }: GrpcFailureReply): StreamEnd {
  return { status, message, processed, origin, metadata }
}
