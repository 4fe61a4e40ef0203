/**
 * One client of a Thrift server. Calls run at once, as they come; each is answered when it is done, by its number.
 *
 * I1. `calls` are those that are not yet answered, at most `connectionCallsMax`. While there are so many, or more than
 *     `unreadBytesMax` of answers wait for the client to take them, no call is begun: nothing is read, and what one read
 *     held of further calls waits in the splitter.
 * I2. `read` does not run inside itself: a call that is answered at once is followed by the loop, not by recursion.
 */
import type { CloseReason, Connection, ConnectionHandler, Timer } from '../../runtime/index.ts'
import { type Metadata, type Method, noMetadata, type RpcCode, type Service } from '../service/index.ts'
import type { IncomingCall, IncomingEvents } from '../transport/index.ts'
import { encodeException } from './application-exception.ts'
import { type Envelope, MessageType, writeMessage } from './message-envelope.ts'
import { MessageSplitter, type ThriftMessage } from './message-splitter.ts'
import type { ServedMethod, ThriftListener } from './thrift-listener.ts'

/** While more than this of answers waits for a client nothing more is read from it: the transport's high-water mark. */
const unreadBytesMax = 1 << 20
/** Answers to what was read before may wait to this many bytes; then it is gone. */
const queuedBytesMax = 64 << 20

const noBytes = new Uint8Array(0)

export class ServedConnection implements ConnectionHandler {
  readonly connection: Connection
  private readonly listener: ThriftListener
  private readonly splitter: MessageSplitter
  private readonly calls = new Set<ThriftIncomingCall>()
  private isPaused = false
  private isReading = false
  private isGone = false
  private isEnding = false
  /** The client ended its side: only its oneway calls are still begun. */
  private hasClientLeft = false
  /** Runs while a message has begun and not ended. */
  private arrivalTimer: Timer | undefined = undefined

  constructor(listener: ThriftListener, connection: Connection) {
    this.listener = listener
    this.connection = connection
    this.splitter = new MessageSplitter(listener.init.limits.messageBytesMax)
  }

  onData(bytes: Uint8Array): void {
    this.read(bytes)
  }

  /** Begins the calls in what arrived and in what waited, as far as I1 lets it. */
  private read(bytes: Uint8Array): void {
    if (this.isReading || this.isGone) return
    this.isReading = true
    try {
      this.splitter.push(bytes, this.onMessage, this.mayBegin)
    } catch (error) {
      this.listener.init.outside.logger.info('a Thrift connection is closed', {
        peer: this.connection.remoteAddress,
        why: (error as Error).message,
      })
      return this.connection.destroy()
    } finally {
      this.isReading = false
    }
    this.updateReading()
    this.watchArrival()
  }

  private readonly mayBegin = (): boolean =>
    this.calls.size < this.listener.init.limits.connectionCallsMax && this.connection.queuedBytes <= unreadBytesMax

  /**
   * A client that ends its side has gone: it has no other way to give a call up. (Differs from servers that read again only
   * after they have answered; like nginx with HTTP.) Oneway calls were not waited for anyway, and go on.
   */
  onEnd(): void {
    this.hasClientLeft = true
    for (const call of [...this.calls]) {
      if (call.envelope.type === MessageType.oneway) continue
      this.calls.delete(call)
      call.abandon()
    }
    this.read(noBytes)
    this.closeWhenIdle()
  }

  onDrain(): void {
    this.read(noBytes)
  }

  onClose(_reason: CloseReason): void {
    if (this.isGone) return
    this.isGone = true
    this.arrivalTimer?.cancel()
    this.listener.closed(this)
    for (const call of [...this.calls]) call.abandon()
    this.calls.clear()
  }

  closeWhenIdle(): void {
    this.isEnding = true
    if (this.calls.size === 0) this.connection.end()
  }

  destroy(): void {
    this.connection.destroy()
  }

  // What follows is for calls.

