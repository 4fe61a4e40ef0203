/**
 * Tokens on a circle of 2^32 places, each owned by a node: what every ring stands on.
 *
 * I1: `tokens` is sorted; `owners[i]` is the node of `tokens[i]`.
 */
import { type IsExcluded, noNode } from './node.ts'

export class TokenRing {
  readonly tokens: Uint32Array
  readonly owners: Uint32Array
  readonly #nodes: number

  /** As I1 wants them, of so many nodes. */
  constructor(tokens: Uint32Array, owners: Uint32Array, nodes: number) {
    this.tokens = tokens
    this.owners = owners
    this.#nodes = nodes
  }

  /** `placed`: `token * 2^20 + rank` for each token; `owners` by rank. At most 2^20 ranks: the number stays exact. */
  static of(placed: Float64Array, ownerOfRank: readonly number[]): TokenRing {
    // Sorting numbers natively is several times as fast as sorting pairs with a comparison. Equal tokens: by rank.
    placed.sort()
    const size = placed.length
    const tokens = new Uint32Array(size)
    const owners = new Uint32Array(size)
    for (let i = 0; i < size; i++) {
      const token = Math.floor(placed[i]! / ranksMax)
      tokens[i] = token
      owners[i] = ownerOfRank[placed[i]! - token * ranksMax]!
    }
    return new TokenRing(tokens, owners, ownerOfRank.length)
  }

  /**
   * A ring of `nodes` nodes with the tokens of this one and others: linear, where sorting all anew is n log n. `ownerNow` says what the
   * owners are called now, -1 for those whose tokens all go, and keeps the order of those that stay. `fresh`: `token * 2^20 + owner`;
   * `gone`: single tokens that go, `token * 2^20` + the owner as it was called before, each of an owner that stays.
   */
  changed(ownerNow: Int32Array, fresh: Float64Array, gone: Float64Array, nodes: number): TokenRing {
    fresh.sort()
    gone.sort()
    let size = fresh.length - gone.length
    for (const owner of this.owners) if (ownerNow[owner]! >= 0) size++
    const tokens = new Uint32Array(size)
    const owners = new Uint32Array(size)
    let next = 0
    let nextGone = 0
    let at = 0
    for (let i = 0; i < this.tokens.length; i++) {
      const token = this.tokens[i]!
      const owner = ownerNow[this.owners[i]!]!
      if (owner < 0) continue
      if (gone[nextGone] === token * ranksMax + this.owners[i]!) {
        nextGone++
        continue
      }
      const place = token * ranksMax + owner
      for (; next < fresh.length && fresh[next]! < place; next++, at++) {
        tokens[at] = Math.floor(fresh[next]! / ranksMax)
        owners[at] = fresh[next]! % ranksMax
      }
      tokens[at] = token
      owners[at] = owner
      at++
    }
    for (; next < fresh.length; next++, at++) {
      tokens[at] = Math.floor(fresh[next]! / ranksMax)
      owners[at] = fresh[next]! % ranksMax
    }
    return new TokenRing(tokens, owners, nodes)
  }

  /** The first token at or after `hash`, going round: its index. `noNode` when the ring is empty. */
  locate(hash: number): number {
    const { tokens } = this
    let low = 0
    let high = tokens.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (tokens[middle]! < hash) low = middle + 1
      else high = middle
    }
    return low < tokens.length ? low : tokens.length === 0 ? noNode : 0
  }

  /** The owner of the first token from `hash` on whose owner is not excluded. */
  find(hash: number, isExcluded: IsExcluded | undefined): number {
    const start = this.locate(hash)
    if (start === noNode) return noNode
    if (isExcluded === undefined) return this.owners[start]!
    const size = this.owners.length
    let last = noNode
    for (let step = 0, at = start; step < size; step++, at = at + 1 === size ? 0 : at + 1) {
      const owner = this.owners[at]!
      if (owner !== last && !isExcluded(owner)) return owner
      last = owner
      // Before a walk round a ring of which all may be excluded: a look whether there is anything to be found.
      if (step === this.#nodes && !this.#hasOther(isExcluded)) return noNode
    }
    return noNode
  }

  #hasOther(isExcluded: IsExcluded): boolean {
    for (let node = 0; node < this.#nodes; node++) if (!isExcluded(node)) return true
    return false
  }
}

/** How many nodes a ring holds at most. */
export const ranksMax = 2 ** 20
