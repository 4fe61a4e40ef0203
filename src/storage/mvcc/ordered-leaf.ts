import type { BinaryString } from '../../base/index.ts'
import { firstNotBelow, headOf, prefixOf, sharedLength } from './key-heads.ts'

/**
 * Owns a run of ids in key order: a leaf of the tree in `ordered-index.ts`. The keys lie in the arena, so comparing
 * with one costs three reads of memory that is rarely in a cache; most searches are decided without, by four bytes
 * kept here.
 *
 * - I1  The keys of `ids` rise strictly.
 * - I2  All keys begin with `prefix`, and `heads[i]` is the head of the key of `ids[i]` after it (`key-heads.ts`).
 * - I3  `live` is the number of ids for which `isLive` holds.
 *
 * Worked example: job/17, job/18, job/2 have prefix "job" and heads "/17", "/18", "/2". A search for job/19 compares
 * numbers only and ends before job/2. Inserting jab/1 shortens the prefix, and all heads are made anew.
 */

/** What the tree knows about the keys behind its ids. */
export interface KeySource {
  isLive(id: number): boolean
  key(id: number): BinaryString
  /** Orders the key of `id` against `key`: negative, zero or positive. */
  compare(id: number, key: BinaryString): number
}

export class Leaf {
  ids: number[]
  live = 0
  private heads: number[] = []
  private prefix: BinaryString = ''
  private readonly source: KeySource

  constructor(source: KeySource, ids: number[]) {
    this.source = source
    this.ids = ids
    this.rebuild()
  }

  /** The first position whose key is at least `key`. */
  lowerBound(key: BinaryString): number {
    const { prefix, heads } = this
    const shared = sharedLength(prefix, key)
    if (shared < prefix.length) return key < prefix ? 0 : this.ids.length
    const head = headOf(key, shared)
    let low = firstNotBelow(heads, head)
    if (heads[low] !== head) return low
    let high = low + 1
    while (heads[high] === head) high++
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.source.compare(this.ids[middle]!, key) < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Puts `id` before position `at`, which is the lower bound of its key. */
  insert(at: number, key: BinaryString, id: number): void {
    const shared = this.ids.length === 0 ? key.length : sharedLength(this.prefix, key)
    this.ids.splice(at, 0, id)
    if (this.ids.length === 1 || shared < this.prefix.length) this.rebuild()
    else this.heads.splice(at, 0, headOf(key, shared))
  }

  remove(at: number): void {
    this.ids.splice(at, 1)
    this.heads.splice(at, 1)
  }

  /** Keeps what is before `at` and returns a leaf of the rest. */
  split(at: number): Leaf {
    const right = new Leaf(this.source, this.ids.slice(at))
    this.ids = this.ids.slice(0, at)
    this.rebuild()
    for (const id of right.ids) if (this.source.isLive(id)) right.live++
    this.live -= right.live
    return right
  }

  /** Takes over all of `right`, whose keys follow. */
  absorb(right: Leaf): void {
    this.ids = this.ids.concat(right.ids)
    this.live += right.live
    this.rebuild()
  }

  /** Finds prefix and heads anew (I2). */
  private rebuild(): void {
    const { ids, source } = this
    if (ids.length === 0) {
      this.prefix = ''
      this.heads = []
      return
    }
    this.prefix = prefixOf(source.key(ids[0]!), source.key(ids.at(-1)!))
    this.heads = ids.map((id) => headOf(source.key(id), this.prefix.length))
  }
}
