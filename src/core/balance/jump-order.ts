import { type IsExcluded, jumpHash, mix32, noNode } from '../ring/index.ts'
import type { BalancedEndpoint } from './balancer.ts'
import type { Placement } from './placed.ts'

/** So many other buckets are tried before all are gone through. */
const rehashes = 8

/**
 * Jump hash over the endpoints in the order of their ids, numbers in them by their value (`shard-9` before `shard-10`).
 *
 * Promises: when one is added at the end, its keys move and no others; when one leaves that is not the last, about half of all do: it is
 * for numbered shards, not for instances that come and go. Ignores weights. The keys of an excluded one spread over the others.
 * Cost: ln(n) steps a pick; 4 bytes an endpoint.
 */
export class JumpOrder implements Placement {
  readonly #order: Uint32Array

  constructor(endpoints: readonly BalancedEndpoint[]) {
    const indexes = endpoints.map((_, i) => i)
    this.#order = Uint32Array.from(indexes.sort((a, b) => compareNumbered(endpoints[a]!.id, endpoints[b]!.id)))
  }

  find(hash: number, isExcluded?: IsExcluded): number {
    const count = this.#order.length
    if (count === 0) return noNode
    let bucket = 0
    for (let i = 0; i <= rehashes; i++) {
      bucket = jumpHash(mix32(hash + i), hash, count)
      const index = this.#order[bucket]!
      if (isExcluded === undefined || !isExcluded(index)) return index
    }
    for (let step = 1; step < count; step++) {
      const index = this.#order[(bucket + step) % count]!
      if (!isExcluded?.(index)) return index
    }
    return noNode
  }
}

/** By text, but runs of digits by their value. */
export function compareNumbered(a: string, b: string): number {
  const [left, right] = [a.split(/(\d+)/), b.split(/(\d+)/)]
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const [x, y] = [left[i]!, right[i]!]
    if (x === y) continue
    const difference = i % 2 === 1 ? Number(x) - Number(y) : 0
    if (difference !== 0) return difference
    return x < y ? -1 : 1
  }
  return left.length - right.length
}
