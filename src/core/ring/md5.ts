/**
 * MD5, for what others have placed with it (ketama); never for secrets. Source: RFC 1321 §3. Pure, so that it also works where
 * the platform forbids MD5 (FIPS) or has no `node:crypto`.
 *
 * I1: `digest` holds the state of the last call; its caller reads it before the next.
 */
import { encodeKey, keyBytes } from './key-bytes.ts'

/** The four words A, B, C, D of the last digest. The digest's bytes are these words, low byte first. */
const digest = new Uint32Array(4)
const block = new Int32Array(16)
/** RFC 1321 §3.4: T[i] = floor(2^32 * |sin(i)|). */
const sines = Int32Array.from({ length: 64 }, (_, i) => Math.floor(Math.abs(Math.sin(i + 1)) * 2 ** 32))
const shifts = Uint8Array.of(7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21)

/** The MD5 of the UTF-8 bytes of `key`, as four words, low byte first. Valid until the next call. */
export function md5Words(key: string): Uint32Array {
  const length = encodeKey(key)
  const bytes = keyBytes
  digest[0] = 0x67452301
  digest[1] = 0xefcdab89
  digest[2] = 0x98badcfe
  digest[3] = 0x10325476
  // §3.1 and §3.2: a bit, zeros, and the length in bits in the last eight bytes.
  const blocks = ((length + 8) >>> 6) + 1
  for (let b = 0; b < blocks; b++) {
    const from = b * 64
    const isFull = from + 64 <= length
    for (let word = 0, at = from; word < 16; word++, at += 4) {
      block[word] =
        isFull || at + 4 <= length
          ? bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
          : lastWord(bytes, at, length)
    }
    if (b === blocks - 1) {
      block[14] = length << 3
      block[15] = length >>> 29
    }
    addBlock()
  }
  return digest
}

/** The word at `at`, where the key ends in it or before: the rest of the key, the bit that follows it, and zeros. */
function lastWord(bytes: Uint8Array, at: number, length: number): number {
  if (at > length) return 0
  let value = 0x80 << ((length - at) * 8)
  for (let i = length - at - 1; i >= 0; i--) value |= bytes[at + i]! << (i * 8)
  return value
}

/** §3.4, round by round. */
function addBlock(): void {
  let a = digest[0]! | 0
  let b = digest[1]! | 0
  let c = digest[2]! | 0
  let d = digest[3]! | 0
  for (let i = 0; i < 64; i++) {
    const round = i >> 4
    let f: number
    let word: number
    if (round === 0) {
      f = (b & c) | (~b & d)
      word = i
    } else if (round === 1) {
      f = (d & b) | (~d & c)
      word = (5 * i + 1) & 15
    } else if (round === 2) {
      f = b ^ c ^ d
      word = (3 * i + 5) & 15
    } else {
      f = c ^ (b | ~d)
      word = (7 * i) & 15
    }
    const sum = (a + f + sines[i]! + block[word]!) | 0
    const shift = shifts[(round << 2) | (i & 3)]!
    a = d
    d = c
    c = b
    b = (b + ((sum << shift) | (sum >>> (32 - shift)))) | 0
  }
  digest[0]! += a
  digest[1]! += b
  digest[2]! += c
  digest[3]! += d
}
