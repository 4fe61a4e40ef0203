import type { BalancedEndpoint, Balancer, PickRequest, RandomUnit } from './balancer.ts'
import { Sampler } from './sampler.ts'

/**
 * At random. Promises equal chances (or chances by weight) among those that are not excluded, independent of every other pick, so
 * that any number of callers need not know of each other. Cost: constant time a pick, n when nearly all are excluded; 12 bytes an
 * endpoint.
 */
export class RandomChoice<E extends BalancedEndpoint> implements Balancer<E> {
  readonly #sampler: Sampler<E>

  /** `isWeighted`: by weight; otherwise weights are ignored. */
  constructor(randomUnit: RandomUnit, isWeighted: boolean) {
    this.#sampler = new Sampler(randomUnit, isWeighted)
  }

  update(endpoints: readonly E[]): void {
    this.#sampler.update(endpoints)
  }

  pick({ isExcluded }: PickRequest<E>): E | undefined {
    return this.#sampler.endpoints[this.#sampler.draw(isExcluded)]
  }
}
