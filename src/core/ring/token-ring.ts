/**
 * Tokens on a circle of 2^32 places, each owned by a node: what every ring stands on.
 *
 * I1: `tokens` is sorted; `owners[i]` is the node of `tokens[i]`.
 */
import { type IsExcluded, noNode } from './node.ts'
import { type Tokens, tokensPerStep } from './tokens.ts'

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
   * A ring of `nodes` nodes with the tokens of this one and others: linear, where sorting all anew is n log n. `size`: how many those are.
   * `ownerNow` says what the owners are called now, -1 for those whose tokens all go, and keeps the order of those that stay. `gone`:
   * single tokens that go, by their owners as they were called before, each of an owner that stays. Both sorted, equal ones by owner.
   * Pauses at each `yield`.
   */
  *changing(
    ownerNow: Int32Array,
    fresh: Tokens,
    gone: Tokens,
    nodes: number,
    size: number,
  ): Generator<void, TokenRing> {
    const merge = new Merge(this, ownerNow, fresh, gone, size)
    for (let from = 0; from < this.tokens.length; from += tokensPerStep) {
      merge.take(from, Math.min(this.tokens.length, from + tokensPerStep))
      yield
    }
    merge.takeRest()
    return new TokenRing(merge.tokens, merge.owners, nodes)
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

/** Tokens of a ring that stay, and fresh ones, in order. */
class Merge {
  readonly tokens: Uint32Array
  readonly owners: Uint32Array
  readonly #old: TokenRing
  readonly #ownerNow: Int32Array
  readonly #fresh: Tokens
  readonly #gone: Tokens
  #at = 0
  #nextFresh = 0
  #nextGone = 0

  constructor(old: TokenRing, ownerNow: Int32Array, fresh: Tokens, gone: Tokens, size: number) {
    this.#old = old
    this.#ownerNow = ownerNow
    this.#fresh = fresh
    this.#gone = gone
    this.tokens = new Uint32Array(size)
    this.owners = new Uint32Array(size)
  }

  /** The old tokens from `from` to `to`, and the fresh ones before them. */
  take(from: number, to: number): void {
    const { tokens, owners } = this
    const { tokens: oldTokens, owners: oldOwners } = this.#old
    const { values: goneValues, owners: goneOwners } = this.#gone
    const { values: freshValues, owners: freshOwners } = this.#fresh
    const ownerNow = this.#ownerNow
    let [at, nextFresh, nextGone] = [this.#at, this.#nextFresh, this.#nextGone]
    for (let i = from; i < to; i++) {
      const token = oldTokens[i]!
      const before = oldOwners[i]!
      const owner = ownerNow[before]!
      if (owner < 0) continue
      if (goneValues[nextGone] === token && goneOwners[nextGone] === before) {
        nextGone++
        continue
      }
      for (; nextFresh < freshValues.length; nextFresh++, at++) {
        const value = freshValues[nextFresh]!
        if (value > token || (value === token && freshOwners[nextFresh]! >= owner)) break
        tokens[at] = value
        owners[at] = freshOwners[nextFresh]!
      }
      tokens[at] = token
      owners[at] = owner
      at++
    }
    this.#at = at
    this.#nextFresh = nextFresh
    this.#nextGone = nextGone
  }

  takeRest(): void {
    const { values, owners } = this.#fresh
    this.tokens.set(values.subarray(this.#nextFresh), this.#at)
    this.owners.set(owners.subarray(this.#nextFresh), this.#at)
  }
}
