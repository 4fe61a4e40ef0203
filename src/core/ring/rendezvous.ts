/**
 * Highest random weight: every node makes a bid for the key, and the highest gets it.
 *
 * Sources: Thaler and Ravishankar, "Using name-based mappings to increase hit rates", IEEE/ACM ToN 6(1), 1998, §3; weights by the
 * logarithmic method: Schindelhauer and Schomaker, "Weighted distributed hash tables", SPAA 2005, §2.2.
 */
import { mixPair, murmur3 } from './hash.ts'
import { type IsExcluded, noNode, orderById, type RingNode } from './node.ts'

/**
 * Weighted rendezvous hashing. Promises: a node's share is its weight's, up to chance; when a node comes or goes, or its weight
 * changes, only keys that it gets or had move, and the keys of one that went spread over all the others by their weights. Cost: a
 * logarithm a node a key; 8 bytes a node.
 */
export class Rendezvous {
  readonly nodes: readonly RingNode[]
  readonly #order: readonly number[]
  /** Of the node of each rank. */
  readonly #hashes: Uint32Array
  readonly #weights: Float64Array

  /** Throws a RangeError when two ids are equal, or a weight is not above 0. */
  constructor(nodes: readonly RingNode[]) {
    this.nodes = nodes
    this.#order = orderById(nodes)
    this.#hashes = Uint32Array.from(this.#order, (index) => murmur3(nodes[index]!.id))
    this.#weights = Float64Array.from(this.#order, (index) => nodes[index]!.weight ?? 1)
  }

  /** The id of the key's node; undefined when there are none. */
  get(key: string): string | undefined {
    return this.nodes[this.find(murmur3(key))]?.id
  }

  /** The ids of the key's `count` best nodes, best first: for replicas, or to try one after the other. */
  getMany(key: string, count: number): string[] {
    const hash = murmur3(key)
    return this.#order
      .map((index, rank) => ({ index, rank, bid: this.#bid(hash, rank) }))
      .sort((a, b) => a.bid - b.bid || a.rank - b.rank)
      .slice(0, count)
      .map(({ index }) => this.nodes[index]!.id)
  }

  /** The index of the best node of a hash that is not excluded; `noNode` (-1) when there is none. */
  find(hash: number, isExcluded?: IsExcluded): number {
    let best = noNode
    let bestBid = Number.POSITIVE_INFINITY
    for (let rank = 0; rank < this.#order.length; rank++) {
      const bid = this.#bid(hash, rank)
      if (bid >= bestBid) continue
      const index = this.#order[rank]!
      if (isExcluded?.(index)) continue
      best = index
      bestBid = bid
    }
    return best
  }

  /** Exponentially distributed with the weight as its rate: the lowest wins, with a chance of its share of all weights. */
  #bid(hash: number, rank: number): number {
    const unit = (mixPair(hash, this.#hashes[rank]!) + 0.5) / 0x1_0000_0000
    return -Math.log(unit) / this.#weights[rank]!
  }
}
