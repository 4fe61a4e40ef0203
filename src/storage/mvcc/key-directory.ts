import type { BinaryString } from '../../base/index.ts'

/**
 * Owns the way from a key to its id without comparing its way through the tree: extendible hashing (Fagin,
 * Nievergelt, Pippenger and Strong, 1979). Segments of a fixed size split one at a time, so no insertion rehashes
 * more than one segment. Called by `key-index.ts` only.
 *
 * - I1  A key's segment is `segments[top bits of its hash]`, as many bits as `depth`; a segment of local depth d
 *       stands in 2^(depth - d) neighbouring places.
 * - I2  Within a segment, entries (hash, id + 1) are probed linearly from the low bits of the hash; no gap separates
 *       an entry from where its probing starts. An id of 0 is a gap.
 * - I3  A segment that cannot split because too many hashes agree (chosen to, for instance) is `overflowed`: what
 *       it lacks is found by the tree. So the directory never fails and never searches long.
 *
 * Worked example: with depth 1, hashes 0… go to segment 0 and 1… to segment 1. Segment 1 fills, so depth becomes 2:
 * [0, 0, 1, 2], where 10… stay in segment 1 and 11… move to the new segment 2.
 */

const segmentBits = 9
const segmentSize = 1 << segmentBits
const segmentMask = segmentSize - 1
const segmentCountMax = (segmentSize * 3) / 4
const depthMax = 22

class Segment {
  depth: number
  count = 0
  overflowed = false
  readonly words = new Int32Array(segmentSize * 2)

  constructor(depth: number) {
    this.depth = depth
  }
}

/** 32 well-mixed bits of a binary string, by murmur-style multiply and shift. */
export function hashKey(key: BinaryString, seed: number): number {
  let hash = seed
  for (let i = 0; i < key.length; i++) {
    hash = Math.imul(hash ^ key.charCodeAt(i), 0x5bd1_e995)
    hash ^= hash >>> 15
  }
  hash = Math.imul(hash ^ key.length, 0x85eb_ca6b)
  hash ^= hash >>> 13
  hash = Math.imul(hash, 0xc2b2_ae35)
  return hash ^ (hash >>> 16)
}

export class KeyDirectory {
  private depth = 0
  private segments: Segment[] = [new Segment(0)]
  private segmentCount = 1
  private readonly isKey: (id: number, key: BinaryString) => boolean

  /** `isKey` tells whether `id` stands for `key`. */
  constructor(isKey: (id: number, key: BinaryString) => boolean) {
    this.isKey = isKey
  }

  get sizeBytes(): number {
    return this.segmentCount * segmentSize * 8 + this.segments.length * 8
  }

  /** The id of `key`; -1: not there; -2: not in the directory, but the tree may have it (I3). */
  find(hash: number, key: BinaryString): number {
    const segment = this.segmentOf(hash)
    const words = segment.words
    for (let at = hash & segmentMask; ; at = (at + 1) & segmentMask) {
      const id = words[at * 2 + 1]! - 1
      if (id < 0) return segment.overflowed ? -2 : -1
      if (words[at * 2] === hash && this.isKey(id, key)) return id
    }
  }

  /** Adds an id that is not there. */
  insert(hash: number, id: number): void {
    let segment = this.segmentOf(hash)
    while (segment.count === segmentCountMax) {
      if (segment.depth === depthMax) {
        segment.overflowed = true
        return
      }
      this.split(segment, hash)
      segment = this.segmentOf(hash)
    }
    place(segment, hash, id + 1)
  }

  /** Removes `id` if it is there. */
  remove(hash: number, id: number): void {
    const segment = this.segmentOf(hash)
    const words = segment.words
    let gap = hash & segmentMask
    for (; words[gap * 2 + 1] !== id + 1; gap = (gap + 1) & segmentMask) if (words[gap * 2 + 1] === 0) return
    // Moves back each later entry of the run that may stand in the gap, so that none is left (Knuth, TAOCP 6.4 R).
    for (let at = (gap + 1) & segmentMask; words[at * 2 + 1] !== 0; at = (at + 1) & segmentMask) {
      const home = words[at * 2]! & segmentMask
      if (((at - home) & segmentMask) < ((at - gap) & segmentMask)) continue
      words[gap * 2] = words[at * 2]!
      words[gap * 2 + 1] = words[at * 2 + 1]!
      gap = at
    }
    words[gap * 2 + 1] = 0
    segment.count--
  }

  private segmentOf(hash: number): Segment {
    // A shift by 32 is a shift by none.
    return this.segments[this.depth === 0 ? 0 : hash >>> (32 - this.depth)]!
  }

  private split(segment: Segment, hash: number): void {
    if (segment.depth === this.depth) {
      this.depth++
      const wider: Segment[] = []
      for (const each of this.segments) wider.push(each, each)
      this.segments = wider
    }
    const depth = segment.depth + 1
    const low = new Segment(depth)
    const high = new Segment(depth)
    low.overflowed = high.overflowed = segment.overflowed
    const { words } = segment
    for (let at = 0; at < segmentSize; at++) {
      const id = words[at * 2 + 1]!
      if (id === 0) continue
      const entryHash = words[at * 2]!
      place((entryHash >>> (32 - depth)) & 1 ? high : low, entryHash, id)
    }
    const places = 1 << (this.depth - segment.depth)
    const first = (hash >>> (32 - this.depth)) & ~(places - 1)
    for (let i = 0; i < places; i++) this.segments[first + i] = i < places / 2 ? low : high
    this.segmentCount++
  }
}

function place(segment: Segment, hash: number, storedId: number): void {
  const words = segment.words
  let at = hash & segmentMask
  while (words[at * 2 + 1] !== 0) at = (at + 1) & segmentMask
  words[at * 2] = hash
  words[at * 2 + 1] = storedId
  segment.count++
}
