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
    for (let word = 0; word < 16; word++) {
      let value = 0
      for (let i = 3; i >= 0; i--) {
        const at = b * 64 + word * 4 + i
        value = (value << 8) | (at < length ? bytes[at]! : at === length ? 0x80 : 0)
      }
      block[word] = value
    }
    if (b === blocks - 1) {
      block[14] = length << 3
      block[15] = length >>> 29
    }
    addBlock()
  }
  return digest
}

function addBlock(): void {
  let [a, b, c, d] = [digest[0]! | 0, digest[1]! | 0, digest[2]! | 0, digest[3]! | 0]
  for (let i = 0; i < 64; i++) {
    let f: number
    let word: number
    if (i < 16) [f, word] = [(b & c) | (~b & d), i]
    else if (i < 32) [f, word] = [(d & b) | (~d & c), (5 * i + 1) & 15]
    else if (i < 48) [f, word] = [b ^ c ^ d, (3 * i + 5) & 15]
    else [f, word] = [c ^ (b | ~d), (7 * i) & 15]
    const sum = (a + f + sines[i]! + block[word]!) | 0
    const shift = shifts[((i >> 4) << 2) | (i & 3)]!
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
