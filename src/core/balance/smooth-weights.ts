/**
 * The turns of smooth weighted round robin, for all endpoints or for those among which a choice is left.
 *
 * Source: nginx, `ngx_http_upstream_get_peer` (`src/http/ngx_http_upstream_round_robin.c`), since 1.3.1: each that takes part
 * gains its weight, the highest is chosen and pays what all gained.
 *
 * I1: `current[i]` belongs to `endpoints[i]`. A choice does not change the sum of all, up to rounding.
 */
import type { BalancedEndpoint } from './balancer.ts'

/** The score of an endpoint that takes no part. */
export const notTakingPart = Number.POSITIVE_INFINITY

export class SmoothWeights<E extends BalancedEndpoint> {
  #endpoints: readonly E[] = []
  #current = new Float64Array(0)

  get endpoints(): readonly E[] {
    return this.#endpoints
  }

  /** Those that stay keep what they gained. */
  update(endpoints: readonly E[]): void {
    const gained = new Map(this.#endpoints.map(({ id }, i) => [id, this.#current[i]!]))
    this.#current = Float64Array.from(endpoints, ({ id }) => gained.get(id) ?? 0)
    this.#endpoints = endpoints
  }

  /** Among all. */
  next(): E | undefined {
    const endpoints = this.#endpoints
    const current = this.#current
    let sum = 0
    let best = -1
    for (let i = 0; i < endpoints.length; i++) {
      const { weight } = endpoints[i]!
      sum += weight
      current[i]! += weight
      if (best === -1 || current[i]! > current[best]!) best = i
    }
    if (best === -1) return undefined
    current[best]! -= sum
    return endpoints[best]
  }

  /** Among those whose score is `score`. */
  nextOf(scores: Float64Array, score: number): E | undefined {
    const endpoints = this.#endpoints
    const current = this.#current
    let sum = 0
    let best = -1
    for (let i = 0; i < endpoints.length; i++) {
      if (scores[i] !== score) continue
      const { weight } = endpoints[i]!
      sum += weight
      current[i]! += weight
      if (best === -1 || current[i]! > current[best]!) best = i
    }
    if (best === -1) return undefined
    current[best]! -= sum
    return endpoints[best]
  }
}
