/**
 * One connection to a Thrift server, with at most one call under way.
 *
 * I1. `call` is the call under way: its message is written as soon as the transport takes it (at once, also before it is
 *     open), and nothing was written for it while `isOpen` is false.
 */
import type { CloseReason, Connection, ConnectionHandler } from '../../runtime/index.ts'
import { noMetadata } from '../service/index.ts'
import { decodeException } from './application-exception.ts'
import { type ThriftCall, type ThriftClientChannel, unsent } from './client-channel.ts'
import { MessageType, writeMessage } from './message-envelope.ts'
import { MessageSplitter, type ThriftMessage } from './message-splitter.ts'

export class ClientConnection implements ConnectionHandler {
  private readonly channel: ThriftClientChannel
  private readonly connection: Connection
  private readonly splitter: MessageSplitter
  private call: ThriftCall | undefined = undefined
  private sequence = 0
  private isOpen = false
  private isGone = false
  /** Why this side closed it. */
  private closingFor: string | undefined = undefined
  /** It was closed for what the server sent. */
  private isBroken = false

  constructor(channel: ThriftClientChannel) {
    const { address, outside, limits, framed } = channel.init
    this.channel = channel
    this.splitter = new MessageSplitter(limits.messageBytesMax, framed)
    this.connection = outside.network.connect(address, { timeoutMs: limits.connectTimeoutMs })
    this.connection.setHandler(this)
  }

  /** Takes a call. Only when it carries none. */
  carry(call: ThriftCall): void {
    this.call = call
    call.connection = this
    if (this.isOpen) this.write(call)
  }

  close(reason = 'this side closed the connection'): void {
    this.closingFor ??= reason
    this.connection.destroy()
  }

  onOpen(): void {
    this.isOpen = true
    if (this.call !== undefined) this.write(this.call)
  }

  onData(bytes: Uint8Array): void {
    if (this.closingFor !== undefined) return
    try {
      this.splitter.push(bytes, (message) => this.onMessage(message))
    } catch (error) {
      this.refuse(`the server's answer is no Thrift: ${(error as Error).message}`)
    }
  }

  onEnd(): void {
    this.connection.end()
  }

  onClose(reason: CloseReason): void {
    if (this.isGone) return
    this.isGone = true
    const { call } = this
    this.call = undefined
    const why = this.closingFor ?? this.connection.closeDetail ?? reason
    const text = `the connection to ${this.connection.remoteAddress} is gone: ${why}`
    this.channel.closed(this, this.isOpen || this.closingFor !== undefined ? undefined : text)
    if (call === undefined) return
    if (!this.isOpen) call.finish(unsent('UNAVAILABLE', text, 'connect'))
    else
      call.finish({
        code: this.isBroken ? 'INTERNAL' : 'UNAVAILABLE',
        message: text,
        trailers: noMetadata,
        isUnprocessed: false,
        origin: 'connection',
      })
  }

  private write(call: ThriftCall): void {
    const { framed, multiplexed } = this.channel.init
    const { service, request } = call
    const isOneway = service.oneway.has(request.method.name)
    this.sequence = (this.sequence + 1) & 0x7fffffff
    const name = multiplexed ? `${service.name}:${request.method.name}` : request.method.name
    const type = isOneway ? MessageType.oneway : MessageType.call
    const struct = request.message ?? new Uint8Array([0])
    this.connection.write(writeMessage(service.protocol, { name, type, sequence: this.sequence }, struct, framed))
    if (!isOneway) return
    // Nothing will be said of it: handed to the transport is all that is known.
    this.channel.init.outside.scheduler.endOfTurn(() => {
      if (this.call === call) this.succeed(call, new Uint8Array(0))
    })
  }

  private refuse(reason: string): void {
    this.isBroken = true
    this.close(reason)
  }

  private onMessage({ envelope, struct }: ThriftMessage): void {
    const { call } = this
    if (call === undefined) return this.refuse('the server answered without being asked')
    if (envelope.sequence !== this.sequence || envelope.protocol !== call.service.protocol)
      return this.refuse('the server answered another call than it was asked')
    if (envelope.type === MessageType.reply) return this.succeed(call, struct)
    if (envelope.type !== MessageType.exception)
      return this.refuse(`the server sent a message of type ${envelope.type}`)
    const { code, message } = decodeException(struct, envelope.protocol)
    this.release()
    call.finish({ code, message, trailers: noMetadata, isUnprocessed: code === 'UNIMPLEMENTED', origin: 'server' })
  }

  private succeed(call: ThriftCall, struct: Uint8Array): void {
    this.release()
    if (call.isOver) return
    call.events.onHeaders(noMetadata)
    call.events.onMessage(struct)
    call.finish({ code: undefined, message: '', trailers: noMetadata, isUnprocessed: false, origin: 'server' })
  }

  private release(): void {
    this.call = undefined
    this.channel.released(this)
  }
}
