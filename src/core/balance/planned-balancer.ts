/**
 * Balances by a plan: chooses a group by its share, and in the group by the policy.
 *
 * I1: `balancers[i]` is that of `groups[i]`; a group that stays keeps its balancer, and so its state.
 */
import { murmur3 } from '../ring/index.ts'
import type { BalancedEndpoint, Balancer, PickRequest, RandomUnit, UpdateSteps } from './balancer.ts'
import type { TrafficGroup, TrafficPlan } from './traffic-plan.ts'

/** Other than what places keys inside a group, or a group would get only some of the hashes. */
const groupSeed = 0x67726f75

/**
 * One balancer a group. A key stays in its group as long as the shares do. When all of the chosen group are excluded, the others are
 * tried in the order of preference. Cost: the policy's, and one random number or hash where there are several groups.
 */
export class PlannedBalancer<E extends BalancedEndpoint> {
  readonly #create: () => Balancer<E>
  readonly #randomUnit: RandomUnit
  #groups: readonly TrafficGroup<E>[] = []
  #balancers: Balancer<E>[] = []

  /** `create` makes the balancer of a new group. */
  constructor(create: () => Balancer<E>, randomUnit: RandomUnit) {
    this.#create = create
    this.#randomUnit = randomUnit
  }

  update(plan: TrafficPlan<E>): void {
    const old = new Map(this.#groups.map(({ name }, i) => [name, this.#balancers[i]!]))
    const balancers = plan.groups.map(({ name, endpoints }) => {
      const balancer = old.get(name) ?? this.#create()
      balancer.update(endpoints)
      return balancer
    })
    this.#take(plan, balancers)
  }

  /** As `update`, in steps; see {@link Balancer}. Of several groups one after the other takes its new set. */
  updateInSteps(plan: TrafficPlan<E>): UpdateSteps | undefined {
    const groupsBefore = this.#groups
    const old = new Map(groupsBefore.map(({ name }, i) => [name, this.#balancers[i]!]))
    const balancers = plan.groups.map(({ name }) => old.get(name) ?? this.#create())
    const left: UpdateSteps[] = []
    const quick: (() => void)[] = []
    for (const [i, { endpoints }] of plan.groups.entries()) {
      const balancer = balancers[i]!
      const steps = balancer.updateInSteps?.(endpoints)
      if (steps === undefined) quick.push(() => balancer.update(endpoints))
      else left.push(steps)
    }
    if (left.length === 0) return undefined
    return {
      step: () => {
        if (left.length > 0 && left[0]!.step()) left.shift()
        if (left.length > 0) return false
        // Another update came first.
        if (this.#groups !== groupsBefore) return true
        for (const update of quick) update()
        this.#take(plan, balancers)
        return true
      },
    }
  }

  #take(plan: TrafficPlan<E>, balancers: Balancer<E>[]): void {
    this.#groups = plan.groups
    this.#balancers = balancers
  }

  /** Undefined when there are none or all are excluded. */
  pick(request: PickRequest<E>): E | undefined {
    const balancers = this.#balancers
    if (balancers.length <= 1) return balancers[0]?.pick(request)
    const chosen = this.#choose(request.key)
    const picked = balancers[chosen]!.pick(request)
    if (picked !== undefined) return picked
    for (let i = 0; i < balancers.length; i++) {
      if (i === chosen) continue
      const other = balancers[i]!.pick(request)
      if (other !== undefined) return other
    }
    return undefined
  }

  #choose(key: string | undefined): number {
    const groups = this.#groups
    let rest = key === undefined ? this.#randomUnit() : murmur3(key, groupSeed) / 0x1_0000_0000
    for (let i = 0; i < groups.length; i++) {
      rest -= groups[i]!.share
      if (rest < 0) return i
    }
    return groups.length - 1
  }
}
