/**
 * Who of an upstream's endpoints gets requests, and which one the next.
 *
 * - B1  The balancers' sets, and `isEligible` of each endpoint, are what `planOf` says of the endpoints as of the last
 *       `place`.
 * - B2  `pick` allocates nothing.
 */
import {
  type PickRequest,
  PlannedBalancer,
  planTraffic,
  type RandomUnit,
  rendezvousSubset,
  type TrafficPlan,
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

  /** The endpoints, their states or their weights changed. */
  place(endpoints: readonly E[]): void {
    for (const endpoint of endpoints) endpoint.isEligible = false
    this.plan = planOf(endpoints, this.settings, this.caller.id)
    for (const group of this.plan.groups) for (const endpoint of group.endpoints) endpoint.isEligible = true
    this.planned.update(this.plan)
  }

  pick(request: PickRequest<UpstreamEndpoint>): UpstreamEndpoint | undefined {
    return this.planned.pick(request)
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