  answer(call: ThriftIncomingCall, type: MessageType, struct: Uint8Array): void {
    this.calls.delete(call)
    if (this.isGone) return
    const { envelope } = call
    if (envelope.type !== MessageType.oneway) {
      const message = { name: methodOf(envelope.name), type, sequence: envelope.sequence }
      this.connection.write(writeMessage(envelope.protocol, message, struct, this.splitter.framed === true))
      if (this.connection.queuedBytes > queuedBytesMax) return this.connection.destroy()
    }
    this.read(noBytes)
    if (this.isEnding && this.calls.size === 0) this.connection.end()
  }

  private updateReading(): void {
    const stops = !this.mayBegin()
    if (stops === this.isPaused || this.isGone) return
    this.isPaused = stops
    if (stops) this.connection.pause()
    else this.connection.resume()
  }

  private readonly onMessage = ({ envelope: told, struct }: ThriftMessage): void => {
    // The time to arrive is each message's own: of a busy client some message is always under way.
    this.arrivalTimer?.cancel()
    this.arrivalTimer = undefined
    if (told.type !== MessageType.call && told.type !== MessageType.oneway) return this.connection.destroy()
    const served = this.listener.find(told.name, told.protocol)
    // There are clients (Go's) that write every call as a call. What the interface declares counts: they read no answer.
    const envelope = served?.isOneway === true ? { ...told, type: MessageType.oneway } : told
    if (this.hasClientLeft && envelope.type === MessageType.call) return
    const call = new ThriftIncomingCall(this, envelope, served)
    this.calls.add(call)
    if (served === undefined) return call.end('UNIMPLEMENTED', `there is no method ${envelope.name}`, noMetadata)
    if (this.listener.isClosing) return call.end('UNAVAILABLE', 'the server is closing', noMetadata)
    this.listener.init.onCall(call)
    call.deliver(struct)
  }

  private watchArrival(): void {
    // Nor is a client late that nothing is read from.
    if (!this.splitter.isWithin || this.isPaused || this.isGone) {
      this.arrivalTimer?.cancel()
      this.arrivalTimer = undefined
      return
    }
    const { scheduler } = this.listener.init.outside
    this.arrivalTimer ??= scheduler.setTimer(this.listener.init.limits.requestTimeoutMs, () =>
      this.connection.destroy(),
    )
  }
}

/** Multiplexed clients expect the method's name alone in replies. */
function methodOf(name: string): string {
  return name.slice(name.indexOf(':') + 1)
}

export class ThriftIncomingCall implements IncomingCall {
  readonly envelope: Envelope
  readonly metadata: Metadata = noMetadata
  readonly deadlineMs = undefined
  private readonly owner: ServedConnection
  private readonly served: ServedMethod | undefined
  private events: IncomingEvents | undefined = undefined
  private reply: Uint8Array | undefined = undefined
  private isOver = false

  constructor(owner: ServedConnection, envelope: Envelope, served: ServedMethod | undefined) {
    this.owner = owner
    this.envelope = envelope
    this.served = served
  }

  get service(): Service {
    return this.served!.service
  }

  get method(): Method {
    return this.served!.method
  }

  get peer(): string {
    return this.owner.connection.remoteAddress
  }

  receive(events: IncomingEvents): void {
    this.events = events
  }

  pause(): void {}
  resume(): void {}
  sendHeaders(): void {}

  send(message: Uint8Array): boolean {
    this.reply = message
    return true
  }

  end(code: RpcCode | undefined, message: string, _trailers: Metadata): void {
    if (this.isOver) return
    this.isOver = true
    if (code === undefined) this.owner.answer(this, MessageType.reply, this.reply ?? new Uint8Array([0]))
    else this.owner.answer(this, MessageType.exception, encodeException(code, message, this.envelope.protocol))
  }

  // What follows is for the connection.

  deliver(struct: Uint8Array): void {
    if (!this.isOver) this.events?.onMessage(struct)
    if (!this.isOver) this.events?.onHalfClose()
  }

  abandon(): void {
    if (this.isOver) return
    this.isOver = true
    this.events?.onCancel('cancelled')
  }
}
