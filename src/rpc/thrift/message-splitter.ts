/**
 * Cuts a stream of bytes into Thrift messages, framed (a length before each) or not: an unframed message ends where its
 * struct does.
 *
 * I1. `held` are the bytes that are not yet a whole message, at most `messageBytesMax` and what came with them. They lie in
 *     `room`, where that is there, which has at most as much room again: so what arrives in many pieces is copied, and
 *     walked, about once.
 * I2. `begun` is how far an unframed message at the beginning of `held` was walked.
 */
import { type Envelope, readEnvelope } from './message-envelope.ts'
import { incomplete, type StructWalk, structEnd, structWalk, ThriftSyntaxError } from './struct-walk.ts'

export interface ThriftMessage {
  readonly envelope: Envelope
  /** A view of received memory, which stays unchanged. */
  readonly struct: Uint8Array
}

/** A message is longer than the bound. */
export class ThriftSizeError extends ThriftSyntaxError {}

const prefixBytes = 4

export class MessageSplitter {
  /** Undefined until the first byte tells: a frame's length begins with 0, a message with 0x80 or 0x82. */
  framed: boolean | undefined
  private held: Buffer = Buffer.alloc(0)
  private room: Buffer | undefined = undefined
  private begun: { readonly envelope: Envelope; readonly walk: StructWalk } | undefined = undefined
  private readonly messageBytesMax: number

  constructor(messageBytesMax: number, framed?: boolean) {
    this.messageBytesMax = messageBytesMax
    this.framed = framed
  }

  /** Whether a message has begun and not ended, or waits. */
  get isWithin(): boolean {
    return this.held.length > 0
  }

  /**
   * Takes what arrived and calls `onMessage` for each whole message, as long as `mayGoOn`; messages that wait then go on
   * with the next call, which may bring nothing. Throws a {@link ThriftSyntaxError}.
   */
  push(bytes: Uint8Array, onMessage: (message: ThriftMessage) => void, mayGoOn: () => boolean = always): void {
    if (bytes.length > 0) this.append(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
    let at = 0
    while (at < this.held.length && mayGoOn()) {
      this.framed ??= this.held[at] === 0
      const end = this.framed ? this.frame(at, onMessage) : this.unframed(at, onMessage)
      if (end === incomplete) break
      at = end
    }
    if (at < this.held.length) this.held = this.held.subarray(at)
    else {
      this.held = noBytes
      this.room = undefined
    }
  }

  /** See I1. Messages handed on are views of what lies before: nothing is ever written there again. */
  private append(arrived: Buffer): void {
    const { held, room } = this
    if (held.length === 0) {
      this.held = arrived
      return
    }
    const byteLength = held.length + arrived.length
    const offset = room === undefined ? 0 : held.byteOffset - room.byteOffset
    if (room !== undefined && offset + byteLength <= room.length) {
      arrived.copy(room, offset + held.length)
      this.held = room.subarray(offset, offset + byteLength)
      return
    }
    const larger = Buffer.allocUnsafeSlow(2 * byteLength)
    held.copy(larger)
    arrived.copy(larger, held.length)
    this.room = larger
    this.held = larger.subarray(0, byteLength)
  }

  private frame(at: number, onMessage: (message: ThriftMessage) => void): number {
    if (this.held.length - at < prefixBytes) return incomplete
    const length = this.held.readUInt32BE(at)
    this.checkLength(length)
    const start = at + prefixBytes
    const end = start + length
    if (this.held.length < end) return incomplete
    const frame = this.held.subarray(start, end)
    const envelope = readEnvelope(frame, 0)
    const struct = envelope === undefined ? incomplete : structEnd(frame, envelope.structStart, envelope.protocol)
    if (envelope === undefined || struct !== frame.length)
      throw new ThriftSyntaxError('a frame does not hold exactly one message')
    onMessage({ envelope, struct: frame.subarray(envelope.structStart) })
    return end
  }

  private unframed(at: number, onMessage: (message: ThriftMessage) => void): number {
    const message = this.held.subarray(at)
    this.begun ??= begin(message)
    const end =
      this.begun === undefined ? incomplete : this.begun.walk.advance(message, this.begun.envelope.structStart)
    this.checkLength(end === incomplete ? message.length : end)
    if (this.begun === undefined || end === incomplete) return incomplete
    const { envelope } = this.begun
    this.begun = undefined
    onMessage({ envelope, struct: message.subarray(envelope.structStart, end) })
    return at + end
  }

  private checkLength(length: number): void {
    if (length <= this.messageBytesMax) return
    throw new ThriftSizeError(
      `a message of ${length} bytes or more is longer than messageBytesMax, ${this.messageBytesMax}`,
    )
  }
}

const noBytes: Buffer = Buffer.alloc(0)
const always = (): boolean => true

/** Undefined: its envelope is not there yet. */
function begin(message: Buffer): { readonly envelope: Envelope; readonly walk: StructWalk } | undefined {
  const envelope = readEnvelope(message, 0)
  return envelope === undefined ? undefined : { envelope, walk: structWalk(envelope.protocol) }
}
