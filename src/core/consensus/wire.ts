/**
 * The numbers of the encodings of consensus messages, little-endian.
 *
 *   u8, u32   unsigned
 *   u53       low u32, high u32; the high one at most 2^21 - 1
 *   member    u64
 */

export const u53Bytes = 8
export const memberBytes = 8

const twoTo32 = 0x1_0000_0000

/** Writes into a buffer that the caller made large enough. */
export class WireWriter {
  readonly target: Buffer
  offset: number

  constructor(target: Buffer, offset: number) {
    this.target = target
    this.offset = offset
  }

  u8(value: number): void {
    this.target[this.offset] = value
    this.offset += 1
  }

  u32(value: number): void {
    this.offset = this.target.writeUInt32LE(value, this.offset)
  }

  u53(value: number): void {
    const high = Math.floor(value / twoTo32)
    this.target.writeUInt32LE(value - high * twoTo32, this.offset)
    this.offset = this.target.writeUInt32LE(high, this.offset + 4)
  }

  member(value: bigint): void {
    this.offset = this.target.writeBigUInt64LE(value, this.offset)
  }

  bytes(value: Uint8Array): void {
    this.target.set(value, this.offset)
    this.offset += value.length
  }
}

/**
 * Reads from bytes of any content. A read past the end, or a number out of range, sets `failed` and returns 0; callers
 * check `failed` once at the end, and before they loop over a count that was read.
 */
export class WireReader {
  failed = false
  private readonly source: Buffer
  private readonly end: number
  private offset: number

  constructor(source: Buffer, offset: number, length: number) {
    this.source = source
    this.offset = offset
    this.end = offset + length
    if (offset < 0 || length < 0 || this.end > source.length) {
      this.failed = true
      this.end = offset
    }
  }

  get remaining(): number {
    return this.end - this.offset
  }

  u8(): number {
    if (!this.take(1)) return 0
    return this.source[this.offset - 1] as number
  }

  u32(): number {
    if (!this.take(4)) return 0
    return this.source.readUInt32LE(this.offset - 4)
  }

  u53(): number {
    if (!this.take(8)) return 0
    const high = this.source.readUInt32LE(this.offset - 4)
    if (high > 0x1f_ffff) {
      this.failed = true
      return 0
    }
    return high * twoTo32 + this.source.readUInt32LE(this.offset - 8)
  }

  member(): bigint {
    if (!this.take(8)) return 0n
    return this.source.readBigUInt64LE(this.offset - 8)
  }

  /** A u8 that must be 0 or 1. */
  flag(): boolean {
    const value = this.u8()
    if (value > 1) this.failed = true
    return value === 1
  }

  /** A view of the source, without copying. */
  view(length: number): Uint8Array | undefined {
    if (!this.take(length)) return undefined
    const { source } = this
    return new Uint8Array(source.buffer, source.byteOffset + this.offset - length, length)
  }

  private take(length: number): boolean {
    if (this.failed || length > this.end - this.offset) {
      this.failed = true
      return false
    }
    this.offset += length
    return true
  }
}
