/**
 * A set of 128-bit fingerprints, flat in memory. The search remembers with it which (operations taken, state) pairs it
 * has met: storing them whole would take hundreds of bytes each. Two different pairs with equal fingerprints would hide
 * one of them; with the most that ever fit in here (under 2^25) that has a chance below 2^-79.
 */

export const laneCount = 4
const laneSeeds = Int32Array.of(0x243f6a88, 0x85a308d3 | 0, 0x13198a2e, 0x03707344)

/** A well mixed 32-bit hash of two numbers, another one for each lane. */
export function mixLane(lane: number, first: number, second: number): number {
  const seed = laneSeeds[lane]!
  let hash = Math.imul(first ^ seed, 0x9e3779b1)
  hash ^= hash >>> 15
  hash = Math.imul((hash ^ second) + seed, 0x85ebca6b)
  hash ^= hash >>> 13
  hash = Math.imul(hash + Math.imul(second, 0x27d4eb2f), 0xc2b2ae35)
  hash ^= hash >>> 16
  hash = Math.imul(hash ^ Math.imul(first, 0x165667b1), 0x9e3779b1)
  return hash ^ (hash >>> 14)
}

export class FingerprintSet {
  private table: Int32Array
  /** Number of places less one; a power of two less one. */
  private mask: number
  private size = 0
  private readonly sizeMax: number

  /** Past `sizeMax` fingerprints nothing is added any more. */
  constructor(sizeMax: number) {
    this.sizeMax = sizeMax
    this.mask = 255
    this.table = new Int32Array((this.mask + 1) * laneCount)
  }

  get full(): boolean {
    return this.size >= this.sizeMax
  }

  /** True if it was not there. A full set says true of whatever it does not know. */
  add(a: number, b: number, c: number, d: number): boolean {
    // A place whose first lane is 0 is free.
    const first = a === 0 ? 1 : a
    const place = this.find(first, b, c, d)
    if (this.table[place] !== 0) return false
    if (this.full) return true
    this.put(place, first, b, c, d)
    if (++this.size * 2 > this.mask) this.grow()
    return true
  }

  private find(a: number, b: number, c: number, d: number): number {
    const { table, mask } = this
    for (let i = (b ^ (c >>> 7)) & mask; ; i = (i + 1) & mask) {
      const place = i * laneCount
      if (table[place] === 0) return place
      if (table[place] === a && table[place + 1] === b && table[place + 2] === c && table[place + 3] === d) return place
    }
  }

  private put(place: number, a: number, b: number, c: number, d: number): void {
    this.table[place] = a
    this.table[place + 1] = b
    this.table[place + 2] = c
    this.table[place + 3] = d
  }

  private grow(): void {
    const old = this.table
    this.mask = this.mask * 2 + 1
    this.table = new Int32Array((this.mask + 1) * laneCount)
    for (let i = 0; i < old.length; i += laneCount) {
      const a = old[i]!
      if (a === 0) continue
      this.put(this.find(a, old[i + 1]!, old[i + 2]!, old[i + 3]!), a, old[i + 1]!, old[i + 2]!, old[i + 3]!)
    }
  }
}
