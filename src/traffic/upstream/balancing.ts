/**
 * Who of an upstream's endpoints gets requests, and which one the next.
 *
 * - B1  The balancers' sets, and `isEligible` of each endpoint, are what `planOf` says of the endpoints as of the last
 *       `place` whose steps are done. While they are not, those of before hold.
 * - B2  `pick` allocates nothing.
 * - B3  `spares` are, once made, those of `placedLast` that the plan leaves out although they are in the subset, by priority.
 */
import {
  type PickRequest,
  PlannedBalancer,
  planTraffic,
  type RandomUnit,
  rendezvousSubset,
  type TrafficPlan,
  type UpdateSteps,
} from '../../core/balance/index.ts'
import type { BalanceSettings, EndpointAddress } from './settings.ts'
import type { EndpointState, UpstreamEndpoint } from './upstream.ts'
import { WeightAwareBalancer } from './weight-aware.ts'

/** What planning looks at. */
export interface Plannable {
  readonly id: string
  readonly state: EndpointState
  readonly address: EndpointAddress
}

/** An endpoint that is told whether it may be chosen. */
export interface Placeable extends UpstreamEndpoint {
  isEligible: boolean
}

/** Who this process is among the callers of an upstream. */
export interface Caller {
  readonly id: string
  /** Where round robin begins, so that many callers do not all begin at the first. */
  readonly offset: number
  readonly randomUnit: RandomUnit
}

/**
 * Plans the requests. Endpoints that drain get none in any case. Unknown ones, not checked yet, count as healthy while none
 * at all is ready: the first requests are not kept waiting for the first check.
 */
export function planOf<E extends Plannable>(
  endpoints: readonly E[],
  settings: BalanceSettings,
  callerId: string,
): TrafficPlan<E> {
  const subset = subsetOf(endpoints, settings.subsetSize, callerId)
  const present = subset.filter(({ state }) => state !== 'draining')
  const usable: EndpointState = present.some(({ state }) => state === 'ready') ? 'ready' : 'unknown'
  const traitsOf = ({ state, address }: E) => ({
    isHealthy: state === usable,
    priority: address.priority,
    zone: address.zone,
  })
  return planTraffic(present, traitsOf, settings)
}

/** By the endpoints' own weights: one that warms up stays in the subset it is in. */
function subsetOf<E extends Plannable>(endpoints: readonly E[], size: number, callerId: string): readonly E[] {
  if (size === 0 || size >= endpoints.length) return endpoints
  const chosen = new Set(
    rendezvousSubset(
      endpoints.map(({ id, address }) => ({ id, weight: address.weight })),
      callerId,
      size,
    ).map(({ id }) => id),
  )
  return endpoints.filter(({ id }) => chosen.has(id))
}

export class Balancing<E extends Placeable> {
  private readonly caller: Caller
  private settings: BalanceSettings
  private planned: PlannedBalancer<UpstreamEndpoint>
  private plan: TrafficPlan<E> = { groups: [], isPanicking: false }
  private placedLast: readonly E[] = []
  /** Made when first asked for: most plans leave nobody out, and few requests get so far. */
  private spares: readonly E[] | undefined

  constructor(settings: BalanceSettings, caller: Caller) {
    this.caller = caller
    this.settings = settings
    this.planned = this.create()
  }

  get isPanicking(): boolean {
    return this.plan.isPanicking
  }

  /** Whether nobody may be chosen. */
  get isEmpty(): boolean {
    return this.plan.groups.length === 0
  }

  /** To be followed by `place`. */
  reconfigure(settings: BalanceSettings): void {
    const { policy, boundedLoadFactor } = this.settings
    this.settings = settings
    if (settings.policy !== policy || settings.boundedLoadFactor !== boundedLoadFactor) this.planned = this.create()
  }

  /** The endpoints, their states or their weights changed. Undefined: all is done; else when the steps are. */
  place(endpoints: readonly E[]): UpdateSteps | undefined {
    const plan = planOf(endpoints, this.settings, this.caller.id)
    const steps = this.planned.updateInSteps(plan)
    if (steps === undefined) {
      this.planned.update(plan)
      this.take(plan, endpoints)
      return undefined
    }
    return {
      step: () => {
        if (!steps.step()) return false
        this.take(plan, endpoints)
        return true
      },
    }
  }

  private take(plan: TrafficPlan<E>, endpoints: readonly E[]): void {
    this.plan = plan
    this.placedLast = endpoints
    this.spares = undefined
    for (const endpoint of endpoints) endpoint.isEligible = false
    for (const group of plan.groups) for (const endpoint of group.endpoints) endpoint.isEligible = true
  }

  pick(request: PickRequest<UpstreamEndpoint>): UpstreamEndpoint | undefined {
    return this.planned.pick(request)
  }

  /**
   * For a request that all who get requests are excluded for: one of those kept back, of a lower priority or in another zone, as
   * long as it is ready. The first priority first, in it whoever has least to do for its weight.
   */
  pickSpare({ isExcluded }: PickRequest<UpstreamEndpoint>): UpstreamEndpoint | undefined {
    this.spares ??= this.findSpares()
    let best: E | undefined
    let ties = 0
    for (const spare of this.spares) {
      if (!spare.isMember || spare.state !== 'ready' || isExcluded?.(spare) === true) continue
      if (best !== undefined && spare.address.priority > best.address.priority) break
      const lead = best === undefined ? -1 : spare.active * best.weight - best.active * spare.weight
      if (lead > 0) continue
      ties = lead < 0 ? 1 : ties + 1
      if (lead < 0 || this.caller.randomUnit() * ties < 1) best = spare
    }
    return best
  }

  private findSpares(): readonly E[] {
    return subsetOf(this.placedLast, this.settings.subsetSize, this.caller.id)
      .filter(({ isEligible }) => !isEligible)
      .sort((a, b) => a.address.priority - b.address.priority)
  }

  private create(): PlannedBalancer<UpstreamEndpoint> {
    const { randomUnit, offset } = this.caller
    return new PlannedBalancer(() => new WeightAwareBalancer(this.settings, randomUnit, offset), randomUnit)
  }
}

/** Whether the policy looks at latencies, which then must not stand still. */
export function readsLatency({ policy }: BalanceSettings): boolean {
  return policy === 'least-time' || policy === 'p2c'
}
