import type { BalancedEndpoint, Balancer, PickRequest, RandomUnit } from './balancer.ts'
import { peakEwmaCost } from './peak-ewma.ts'
import { nothing, Sampler } from './sampler.ts'

/**
 * Power of two choices with peak EWMA: of two drawn at random, the one where a request is expected to wait less.
 *
 * Sources: Mitzenmacher, "The power of two choices in randomized load balancing", IEEE TPDS 12(10), 2001; the cost is that of
 * Finagle's `PeakEwma`. Both are drawn by weight, and requests under way are counted in proportion to the weight.
 *
 * Promises: the more expensive of the two is never chosen, so the most expensive of all gets nothing while another may be chosen;
 * callers that know the same do not all run to the same endpoint. Cost: constant time a pick, n when nearly all are excluded;
 * 12 bytes an endpoint.
 */
export class PowerOfTwoChoices<E extends BalancedEndpoint> implements Balancer<E> {
  readonly #sampler: Sampler<E>
  #weightMean = 1

  constructor(randomUnit: RandomUnit) {
    this.#sampler = new Sampler(randomUnit, true)
  }

  update(endpoints: readonly E[]): void {
    this.#sampler.update(endpoints)
    this.#weightMean = endpoints.reduce((sum, { weight }) => sum + weight, 0) / Math.max(1, endpoints.length)
  }

  pick({ isExcluded }: PickRequest<E>): E | undefined {
    const sampler = this.#sampler
    const first = sampler.draw(isExcluded)
    if (first === nothing) return undefined
    const second = sampler.draw(isExcluded, first)
    const one = sampler.endpoints[first]!
    if (second === nothing) return one
    const other = sampler.endpoints[second]!
    return this.#cost(other) < this.#cost(one) ? other : one
  }

  #cost({ latencyMs, active, weight }: E): number {
    return peakEwmaCost(latencyMs, (active * this.#weightMean) / weight)
  }
}
