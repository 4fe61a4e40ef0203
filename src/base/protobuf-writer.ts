/**
 * Writes the protobuf wire format (its grammar is in `protobuf.ts`). Two ways: free functions that put fields at an
 * offset of a buffer sized up front, for hot paths; and {@link ProtobufWriter}, which grows, for everything else.
 */
import type { BinaryString } from './bytes.ts'

/** The length of a varint for an int64 given as a number: 1 to 8 bytes, or 10 when negative. */
export function varintSize(value: number): number {
  if (value < 0) return 10
  if (value < 0x80) return 1
  if (value < 0x4000) return 2
  if (value < 0x20_0000) return 3
  if (value < 0x1000_0000) return 4
  if (value < 0x8_0000_0000) return 5
  if (value < 0x400_0000_0000) return 6
  if (value < 0x2_0000_0000_0000) return 7
  return 8
}

/** The length of a varint for an int64 or uint64. */
export function varint64Size(value: bigint): number {
  if (value < 0n) return 10
  let size = 1
  for (let rest = value >> 7n; rest > 0n; rest >>= 7n) size++
  return size
}

/** The length of an integer field with its tag; 0 for the default, which is left out. */
export function intFieldSize(field: number, value: number): number {
  return value === 0 ? 0 : varintSize(field << 3) + varintSize(value)
}

/** As {@link intFieldSize}, for exact 64-bit values. */
export function int64FieldSize(field: number, value: bigint): number {
  return value === 0n ? 0 : varintSize(field << 3) + varint64Size(value)
}

/** The length of a length-delimited field with its tag, also when empty. */
export function bytesFieldSize(field: number, length: number): number {
  return varintSize(field << 3) + varintSize(length) + length
}

/** Puts a varint at `offset`; returns the offset after it. `value` is an integer within plus or minus 2^53 - 1. */
export function putVarint(target: Uint8Array, offset: number, value: number): number {
  if (value < 0) return putVarint64(target, offset, BigInt(value))
  let at = offset
  let rest = value
  while (rest >= 0x1000_0000) {
    target[at++] = (rest & 0x7f) | 0x80
    rest = Math.floor(rest / 128)
  }
  while (rest >= 0x80) {
    target[at++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  target[at++] = rest
  return at
}

/** Puts a varint of exactly 64 bits: negatives in two's complement. */
export function putVarint64(target: Uint8Array, offset: number, value: bigint): number {
  let rest = BigInt.asUintN(64, value)
  let at = offset
  // Ten groups of 7 bits at most; four at a time while wide, to keep bigint steps few.
  while (rest > 0xfff_ffffn) {
    let bits = Number(rest & 0xfff_ffffn)
    for (let i = 0; i < 4; i++) {
      target[at++] = (bits & 0x7f) | 0x80
      bits >>>= 7
    }
    rest >>= 28n
  }
  return putVarint(target, at, Number(rest))
}

/** Puts an integer field, unless it is 0. */
export function putIntField(target: Uint8Array, offset: number, field: number, value: number): number {
  if (value === 0) return offset
  return putVarint(target, putVarint(target, offset, field << 3), value)
}

/** Puts a 64-bit field, unless it is 0. */
export function putInt64Field(target: Uint8Array, offset: number, field: number, value: bigint): number {
  if (value === 0n) return offset
  return putVarint64(target, putVarint(target, offset, field << 3), value)
}

/** Puts the tag and length of a length-delimited field, also when empty; its bytes follow. */
export function putBytesHead(target: Uint8Array, offset: number, field: number, length: number): number {
  return putVarint(target, putVarint(target, offset, (field << 3) | 2), length)
}

/**
 * Builds one message. Scalar methods leave out a field with its default value (proto3); those named `present…` write it
 * always, for oneofs and repeated fields.
 */
export class ProtobufWriter {
  private buffer: Buffer
  /** Bytes written. */
  private size = 0

  constructor(capacity = 128) {
    this.buffer = Buffer.allocUnsafe(capacity)
  }

  get length(): number {
    return this.size
  }

  /** An integer within plus or minus 2^53 - 1: int32, int64, uint64 or enum. */
  int(field: number, value: number): this {
    if (value !== 0) this.presentInt(field, value)
    return this
  }

  presentInt(field: number, value: number): this {
    this.reserve(20)
    this.size = putVarint(this.buffer, putVarint(this.buffer, this.size, field << 3), value)
    return this
  }

  int64(field: number, value: bigint): this {
    if (value === 0n) return this
    this.reserve(20)
    this.size = putInt64Field(this.buffer, this.size, field, value)
    return this
  }

  bool(field: number, value: boolean): this {
    return value ? this.presentInt(field, 1) : this
  }

  bytes(field: number, value: Uint8Array): this {
    return value.length === 0 ? this : this.presentBytes(field, value)
  }

  presentBytes(field: number, value: Uint8Array): this {
    this.head(field, value.length)
    this.buffer.set(value, this.size)
    this.size += value.length
    return this
  }

  binaryString(field: number, value: BinaryString): this {
    return value.length === 0 ? this : this.presentBinaryString(field, value)
  }

  presentBinaryString(field: number, value: BinaryString): this {
    this.head(field, value.length)
    this.buffer.latin1Write(value, this.size)
    this.size += value.length
    return this
  }

  text(field: number, value: string): this {
    return value.length === 0 ? this : this.presentText(field, value)
  }

  presentText(field: number, value: string): this {
    const length = Buffer.byteLength(value, 'utf8')
    this.head(field, length)
    this.buffer.utf8Write(value, this.size)
    this.size += length
    return this
  }

  /** A sub-message, written by `body`, also when empty. */
  message(field: number, body: (writer: this) => void): this {
    this.reserve(10)
    this.size = putVarint(this.buffer, this.size, (field << 3) | 2)
    const lengthAt = this.size
    // One byte is enough for most lengths; a longer one moves the body.
    this.size++
    body(this)
    const length = this.size - lengthAt - 1
    const wider = varintSize(length) - 1
    if (wider > 0) {
      this.reserve(wider)
      this.buffer.copyWithin(lengthAt + 1 + wider, lengthAt + 1, this.size)
      this.size += wider
    }
    putVarint(this.buffer, lengthAt, length)
    return this
  }

  /** The message so far, as a view that the next write may overwrite or leave behind. */
  finish(): Uint8Array {
    return this.buffer.subarray(0, this.size)
  }

  /** Forgets everything written and starts again in the same memory, which overwrites what `finish` returned. */
  clear(): void {
    this.size = 0
  }

  private head(field: number, length: number): void {
    this.reserve(20 + length)
    this.size = putBytesHead(this.buffer, this.size, field, length)
  }

  private reserve(more: number): void {
    if (this.size + more <= this.buffer.length) return
    const grown = Buffer.allocUnsafe(Math.max(this.buffer.length * 2, this.size + more))
    this.buffer.copy(grown, 0, 0, this.size)
    this.buffer = grown
  }
}
