/**
 * Google's lookup table: even to about 1%, and one memory access a key.
 *
 * Source: Eisenbud et al., "Maglev: a fast and reliable software network load balancer", NSDI 2016, §3.4 (pseudocode 1). Weights as
 * in Envoy: in each round a node fills a slot only when its weight, summed up round by round, has reached a slot's worth.
 *
 * I1: Every slot of `table` holds a node's index, unless there are no nodes.
 */
import { mix32, murmur3 } from './hash.ts'
import { type IsExcluded, noNode, orderById, type RingNode } from './node.ts'

/** Settings of a {@link MaglevTable}. */
export interface MaglevOptions {
  /**
   * Slots: a prime; a hundred times the number of nodes keeps shares within 1% of each other (§5.3). Default 65,537. All that
   * shall place alike use the same. At most 16,777,213.
   */
  readonly tableSize?: number
}

const tableSizeDefault = 65_537
const tableSizeMax = 16_777_213

/**
 * A Maglev table. Promises shares that follow the weights closely, and little disruption: beside the keys of the node that
 * left a few others move (§5.3: the more slots, the fewer). Cost: constant time a key; 4 bytes a slot; an update fills all slots,
 * a few milliseconds with the default size.
 */
export class MaglevTable {
  readonly nodes: readonly RingNode[]
  readonly table: Int32Array

  /** Throws a RangeError when two ids are equal, a weight is not above 0, or the size is no prime. */
  constructor(nodes: readonly RingNode[], options: MaglevOptions = {}) {
    const { tableSize = tableSizeDefault } = options
    if (!isPrime(tableSize) || tableSize > tableSizeMax)
      throw new RangeError(`tableSize is ${tableSize}: give a prime up to ${tableSizeMax}, such as 65537 or 655373`)
    this.nodes = nodes
    this.table = new Int32Array(tableSize).fill(noNode)
    if (nodes.length > 0) this.#fill()
  }

  /** The id of the key's node; undefined when there are none. */
  get(key: string): string | undefined {
    return this.nodes[this.find(murmur3(key))]?.id
  }

  /** The index of the node of a hash, or of one of the next slots when that is excluded; `noNode` (-1) when there is none. */
  find(hash: number, isExcluded?: IsExcluded): number {
    const { table } = this
    const start = hash % table.length
    const first = table[start]!
    if (first === noNode || isExcluded === undefined || !isExcluded(first)) return first
    const count = this.nodes.length
    for (let step = 1, at = start; step < table.length; step++) {
      at = at + 1 === table.length ? 0 : at + 1
      const node = table[at]!
      if (!isExcluded(node)) return node
      if (step === count && !this.#hasOther(isExcluded)) return noNode
    }
    // With more nodes than slots some have none.
    for (let node = 0; node < count; node++) if (!isExcluded(node)) return node
    return noNode
  }

  #hasOther(isExcluded: IsExcluded): boolean {
    for (let node = 0; node < this.nodes.length; node++) if (!isExcluded(node)) return true
    return false
  }

  /** Pseudocode 1. */
  #fill(): void {
    const { nodes, table } = this
    const size = table.length
    const order = orderById(nodes)
    const weights = order.map((index) => nodes[index]!.weight ?? 1)
    const weightMax = weights.reduce((max, weight) => Math.max(max, weight))
    /** Of the permutation of each node: where it is, and its step. */
    const position = Int32Array.from(order, (index) => murmur3(nodes[index]!.id, 0x6d61) % size)
    const skip = Int32Array.from(order, (index) => (mix32(murmur3(nodes[index]!.id, 0x676c)) % (size - 1)) + 1)
    const filled = new Float64Array(order.length)
    let empty = size
    for (let round = 1; empty > 0; round++) {
      for (let rank = 0; rank < order.length && empty > 0; rank++) {
        // The heaviest takes a slot each round, one of half its weight every other round.
        if (round * weights[rank]! < (filled[rank]! + 1) * weightMax) continue
        filled[rank]!++
        const step = skip[rank]!
        let at = position[rank]!
        // A remainder costs ten times the subtraction, and this is where an update's time goes.
        while (table[at] !== noNode) at = at + step < size ? at + step : at + step - size
        table[at] = order[rank]!
        position[rank] = at + step < size ? at + step : at + step - size
        empty--
      }
    }
  }
}

function isPrime(value: number): boolean {
  if (!Number.isInteger(value) || value < 3 || value % 2 === 0) return false
  for (let divisor = 3; divisor * divisor <= value; divisor += 2) if (value % divisor === 0) return false
  return true
}
