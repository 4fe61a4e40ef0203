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

  /** `placed`: `token * 2^20 + rank` for each token; `owners` by rank. At most 2^20 ranks: the number stays exact. */
  constructor(placed: Float64Array, ownerOfRank: readonly number[]) {
    // Sorting numbers natively is several times as fast as sorting pairs with a comparison. Equal tokens: by rank.
    placed.sort()
    this.tokens = new Uint32Array(placed.length)
    this.owners = new Uint32Array(placed.length)
    this.#nodes = ownerOfRank.length
    placed.forEach((place, i) => {
      this.tokens[i] = Math.floor(place / ranksMax)
      this.owners[i] = ownerOfRank[place % ranksMax]!
    })
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
