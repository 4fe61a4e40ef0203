/** Which endpoints get traffic: slow start, subsets, priorities, zones and panic. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { chiSquaredSigmas, someKeys } from '../ring/testing.ts'
import { createBalancer } from './create-balancer.ts'
import { PlannedBalancer } from './planned-balancer.ts'
import { slowStartFactor, slowStartNextMs } from './slow-start.ts'
import { deterministicSubset, rendezvousSubset } from './subset.ts'
import { seededUnit, type TestEndpoint, testEndpoint } from './testing.ts'
import { planTraffic, type TrafficTraits } from './traffic-plan.ts'

interface Member extends TrafficTraits {
  readonly name: string
}

/** `healthy` of `count` in a zone and a priority. */
function members(priority: number, zone: string, count: number, healthy = count): Member[] {
  return Array.from({ length: count }, (_, i) => ({
    name: `${priority}${zone}${i}`,
    priority,
    zone,
    isHealthy: i < healthy,
  }))
}

function plan(all: readonly Member[], panicThresholdPercent = 50, zone = '') {
  const { groups, isPanicking } = planTraffic(all, (member) => member, { panicThresholdPercent, zone })
  const told = groups.map(({ name, share, endpoints }) => `${name} ${(share * 100).toFixed(1)}% of ${endpoints.length}`)
  return { told, isPanicking }
}

test('slow start: ten steps from a tenth to the whole, and when the next is due', () => {
  assert.equal(slowStartFactor(0, 9000), 0.1)
  assert.equal(slowStartFactor(999, 9000), 0.1)
  assert.equal(slowStartFactor(1000, 9000), 0.2)
  assert.equal(slowStartFactor(8999, 9000), 0.9)
  assert.equal(slowStartFactor(9000, 9000), 1)
  assert.equal(slowStartFactor(0, 0), 1)
  assert.equal(slowStartNextMs(9000, 9000), undefined)
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1e6 }), (slowStartMs) => {
      let age = 0
      const seen = [slowStartFactor(0, slowStartMs)]
      for (let next = slowStartNextMs(age, slowStartMs); next !== undefined; next = slowStartNextMs(age, slowStartMs)) {
        age += next
        seen.push(slowStartFactor(age, slowStartMs))
        assert.ok(seen.length < 25)
      }
      assert.equal(seen.at(-1), 1)
      assert.ok(age <= slowStartMs * 1.001 + 0.1)
      assert.ok(seen.every((factor, i) => i === 0 || factor >= seen[i - 1]!))
    }),
    { seed: 9 },
  )
})

test('deterministic subsets: each round uses every endpoint at most once', () => {
  const endpoints = Array.from({ length: 23 }, (_, i) => i)
  for (let round = 0; round < 20; round++) {
    const used = [0, 1, 2, 3].flatMap((i) => deterministicSubset(endpoints, round * 4 + i, 5))
    assert.equal(new Set(used).size, 20)
  }
  const counts = endpoints.map(() => 0)
  for (let caller = 0; caller < 400; caller++)
    for (const each of deterministicSubset(endpoints, caller, 5)) counts[each]!++
  assert.ok(Math.max(...counts) - Math.min(...counts) <= 30, `${counts}`)
  assert.deepEqual(deterministicSubset(endpoints, 3, 0), endpoints)
  assert.deepEqual(deterministicSubset(endpoints, 3, 99), endpoints)
})

test('rendezvous subsets: an endpoint that goes changes at most one member; use is even', () => {
  const endpoints = Array.from({ length: 30 }, (_, i) => ({ id: `e${i}` }))
  const counts = endpoints.map(() => 0)
  for (let caller = 0; caller < 2000; caller++) {
    const before = rendezvousSubset(endpoints, `caller ${caller}`, 6)
    assert.equal(before.length, 6)
    for (const each of before) counts[endpoints.indexOf(each)]!++
    const after = rendezvousSubset(endpoints.slice(1), `caller ${caller}`, 6)
    const kept = before.filter((each) => after.includes(each)).length
    assert.equal(kept, before.includes(endpoints[0]!) ? 5 : 6)
  }
  assert.ok(
    chiSquaredSigmas(
      counts,
      counts.map(() => 1),
    ) < 4,
    `${counts}`,
  )
})

