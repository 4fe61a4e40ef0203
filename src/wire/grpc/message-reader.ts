/**
 * Cuts a request body into messages.
 *
 *     Length-Prefixed-Message → Compressed-Flag (8)  Message-Length (32, big-endian)  Message
 *
 * A message that lies whole in one piece of the body is handed on in place; one that spans pieces is gathered in a
 * buffer that grows as its bytes arrive, never because its prefix announces much.
 *
 * I1. `headerBytes < 5` while a prefix is unfinished; `messageBytes` and `flag` hold once it is 5.
 * I2. `budget` is charged with the capacity of `buffer`, and credited when the message is handed on or dropped.
 */
import { gunzipSync } from 'node:zlib'
import type { BufferBudget } from '../http2/index.ts'
import { type GrpcFailure, GrpcStatusCode } from './status.ts'

export const messagePrefixBytes = 5
const capacityBytesMin = 4096

export class MessageReader {
  private readonly bytesMax: number
  private readonly isGzip: boolean
  private readonly budget: BufferBudget
  private readonly header = Buffer.alloc(messagePrefixBytes)
  private headerBytes = 0
  private flag = 0
  private messageBytes = 0
  private buffer: Buffer | undefined
  private filled = 0

  constructor(bytesMax: number, isGzip: boolean, budget: BufferBudget) {
    this.bytesMax = bytesMax
    this.isGzip = isGzip
    this.budget = budget
  }

  /** Whether the body may end here. */
  get isBetweenMessages(): boolean {
    return this.headerBytes === 0
  }

  /**
   * Reads `bytes[start..end)`, calling `onMessage` for each message completed, and whether it came compressed. Stops at a
   * failure and returns it.
   */
  read(
    bytes: Buffer,
    start: number,
    end: number,
    onMessage: (message: Uint8Array, isCompressed: boolean) => GrpcFailure | undefined,
  ): GrpcFailure | undefined {
    let offset = start
    for (;;) {
      while (this.headerBytes < messagePrefixBytes) {
        if (offset === end) return undefined
        this.header[this.headerBytes++] = bytes[offset++]!
        if (this.headerBytes < messagePrefixBytes) continue
        const failure = this.acceptPrefix()
        if (failure !== undefined) return failure
      }
      const available = Math.min(this.messageBytes - this.filled, end - offset)
      let message: Buffer
      if (this.filled === 0 && available === this.messageBytes) {
        message = bytes.subarray(offset, offset + available)
      } else {
        if (available > 0 && !this.gather(bytes, offset, available)) return bufferExhausted
        if (this.filled < this.messageBytes) return undefined
        message = this.buffer!.subarray(0, this.messageBytes)
      }
      offset += available
      this.next()
      const failure = this.deliver(message, onMessage)
      if (failure !== undefined) return failure
    }
  }

  /** Drops an unfinished message. */
  drop(): void {
    this.next()
  }

  /** The prefix is complete: the checks of grpc-go's `recvMsg` and `checkRecvPayload`. */
  private acceptPrefix(): GrpcFailure | undefined {
    this.flag = this.header[0]!
    this.messageBytes = this.header.readUInt32BE(1)
    this.filled = 0
    if (this.messageBytes > this.bytesMax) return tooLarge('received message larger', this.messageBytes, this.bytesMax)
    if (this.flag > 1) {
      return failure(GrpcStatusCode.internal, `grpc: received unexpected payload format ${this.flag}`)
    }
    if (this.flag === 1 && !this.isGzip) {
      return failure(GrpcStatusCode.internal, 'grpc: compressed flag set with identity or empty encoding')
    }
    return undefined
  }

  private deliver(
    message: Buffer,
    onMessage: (message: Uint8Array, isCompressed: boolean) => GrpcFailure | undefined,
  ): GrpcFailure | undefined {
    if (this.flag === 0 || message.length === 0) return onMessage(message, this.flag === 1)
    let inflated: Buffer
    try {
      inflated = gunzipSync(message, { maxOutputLength: this.bytesMax })
    } catch (error) {
      if (error instanceof RangeError)
        return tooLarge('received message after decompression larger', this.bytesMax + 1, this.bytesMax)
      const reason = error instanceof Error ? error.message : String(error)
      return failure(GrpcStatusCode.internal, `grpc: failed to decompress the received message: ${reason}`)
    }
    return onMessage(inflated, true)
  }

  /** Copies into the buffer, growing it to at most twice what has arrived. False when the budget is used up. */
  private gather(bytes: Buffer, offset: number, byteLength: number): boolean {
    const needed = this.filled + byteLength
    const capacity = this.buffer === undefined ? 0 : this.buffer.length
    if (needed > capacity) {
      const grownBytes = Math.min(this.messageBytes, Math.max(capacityBytesMin, needed * 2))
      if (!this.budget.claim(grownBytes - capacity)) return false
      const grown = Buffer.allocUnsafeSlow(grownBytes)
      this.buffer?.copy(grown, 0, 0, this.filled)
      this.buffer = grown
    }
    bytes.copy(this.buffer!, this.filled, offset, offset + byteLength)
    this.filled = needed
    return true
  }

  private next(): void {
    if (this.buffer !== undefined) this.budget.release(this.buffer.length)
    this.buffer = undefined
    this.headerBytes = 0
    this.filled = 0
  }
}

function failure(status: GrpcStatusCode, message: string): GrpcFailure {
  return { status, message }
}

function tooLarge(what: string, bytes: number, bytesMax: number): GrpcFailure {
  return failure(GrpcStatusCode.resourceExhausted, `grpc: ${what} than max (${bytes} vs. ${bytesMax})`)
}

export const bufferExhausted: GrpcFailure = {
  status: GrpcStatusCode.resourceExhausted,
  message: 'grpc: too many unfinished messages',
}

/** The five bytes before a message. */
export function messagePrefix(byteLength: number, isCompressed = false): Uint8Array {
  const prefix = Buffer.allocUnsafe(messagePrefixBytes)
  prefix[0] = isCompressed ? 1 : 0
  prefix.writeUInt32BE(byteLength, 1)
  return prefix
}
