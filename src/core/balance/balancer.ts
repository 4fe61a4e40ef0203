/** What every balancing algorithm is: it keeps a set of endpoints and chooses one for each request. */

/** What an algorithm knows of one endpoint. Its owner keeps the mutable fields up to date; algorithms only read them. */
export interface BalancedEndpoint {
  /** Names the endpoint for as long as it lives, and when it comes back: hashing algorithms place it by this. */
  readonly id: string
  /** How much of the load it should get, relative to the others: above 0. Slow start lowers it for a while. */
  readonly weight: number
  /** Requests (or connections) begun and not yet ended. */
  readonly active: number
  /**
   * What a request to it is expected to take, in milliseconds: a moving average that jumps up at once and decays slowly
   * (peak EWMA). 0 while nothing is known.
   */
  readonly latencyMs: number
}

/** What a choice may depend on, besides the endpoints. */
export interface PickRequest<E extends BalancedEndpoint = BalancedEndpoint> {
  /**
   * For algorithms that hash: requests with the same key go to the same endpoint. Undefined: such an algorithm chooses at
   * random.
   */
  readonly key?: string | undefined
  /** Endpoints that this request has tried, or that may not be chosen for another reason. */
  readonly isExcluded?: ((endpoint: E) => boolean) | undefined
}

/** An update of a {@link Balancer} under way. */
export interface UpdateSteps {
  /** Does about a millisecond's work. True: all is done and the new set in use. */
  step(): boolean
}

/** Chooses endpoints. Not safe to share between sets. */
export interface Balancer<E extends BalancedEndpoint = BalancedEndpoint> {
  /**
   * Replaces the set: the owner calls it when endpoints come, go, or change their weight. Hashing algorithms move no more
   * keys than they must; the others go on where they were as well as they can. Ids must be unique.
   */
  update(endpoints: readonly E[]): void
  /**
   * As `update`, for sets so large that it would hold everything else up: they are as they were until the steps are done.
   * Undefined: it takes no steps, call `update`. A later `update` counts, whichever steps are left.
   */
  updateInSteps?(endpoints: readonly E[]): UpdateSteps | undefined
  /** One of the set; undefined when it is empty or all are excluded. */
  pick(request: PickRequest<E>): E | undefined
}

/** A uniformly distributed number, at least 0 and below 1. The only randomness the algorithms have. */
export type RandomUnit = () => number