test('priorities: level 1 takes what level 0 cannot carry', () => {
  assert.deepEqual(plan([...members(0, '', 10, 8), ...members(1, '', 10)]).told, ['0 100.0% of 8'])
  assert.deepEqual(plan([...members(0, '', 10, 5), ...members(1, '', 10)]).told, ['0 70.0% of 5', '1 30.0% of 10'])
  assert.deepEqual(plan([...members(0, '', 3, 0), ...members(1, '', 2)]), {
    told: ['1 100.0% of 2'],
    isPanicking: false,
  })
  assert.deepEqual(plan([...members(7, '', 2), ...members(2, '', 2)]).told, ['2 100.0% of 2'])
})

test('panic: too few healthy, and all are used', () => {
  assert.deepEqual(plan(members(0, '', 10, 5)), { told: ['0 100.0% of 5'], isPanicking: false })
  assert.deepEqual(plan(members(0, '', 10, 4)), { told: ['0 100.0% of 10'], isPanicking: true })
  assert.deepEqual(plan(members(0, '', 10, 9), 100), { told: ['0 100.0% of 10'], isPanicking: true })
  assert.deepEqual(plan(members(0, '', 10, 1), 0), { told: ['0 100.0% of 1'], isPanicking: false })
  assert.deepEqual(plan(members(0, '', 10, 0), 0), { told: [], isPanicking: false })
  assert.deepEqual(plan([...members(0, '', 4, 0), ...members(1, '', 4, 1)]), {
    told: ['0 50.0% of 4', '1 50.0% of 4'],
    isPanicking: true,
  })
  // Few are healthy, but what they cannot carry the next level can.
  assert.deepEqual(plan([...members(0, '', 10, 3), ...members(1, '', 10)]), {
    told: ['0 42.0% of 3', '1 58.0% of 10'],
    isPanicking: false,
  })
  assert.deepEqual(plan([]), { told: [], isPanicking: false })
})

test('zones: the own one as far as it has its share, the rest where there is more', () => {
  const even = [...members(0, 'a', 4), ...members(0, 'b', 4), ...members(0, 'c', 4)]
  assert.deepEqual(plan(even, 50, 'b').told, ['0/b 100.0% of 4'])
  assert.deepEqual(plan(even, 50, 'elsewhere').told, ['0 100.0% of 12'])
  assert.deepEqual(plan(even, 50, '').told, ['0 100.0% of 12'])
  const small = [...members(0, 'a', 2), ...members(0, 'b', 6)]
  assert.deepEqual(plan(small, 50, 'a').told, ['0/a 50.0% of 2', '0/b 50.0% of 6'])
  // Two of four are down at home: 2 of 10 serve a third of the callers.
  const ailing = [...members(0, 'a', 4, 2), ...members(0, 'b', 4), ...members(0, 'c', 4)]
  assert.deepEqual(plan(ailing, 50, 'a').told, ['0/a 60.0% of 2', '0/b 20.0% of 4', '0/c 20.0% of 4'])
  const uneven = [...members(0, 'a', 1), ...members(0, 'b', 3), ...members(0, 'c', 8)]
  assert.deepEqual(plan(uneven, 50, 'a').told, ['0/a 25.0% of 1', '0/c 75.0% of 8'])
  const lost = [...members(0, 'a', 4, 0), ...members(0, 'b', 8)]
  assert.deepEqual(plan(lost, 50, 'a').told, ['0 100.0% of 8'])
})

test('a plan: shares sum to 1, and only panic uses the unhealthy', () => {
  const member = fc.record({
    name: fc.uuid(),
    priority: fc.nat({ max: 2 }),
    zone: fc.constantFrom('', 'a', 'b'),
    isHealthy: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(member, { maxLength: 20 }), fc.nat({ max: 100 }), (all, panicThresholdPercent) => {
      const { groups, isPanicking } = planTraffic(all, (each) => each, { panicThresholdPercent, zone: 'a' })
      if (groups.length === 0) return assert.ok(all.every(({ isHealthy }) => !isHealthy))
      const sum = groups.reduce((total, { share }) => total + share, 0)
      assert.ok(Math.abs(sum - 1) < 1e-6, `${sum}`)
      assert.ok(groups.every(({ share, endpoints }) => share > 0 && endpoints.length > 0))
      assert.equal(new Set(groups.map(({ name }) => name)).size, groups.length)
      const used = groups.flatMap(({ endpoints }) => endpoints)
      assert.equal(new Set(used).size, used.length)
      if (!isPanicking) assert.ok(used.every(({ isHealthy }) => isHealthy))
    }),
    { seed: 10, numRuns: 500 },
  )
})

