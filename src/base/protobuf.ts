/**
 * The protobuf wire format (protobuf.dev/programming-guides/encoding), read and written by hand. No reflection and no
 * intermediate objects: a codec is a loop over tags.
 *
 *     message = field*                     field  = tag value
 *     tag     = varint(number << 3 | type) varint = 1 to 10 bytes, 7 bits each, low bits first, 0x80: more follow
 *     value   = varint                     type 0 (int32, int64, uint64, bool, enum; negatives as 64-bit two's complement)
 *             | 8 bytes                    type 1
 *             | varint(length) bytes       type 2 (bytes, string, message, packed)
 *             | field* end-group           type 3 (skipped), ended by type 4
 *             | 4 bytes                    type 5
 *
 * A codec reads like this:
 *
 *     while (reader.next()) {
 *       switch (reader.tag) {
 *         case bytesTag(1): reader.bytes(); key = reader.binaryString(); break
 *         case varintTag(2): limit = reader.int64Number(); break
 *         default: reader.skip()
 *       }
 *     }
 *     if (reader.malformed) …
 *
 * A known field of another wire type has another tag, so it is skipped as unknown, as the format asks.
 */
import { asBuffer, type BinaryString } from './bytes.ts'

/** The wire tag of a varint field. */
export function varintTag(field: number): number {
  return field << 3
}

/** The wire tag of a bytes, string or message field. */
export function bytesTag(field: number): number {
  return (field << 3) | 2
}

/** Groups are obsolete; nested deeper than this they are an attack. */
const groupDepthMax = 32

/**
 * Reads a message from a part of a buffer. What it cannot read sets `malformed` and moves to the end: every later read
 * gives zero, and `next` false, so a decoder checks once, at its end. Never reads outside its part, never throws.
 */
