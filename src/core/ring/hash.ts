/** Hash functions of 32 bits, for placing keys. None of them withstands someone who looks for collisions. */
import { encodeKey, keyBytes } from './key-bytes.ts'

/**
 * MurmurHash3_x86_32 of the UTF-8 bytes of `key`. Source: Appleby, `MurmurHash3.cpp`. About 1 ns a byte; what the rings and
 * tables of this module use.
 */
export function murmur3(key: string, seed = 0): number {
  const length = encodeKey(key)
  const bytes = keyBytes
  let h = seed | 0
  const whole = length & ~3
  for (let i = 0; i < whole; i += 4) {
    h ^= murmurBlock(bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24))
    h = Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64
  }
  let tail = 0
  for (let i = length - 1; i >= whole; i--) tail = (tail << 8) | bytes[i]!
  if (whole < length) h ^= murmurBlock(tail)
  return mix32(h ^ length)
}

function murmurBlock(block: number): number {
  const k = Math.imul(block, 0xcc9e2d51)
  return Math.imul((k << 15) | (k >>> 17), 0x1b873593)
}

/** MurmurHash3's finalizer: a bijection of 32-bit numbers in which every bit of the input flips half of the output's. */
export function mix32(value: number): number {
  let h = value ^ (value >>> 16)
  h = Math.imul(h, 0x85ebca6b)
  h ^= h >>> 13
  h = Math.imul(h, 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

/** Mixes two 32-bit numbers into one, so that each value of one permutes the other differently. */
export function mixPair(a: number, b: number): number {
  return mix32(mix32(a) + Math.imul(b, 0x9e3779b1))
}

/** FNV-1a of 32 bits of the UTF-8 bytes of `key`. Source: RFC 9923 §5 (`FNV-1a`), offset basis and prime of §5.1. */
export function fnv1a(key: string): number {
  const length = encodeKey(key)
  const bytes = keyBytes
  let h = 0x811c9dc5
  for (let i = 0; i < length; i++) h = Math.imul(h ^ bytes[i]!, 0x01000193)
  return h >>> 0
}

const [prime1, prime2, prime3, prime4, prime5] = [0x9e3779b1, 0x85ebca77, 0xc2b2ae3d, 0x27d4eb2f, 0x165667b1] as const

/** XXH32 of the UTF-8 bytes of `key`. Source: Collet, "xxHash fast digest algorithm", specification 0.1.1, "XXH32". */
export function xxhash32(key: string, seed = 0): number {
  const length = encodeKey(key)
  const bytes = keyBytes
  let i = 0
  let h = seed + prime5
  if (length >= 16) {
    let a = seed + prime1 + prime2
    let b = seed + prime2
    let c = seed | 0
    let d = seed - prime1
    for (; i + 16 <= length; i += 16) {
      a = xxRound(a, lane(bytes, i))
      b = xxRound(b, lane(bytes, i + 4))
      c = xxRound(c, lane(bytes, i + 8))
      d = xxRound(d, lane(bytes, i + 12))
    }
    h = rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18)
  }
  h = (h + length) | 0
  for (; i + 4 <= length; i += 4) h = Math.imul(rotate((h + Math.imul(lane(bytes, i), prime3)) | 0, 17), prime4)
  for (; i < length; i++) h = Math.imul(rotate((h + Math.imul(bytes[i]!, prime5)) | 0, 11), prime1)
  h = Math.imul(h ^ (h >>> 15), prime2)
  h = Math.imul(h ^ (h >>> 13), prime3)
  return (h ^ (h >>> 16)) >>> 0
}

function xxRound(accumulator: number, input: number): number {
  return Math.imul(rotate((accumulator + Math.imul(input, prime2)) | 0, 13), prime1)
}

function lane(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
}

function rotate(value: number, by: number): number {
  return (value << by) | (value >>> (32 - by))
}