test('a planned balancer: groups by their shares, keys where they were, and other groups when one is tried out', () => {
  const near = Array.from({ length: 3 }, (_, i) => testEndpoint(`near-${i}`))
  const far = Array.from({ length: 5 }, (_, i) => testEndpoint(`far-${i}`))
  const randomUnit = seededUnit('plan')
  const balancer = new PlannedBalancer<TestEndpoint>(() => createBalancer('ring-hash', { randomUnit }), randomUnit)
  assert.equal(balancer.pick({}), undefined)
  const groups = [
    { name: '0', endpoints: near, share: 0.7 },
    { name: '1', endpoints: far, share: 0.3 },
  ]
  balancer.update({ groups, isPanicking: false })
  const isFar = (endpoint: TestEndpoint | undefined): number => (endpoint!.id.startsWith('far') ? 1 : 0)
  const keys = someKeys(10_000)
  for (const keyOf of [(i: number) => keys[i]!, () => undefined]) {
    const counts = [0, 0]
    for (let i = 0; i < keys.length; i++) counts[isFar(balancer.pick({ key: keyOf(i) }))]!++
    assert.ok(chiSquaredSigmas([...counts, 0], [7, 3, 1e-9]) < 4 && counts[1]! > 2700 && counts[1]! < 3300, `${counts}`)
  }
  const before = keys.map((key) => balancer.pick({ key }))
  balancer.update({ groups: [...groups], isPanicking: false })
  assert.deepEqual(
    keys.map((key) => balancer.pick({ key })),
    before,
  )
  // Inside the group all of the ring is used, though the group is chosen by the key too.
  const used = new Set(before.map((endpoint) => endpoint!.id))
  assert.equal(used.size, 8)
  for (let i = 0; i < 50; i++) {
    assert.equal(isFar(balancer.pick({ key: keys[i], isExcluded: (each) => near.includes(each) })), 1)
    assert.equal(balancer.pick({ key: keys[i], isExcluded: () => true }), undefined)
  }
})

test('a planned balancer: a small group uses all of its ring', () => {
  const few = Array.from({ length: 5 }, (_, i) => testEndpoint(`few-${i}`))
  const randomUnit = seededUnit('small')
  const create = () => createBalancer<TestEndpoint>('ring-hash', { randomUnit })
  const [alone, planned] = [create(), new PlannedBalancer<TestEndpoint>(create, randomUnit)]
  alone.update(few)
  const groups = [
    { name: '0', endpoints: few, share: 0.02 },
    { name: '1', endpoints: [testEndpoint('most')], share: 0.98 },
  ]
  planned.update({ groups, isPanicking: false })
  const expected = few.map(() => 0)
  const counts = few.map(() => 0)
  for (const key of someKeys(50_000)) {
    expected[few.indexOf(alone.pick({ key })!)]!++
    const place = few.indexOf(planned.pick({ key })!)
    if (place !== -1) counts[place]!++
  }
  assert.ok(chiSquaredSigmas(counts, expected) < 4, `${counts} by ${expected}`)
})

test('a planned balancer keeps the turns of a group that stays', () => {
  const [a, b, c] = [testEndpoint('a'), testEndpoint('b'), testEndpoint('c')]
  const randomUnit = seededUnit('turns')
  const balancer = new PlannedBalancer<TestEndpoint>(() => createBalancer('round-robin', { randomUnit }), randomUnit)
  const update = (endpoints: TestEndpoint[]): void =>
    balancer.update({ groups: [{ name: '0', endpoints, share: 1 }], isPanicking: false })
  update([a, b, c])
  assert.equal(balancer.pick({}), a)
  update([a, b, c])
  assert.equal(balancer.pick({}), b)
})
