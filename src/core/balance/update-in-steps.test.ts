/** Sets so large that a balancer takes them in steps: what serves meanwhile, and what does in the end. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { balancePolicies, createBalancer } from './create-balancer.ts'
import { PlannedBalancer } from './planned-balancer.ts'
import { seededUnit, type TestEndpoint, testEndpoint } from './testing.ts'
import type { TrafficPlan } from './traffic-plan.ts'

const endpointsOf = (zone: string, count: number): TestEndpoint[] =>
  Array.from({ length: count }, (_, at) => testEndpoint(`${zone}-${at}:80`, {}))
const planOf = (...groups: (readonly [name: string, count: number])[]): TrafficPlan<TestEndpoint> => ({
  groups: groups.map(([name, count]) => ({ name, endpoints: endpointsOf(name, count), share: 1 / groups.length })),
  isPanicking: false,
})
const planned = () =>
  new PlannedBalancer<TestEndpoint>(() => createBalancer('ketama', { randomUnit: seededUnit('k') }), seededUnit('g'))
const keys = Array.from({ length: 500 }, (_, at) => `key ${at}`)
const chosen = (balancer: PlannedBalancer<TestEndpoint>) => keys.map((key) => balancer.pick({ key })?.id)

function chosenBy(plan: TrafficPlan<TestEndpoint>): readonly (string | undefined)[] {
  const balancer = planned()
  balancer.update(plan)
  return chosen(balancer)
}

test('only a ring that takes long is made in steps', () => {
  const many = endpointsOf('a', 300)
  for (const policy of balancePolicies) {
    const balancer = createBalancer<TestEndpoint>(policy, { randomUnit: () => 0 })
    assert.equal(balancer.updateInSteps?.(many) !== undefined, policy === 'ketama', policy)
    assert.equal(balancer.updateInSteps?.(endpointsOf('a', 3)), undefined, policy)
  }
})

test('large and small groups together take their places at the end', () => {
  const before = planOf(['west', 400])
  const after = planOf(['west', 500], ['east', 3], ['north', 300])
  const balancer = planned()
  balancer.update(before)
  const steps = balancer.updateInSteps(after)!
  assert.deepEqual(chosen(balancer), chosenBy(before))
  let count = 1
  while (!steps.step()) count++
  assert.ok(count > 10, `${count} steps`)
  assert.deepEqual(chosen(balancer), chosenBy(after))
  assert.equal(steps.step(), true)
  assert.deepEqual(chosen(balancer), chosenBy(after))
})

test('of two updates the later one counts, whenever the steps of the other end', () => {
  for (const start of [planOf(), planOf(['west', 300])]) {
    const balancer = planned()
    balancer.update(start)
    const steps = balancer.updateInSteps(planOf(['west', 400]))!
    steps.step()
    const later = planOf(['west', 2], ['east', 300])
    balancer.update(later)
    while (!steps.step());
    assert.deepEqual(chosen(balancer), chosenBy(later))
  }
})