export class ProtobufReader {
  /** The tag of the present field: number << 3 | wire type. */
  tag = 0
  /** The offsets of the bytes last read by `bytes`: `start` included, `stop` not. Absolute in `buffer`. */
  start = 0
  stop = 0
  /** True once the input broke the grammar; it stays so until `reset`. */
  malformed = false
  buffer: Buffer
  /** The next byte to read. Never more than `end`. */
  offset: number
  /** Where this message ends. */
  end: number
  /** The 64 bits of the varint last read, as two unsigned halves. */
  private low = 0
  private high = 0

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.buffer = asBuffer(bytes)
    this.offset = start
    this.end = end
  }

  /** Makes the reader read another message, so that one reader can serve many. */
  reset(bytes: Uint8Array, start = 0, end = bytes.length): void {
    this.buffer = asBuffer(bytes)
    this.offset = start
    this.end = end
    this.malformed = false
  }

  /** Marks the message as malformed, for what only the caller can judge. Always returns false. */
  fail(): false {
    this.malformed = true
    this.offset = this.end
    return false
  }

  /** Moves to the next field and reads its tag. False at the end, and when malformed. */
  next(): boolean {
    if (this.offset >= this.end) return false
    const first = this.buffer[this.offset]!
    if (first < 0x80) {
      this.offset++
      this.tag = first
    } else {
      this.varint()
      if (this.malformed || this.high !== 0) return this.fail()
      this.tag = this.low
    }
    return this.tag >= 8 || this.fail()
  }

  /** Reads an unsigned number. One above 2^53 - 1 gives 2^53 - 1. */
  number(): number {
    const first = this.offset < this.end ? this.buffer[this.offset]! : 0x80
    if (first < 0x80) {
      this.offset++
      return first
    }
    this.varint()
    return this.high > 0x1f_ffff ? Number.MAX_SAFE_INTEGER : this.high * 0x1_0000_0000 + this.low
  }

  /** Reads an int64 as a number. One outside plus or minus 2^53 - 1 gives that limit. */
  int64Number(): number {
    const first = this.offset < this.end ? this.buffer[this.offset]! : 0x80
    if (first < 0x80) {
      this.offset++
      return first
    }
    this.varint()
    const value = (this.high | 0) * 0x1_0000_0000 + this.low
    if (value > Number.MAX_SAFE_INTEGER) return Number.MAX_SAFE_INTEGER
    return Math.max(value, -Number.MAX_SAFE_INTEGER)
  }

  /** Reads an int32 or an enum: the low 32 bits, signed. */
  int32(): number {
    this.varint()
    return this.low | 0
  }

  bool(): boolean {
    this.varint()
    return (this.low | this.high) !== 0
  }

  /** Reads an int64, exact and signed. */
  int64(): bigint {
    this.varint()
    if (this.high === 0) return BigInt(this.low)
    return (BigInt(this.high | 0) << 32n) | BigInt(this.low)
  }

  /** Reads a uint64, exact. */
  uint64(): bigint {
    this.varint()
    if (this.high === 0) return BigInt(this.low)
    return (BigInt(this.high) << 32n) | BigInt(this.low)
  }

  /** Reads a length-delimited value as offsets: sets `start` and `stop`. Both are `end` when malformed. */
  bytes(): void {
    const length = this.number()
    if (length > this.end - this.offset) this.fail()
    this.start = this.offset
    this.stop = this.malformed ? this.end : this.offset + length
    this.offset = this.stop
  }

  /**
   * Enters the sub-message that the present field holds: `next` now walks its fields. Returns what `leave` needs.
   * Nesting is the caller's to bound.
   */
  enter(): number {
    const outerEnd = this.end
    this.bytes()
    this.offset = this.start
    this.end = this.stop
    return outerEnd
  }

  /** Goes on after the sub-message that `enter` entered. */
  leave(outerEnd: number): void {
    this.offset = this.malformed ? outerEnd : this.end
    this.end = outerEnd
  }

  /** The bytes last read, as a view of the input. */
  view(): Uint8Array {
    return this.buffer.subarray(this.start, this.stop)
  }

  /** The bytes last read, as a binary string. */
  binaryString(): BinaryString {
    return this.buffer.latin1Slice(this.start, this.stop)
  }

  /** The bytes last read, as UTF-8 text; broken UTF-8 gives U+FFFD. */
  text(): string {
    return this.buffer.utf8Slice(this.start, this.stop)
  }

  /** Skips the value of the present field, whatever its type. */
  skip(): void {
    this.skipValue(this.tag, 0)
  }

  private skipValue(tag: number, depth: number): void {
    switch (tag & 7) {
      case 0:
        this.varint()
        return
      case 1:
        this.advance(8)
        return
      case 2:
        this.advance(this.number())
        return
      case 3:
        this.skipGroup(tag, depth)
        return
      case 5:
        this.advance(4)
        return
      default:
        this.fail()
    }
  }

  private skipGroup(tag: number, depth: number): void {
    if (depth >= groupDepthMax) {
      this.fail()
      return
    }
    const endTag = tag + 1
    while (this.next()) {
      if (this.tag === endTag) return
      this.skipValue(this.tag, depth + 1)
    }
    this.fail()
  }

  private advance(length: number): void {
    if (length > this.end - this.offset) this.fail()
    else this.offset += length
  }

  /** Reads any varint into `low` and `high`. Bits past the 64th are dropped, as other implementations do. */
  private varint(): void {
    const { buffer, end } = this
    let offset = this.offset
    let low = 0
    let high = 0
    for (let shift = 0; shift < 70; shift += 7) {
      if (offset >= end) break
      const byte = buffer[offset++]!
      const bits = byte & 0x7f
      if (shift < 28) low |= bits << shift
      else if (shift === 28) {
        low |= bits << 28
        high = bits >>> 4
      } else if (shift < 63) high |= bits << (shift - 32)
      else high |= (bits & 1) << 31
      if (byte < 0x80) {
        this.offset = offset
        this.low = low >>> 0
        this.high = high >>> 0
        return
      }
    }
    this.low = 0
    this.high = 0
    this.fail()
  }
}
