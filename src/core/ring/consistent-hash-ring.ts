/**
 * Consistent hashing with virtual nodes, and with bounded loads.
 *
 * Sources: Karger et al., "Consistent hashing and random trees", STOC 1997, §4; virtual nodes: Stoica et al., "Chord", SIGCOMM
 * 2001, §6.1; bounded loads: Mirrokni, Thorup, Zadimoghaddam, "Consistent hashing with bounded loads", SODA 2018, §2.
 */
import { mixPair, murmur3 } from './hash.ts'
import { type IsExcluded, orderById, type RingNode } from './node.ts'
import { ranksMax, TokenRing } from './token-ring.ts'

/** Settings of a {@link ConsistentHashRing}. */
export interface ConsistentHashRingOptions {
  /** Virtual nodes of a node of weight 1: from 1. More spread better and cost memory. Default 160. */
  readonly vnodesPerWeight?: number
}

/** Past so many tokens all nodes get half as many, and again half, so that a ring is built in tens of milliseconds. */
const tokensMax = 2 ** 17

/**
 * A ring on which a node has tokens in proportion to its weight; a key belongs to the node of the next token.
 *
 * Promises: when a node comes or goes, only keys that it gets or had move (as long as the ring has at most 131,072 tokens: at
 * each doubling past that, half of the tokens go). A node's share differs from its weight's by about 1/sqrt(vnodes), 8% with 160.
 * Cost: log2(tokens) steps a key; 8 bytes a token; an update sorts all tokens. At most 1,048,576 nodes.
 */
export class ConsistentHashRing {
  readonly nodes: readonly RingNode[]
  readonly #ring: TokenRing
  readonly #weightSum: number

  /** Throws a RangeError when two ids are equal, or a weight is not above 0. */
  constructor(nodes: readonly RingNode[], options: ConsistentHashRingOptions = {}) {
    const { vnodesPerWeight = 160 } = options
    if (!(vnodesPerWeight >= 1)) throw new RangeError(`vnodesPerWeight is ${vnodesPerWeight}: give 1 or more`)
    if (nodes.length > ranksMax) throw new RangeError(`${nodes.length} nodes: a ring holds at most ${ranksMax}`)
    this.nodes = nodes
    const order = orderById(nodes)
    this.#weightSum = nodes.reduce((sum, { weight = 1 }) => sum + weight, 0)
    this.#ring = TokenRing.of(placeTokens(nodes, order, vnodesPerWeight * this.#scale(vnodesPerWeight)), order)
  }

  /** How many tokens there are. */
  get size(): number {
    return this.#ring.tokens.length
  }

  /** The id of the key's node; undefined when the ring is empty. */
  get(key: string): string | undefined {
    return this.nodes[this.find(murmur3(key))]?.id
  }

  /** The ids of the key's first `count` different nodes round the ring: for replicas, or to try one after the other. */
  getMany(key: string, count: number): string[] {
    const chosen = new Set<number>()
    const hash = murmur3(key)
    while (chosen.size < Math.min(count, this.nodes.length)) chosen.add(this.find(hash, (index) => chosen.has(index)))
    return [...chosen].map((index) => this.nodes[index]!.id)
  }

  /** The index of the node of a hash, going on past the excluded; `noNode` (-1) when there is none. */
  find(hash: number, isExcluded?: IsExcluded): number {
    return this.#ring.find(hash, isExcluded)
  }

  /**
   * How much load a node may carry, counting the unit that is being placed, when all carry `loadSum` with it: its share,
   * `factor` times, rounded up (SODA 2018, §2). As the capacities sum to more than `loadSum`, there is always room.
   */
  capacity(index: number, loadSum: number, factor: number): number {
    return Math.ceil((factor * loadSum * (this.nodes[index]!.weight ?? 1)) / this.#weightSum)
  }

  #scale(vnodesPerWeight: number): number {
    let scale = 1
    while (this.#weightSum * vnodesPerWeight * scale > tokensMax) scale /= 2
    return scale
  }
}

function placeTokens(nodes: readonly RingNode[], order: readonly number[], vnodesPerWeight: number): Float64Array {
  const vnodesOf = (index: number): number => Math.max(1, Math.round((nodes[index]!.weight ?? 1) * vnodesPerWeight))
  const placed = new Float64Array(order.reduce((sum, index) => sum + vnodesOf(index), 0))
  let at = 0
  order.forEach((index, rank) => {
    const base = murmur3(nodes[index]!.id)
    const other = murmur3(nodes[index]!.id, 0x9747b28c)
    const vnodes = vnodesOf(index)
    // Two hashes of the id, so that ids which collide in one do not share all tokens.
    for (let vnode = 0; vnode < vnodes; vnode++) {
      placed[at++] = mixPair(base, mixPair(other, vnode)) * ranksMax + rank
    }
  })
  return placed
}
