import type { BalancedEndpoint, Balancer, PickRequest } from './balancer.ts'
import { notTakingPart, SmoothWeights } from './smooth-weights.ts'

/**
 * Smooth weighted round robin, as nginx does it (see `smooth-weights.ts`). Promises: with whole weights that sum to w, of any w
 * picks in a row from the beginning each endpoint gets as many as its weight, interleaved (weights 5, 1, 1 give A A B A C A A), none
 * excluded. Excluded ones neither gain nor pay. Cost: n steps a pick; 16 bytes an endpoint.
 */
export class WeightedRoundRobin<E extends BalancedEndpoint> implements Balancer<E> {
  readonly #turns = new SmoothWeights<E>()
  #scores = new Float64Array(0)
  #offset: number

  /** `offset`: so many picks, modulo the number of endpoints, are skipped at the first update, so that callers begin at different ones. */
  constructor(offset = 0) {
    this.#offset = offset
  }

  update(endpoints: readonly E[]): void {
    this.#turns.update(endpoints)
    this.#scores = new Float64Array(endpoints.length)
    if (endpoints.length === 0) return
    for (let skip = this.#offset % endpoints.length; skip > 0; skip--) this.#turns.next()
    this.#offset = 0
  }

  pick({ isExcluded }: PickRequest<E>): E | undefined {
    if (isExcluded === undefined) return this.#turns.next()
    const { endpoints } = this.#turns
    for (let i = 0; i < endpoints.length; i++) this.#scores[i] = isExcluded(endpoints[i]!) ? notTakingPart : 0
    return this.#turns.nextOf(this.#scores, 0)
  }
}
