/** The endpoint with the lowest score; among equals, by smooth weighted round robin. */
import type { BalancedEndpoint, Balancer, PickRequest } from './balancer.ts'
import { peakEwmaCost } from './peak-ewma.ts'
import { notTakingPart, SmoothWeights } from './smooth-weights.ts'

/** Cost: 2 n steps a pick; 24 bytes an endpoint. */
class LeastScore<E extends BalancedEndpoint> implements Balancer<E> {
  readonly #turns = new SmoothWeights<E>()
  readonly #scoreOf: (endpoint: E) => number
  /** Of the pick under way. */
  #scores = new Float64Array(0)

  constructor(scoreOf: (endpoint: E) => number) {
    this.#scoreOf = scoreOf
  }

  update(endpoints: readonly E[]): void {
    this.#turns.update(endpoints)
    this.#scores = new Float64Array(endpoints.length)
  }

  pick({ isExcluded }: PickRequest<E>): E | undefined {
    const { endpoints } = this.#turns
    let least = notTakingPart
    for (let i = 0; i < endpoints.length; i++) {
      const endpoint = endpoints[i]!
      const score = isExcluded?.(endpoint) ? notTakingPart : this.#scoreOf(endpoint)
      this.#scores[i] = score
      if (score < least) least = score
    }
    return least === notTakingPart ? undefined : this.#turns.nextOf(this.#scores, least)
  }
}

/**
 * Least connections, weighted: the lowest `active / weight`, as nginx's `least_conn`
 * (`src/http/modules/ngx_http_upstream_least_conn_module.c`). Promises: none is chosen while another has less for its weight; equals
 * take turns by their weights. Cost: see `LeastScore`, 2 n steps a pick.
 */
export class LeastConnections<E extends BalancedEndpoint> extends LeastScore<E> {
  constructor() {
    super(({ active, weight }) => active / weight)
  }
}

/**
 * Least time: the lowest `latencyMs * (active + 1) / weight`: what a request is likely to wait, as nginx Plus' `least_time` describes
 * it. An endpoint whose latency is unknown gets one request at once, and others only after the known ones (`peakEwmaCost`).
 * Cost: 2 n steps a pick. Many callers that know the same choose the same: prefer `p2c` where they do.
 */
export class LeastTime<E extends BalancedEndpoint> extends LeastScore<E> {
  constructor() {
    super(({ latencyMs, active, weight }) => peakEwmaCost(latencyMs, active) / weight)
  }
}
