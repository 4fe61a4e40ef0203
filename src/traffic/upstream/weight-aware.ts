import {
  type Balancer,
  createBalancer,
  type PickRequest,
  type RandomUnit,
  type UpdateSteps,
} from '../../core/balance/index.ts'
import type { BalancePolicy, BalanceSettings } from './settings.ts'
import type { UpstreamEndpoint } from './upstream.ts'

/** What stands in for a policy that knows no weights, when they differ. */
const weightedTwin: Partial<Record<BalancePolicy, BalancePolicy>> = {
  'round-robin': 'weighted-round-robin',
  random: 'weighted-random',
}

/**
 * The policy as the settings name it, or its weighted twin while the endpoints' weights differ, by their settings or by a
 * slow start: `round-robin` costs less where all are equal, and no weight is ever ignored.
 */
export class WeightAwareBalancer implements Balancer<UpstreamEndpoint> {
  private readonly plain: Balancer<UpstreamEndpoint>
  private readonly createTwin: (() => Balancer<UpstreamEndpoint>) | undefined
  private twin: Balancer<UpstreamEndpoint> | undefined
  private current: Balancer<UpstreamEndpoint>

  constructor({ policy, boundedLoadFactor }: BalanceSettings, randomUnit: RandomUnit, offset: number) {
    const options = { randomUnit, offset, boundedLoadFactor }
    const twin = weightedTwin[policy]
    this.plain = createBalancer(policy, options)
    this.createTwin = twin === undefined ? undefined : () => createBalancer(twin, options)
    this.current = this.plain
  }

  update(endpoints: readonly UpstreamEndpoint[]): void {
    const weight = endpoints[0]?.weight
    const isEven = this.createTwin === undefined || endpoints.every((endpoint) => endpoint.weight === weight)
    if (!isEven) this.twin ??= this.createTwin?.()
    this.current = isEven ? this.plain : (this.twin ?? this.plain)
    this.current.update(endpoints)
  }

  /** Those that take steps have no twin. */
  updateInSteps(endpoints: readonly UpstreamEndpoint[]): UpdateSteps | undefined {
    return this.createTwin === undefined ? this.plain.updateInSteps?.(endpoints) : undefined
  }

  pick(request: PickRequest<UpstreamEndpoint>): UpstreamEndpoint | undefined {
    return this.current.pick(request)
  }
}
