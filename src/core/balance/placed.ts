/** Balancing by a key's hash: what all hashing algorithms but ip-hash share. */
import { type IsExcluded, murmur3 } from '../ring/index.ts'
import type { BalancedEndpoint, Balancer, PickRequest, RandomUnit, UpdateSteps } from './balancer.ts'

/** Finds the index of the endpoint of a hash, past the excluded; -1: none. The rings and tables of `core/ring` are such. */
export interface Placement {
  find(hash: number, isExcluded?: IsExcluded): number
}

/** A placement that is made in steps. */
export interface PlacementBuild {
  /** True: it is done. */
  step(): boolean
  /** Once it is done. */
  finish(): Placement
}

export interface PlacedOptions<E extends BalancedEndpoint> {
  /** Made anew at each update; `previous` is the one before, for what it can take over. */
  readonly place: (endpoints: readonly E[], previous: Placement | undefined) => Placement
  /** The same in steps, where that is worth it; undefined: it is not. */
  readonly placeInSteps?: (endpoints: readonly E[], previous: Placement) => PlacementBuild | undefined
  readonly randomUnit: RandomUnit
  /** Default: murmur3. */
  readonly hash?: ((key: string) => number) | undefined
}

/** A key's endpoint is what its hash finds; without a key a random hash is taken. */
export class Placed<E extends BalancedEndpoint> implements Balancer<E> {
  readonly #options: PlacedOptions<E>
  readonly #hash: (key: string) => number
  #endpoints: readonly E[] = []
  #placement: Placement
  /** Of the pick under way. */
  #isExcluded: ((endpoint: E) => boolean) | undefined
  readonly #isIndexExcluded: IsExcluded = (index) => this.#isExcluded!(this.#endpoints[index]!)

  constructor(options: PlacedOptions<E>) {
    this.#options = options
    this.#hash = options.hash ?? murmur3
    this.#placement = options.place([], undefined)
  }

  update(endpoints: readonly E[]): void {
    this.#placement = this.#options.place(endpoints, this.#placement)
    this.#endpoints = endpoints
  }

  updateInSteps(endpoints: readonly E[]): UpdateSteps | undefined {
    const previous = this.#placement
    const build = this.#options.placeInSteps?.(endpoints, previous)
    if (build === undefined) return undefined
    return {
      step: () => {
        if (!build.step()) return false
        // Another update came first.
        if (this.#placement !== previous) return true
        this.#placement = build.finish()
        this.#endpoints = endpoints
        return true
      },
    }
  }

  pick({ key, isExcluded }: PickRequest<E>): E | undefined {
    const hash = key === undefined ? randomHash(this.#options.randomUnit) : this.#hash(key)
    if (isExcluded === undefined) return this.#endpoints[this.#placement.find(hash)]
    this.#isExcluded = isExcluded
    const index = this.#placement.find(hash, this.#isIndexExcluded)
    this.#isExcluded = undefined
    return this.#endpoints[index]
  }
}

export function randomHash(randomUnit: RandomUnit): number {
  return Math.floor(randomUnit() * 0x1_0000_0000)
}
