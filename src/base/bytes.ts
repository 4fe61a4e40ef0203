declare global {
  /** Node's direct string codecs: the same work as `toString` and `write`, without the dispatch on the encoding's name. */
  interface Buffer {
    latin1Slice(start: number, end: number): string
    latin1Write(text: string, offset: number, length?: number): number
    utf8Slice(start: number, end: number): string
    utf8Write(text: string, offset: number, length?: number): number
  }
}

/** The empty byte string, shared. */
export const emptyBytes: Uint8Array = new Uint8Array(0)

/** Orders byte strings as unsigned bytes: negative, zero or positive. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  return Buffer.compare(a, b)
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0
}

/** Copies `chunks` into one new array. */
export function concatBytes(chunks: readonly Uint8Array[]): Uint8Array {
  let length = 0
  for (const chunk of chunks) length += chunk.length
  const joined = Buffer.allocUnsafeSlow(length)
  let offset = 0
  for (const chunk of chunks) {
    joined.set(chunk, offset)
    offset += chunk.length
  }
  return joined
}

/** A `Buffer` over the same memory, for its fast readers and writers. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

const utf8Encoder = new TextEncoder()

export function utf8Bytes(text: string): Uint8Array {
  return utf8Encoder.encode(text)
}

/**
 * A **binary string**: one UTF-16 unit (0 to 255) for each byte. JavaScript orders and hashes such strings exactly as
 * the unsigned bytes they stand for, stores them in one byte a unit, and compares them natively, which makes them the
 * best key for an ordered index.
 */
export type BinaryString = string

export function binaryString(bytes: Uint8Array): BinaryString {
  return asBuffer(bytes).latin1Slice(0, bytes.length)
}

export function binaryStringToBytes(text: BinaryString): Uint8Array {
  return Buffer.from(text, 'latin1')
}
