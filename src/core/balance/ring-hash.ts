import { ConsistentHashRing, type IsExcluded, noNode } from '../ring/index.ts'
import type { BalancedEndpoint } from './balancer.ts'
import type { Placement } from './placed.ts'

/**
 * A consistent hash ring whose endpoints take no more than `factor` times their share of the requests under way: beyond that a key
 * goes on round the ring.
 *
 * Source: Mirrokni, Thorup, Zadimoghaddam, "Consistent hashing with bounded loads", SODA 2018, §2.
 *
 * Promises: a request is given to an endpoint with at most `ceil(factor * (all active + 1) * share)` with it, as long as one such is
 * not excluded; when all such are, the first that is not excluded gets it, for an answer is worth more than the bound. Cost: n steps
 * a pick to sum up what is active, beside the ring's own.
 */
export class BoundedLoadRing implements Placement {
  readonly #ring: ConsistentHashRing
  readonly #endpoints: readonly BalancedEndpoint[]
  readonly #factor: number
  /** Of the find under way. */
  #loadSum = 0
  #isExcluded: IsExcluded | undefined
  readonly #isUnfit: IsExcluded = (index) =>
    this.#endpoints[index]!.active + 1 > this.#ring.capacity(index, this.#loadSum, this.#factor) ||
    (this.#isExcluded?.(index) ?? false)

  /** Throws a RangeError when `factor` is below 1. */
  constructor(endpoints: readonly BalancedEndpoint[], factor: number) {
    if (!(factor >= 1)) throw new RangeError(`the bounded load factor is ${factor}: give 1 or more, or 0 for no bound`)
    this.#endpoints = endpoints
    this.#ring = new ConsistentHashRing(endpoints)
    this.#factor = factor
  }

  find(hash: number, isExcluded?: IsExcluded): number {
    this.#loadSum = 1
    for (const { active } of this.#endpoints) this.#loadSum += active
    this.#isExcluded = isExcluded
    const found = this.#ring.find(hash, this.#isUnfit)
    this.#isExcluded = undefined
    return found === noNode ? this.#ring.find(hash, isExcluded) : found
  }
}
