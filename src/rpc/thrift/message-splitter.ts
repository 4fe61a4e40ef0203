/**
 * Cuts a stream of bytes into Thrift messages, framed (a length before each) or not: an unframed message ends where its
 * struct does.
 *
 * I1. `held` are the bytes that are not yet a whole message, at most `messageBytesMax` and what came with them.
 */
import { type Envelope, readEnvelope } from './message-envelope.ts'
import { incomplete, structEnd, ThriftSyntaxError } from './struct-walk.ts'

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
  private readonly messageBytesMax: number

  constructor(messageBytesMax: number, framed?: boolean) {
    this.messageBytesMax = messageBytesMax
    this.framed = framed
  }

  /** Whether a message has begun and not ended. */
  get isWithin(): boolean {
    return this.held.length > 0
  }

  /** Takes what arrived and calls `onMessage` for each whole message. Throws a {@link ThriftSyntaxError}. */
  push(bytes: Uint8Array, onMessage: (message: ThriftMessage) => void): void {
    const arrived = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.held = this.held.length === 0 ? arrived : Buffer.concat([this.held, arrived])
    let at = 0
    for (;;) {
      if (at === this.held.length) break
      this.framed ??= this.held[at] === 0
      const end = this.framed ? this.frame(at, onMessage) : this.unframed(at, onMessage)
      if (end === incomplete) break
      at = end
    }
    this.held = at === this.held.length ? Buffer.alloc(0) : this.held.subarray(at)
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
    const envelope = readEnvelope(this.held, at)
    const end = envelope === undefined ? incomplete : structEnd(this.held, envelope.structStart, envelope.protocol)
    this.checkLength((end === incomplete ? this.held.length : end) - at)
    if (envelope === undefined || end === incomplete) return incomplete
    onMessage({ envelope, struct: this.held.subarray(envelope.structStart, end) })
    return end
  }

  private checkLength(length: number): void {
    if (length <= this.messageBytesMax) return
    throw new ThriftSizeError(
      `a message of ${length} bytes or more is longer than messageBytesMax, ${this.messageBytesMax}`,
    )
  }
}
