/** What every policy promises. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { KetamaRing } from '../ring/index.ts'
import { chiSquaredSigmas, someKeys } from '../ring/testing.ts'
import { type BalancePolicy, balancePolicies, createBalancer } from './create-balancer.ts'
import { countPicks, seededUnit, type TestEndpoint, testEndpoint, testEndpoints } from './testing.ts'

const hashing: readonly BalancePolicy[] = ['ip-hash', 'rendezvous', 'ring-hash', 'maglev', 'jump-hash', 'ketama']

function make(policy: BalancePolicy, endpoints: readonly TestEndpoint[], boundedLoadFactor = 0) {
  const balancer = createBalancer<TestEndpoint>(policy, { randomUnit: seededUnit(policy), boundedLoadFactor })
  balancer.update(endpoints)
  return balancer
}

for (const policy of balancePolicies) {
  test(`${policy}: respects exclusion, and finds the last one that is left`, () => {
    const endpoints = testEndpoints([1, 2, 3, 1, 5, 1, 1, 1, 2, 1])
    const balancer = make(policy, endpoints)
    for (let round = 0; round < 300; round++) {
      const left = endpoints[round % 10]!
      const keyed = { key: round % 2 === 0 ? undefined : `192.0.${round}.1` }
      assert.equal(balancer.pick({ ...keyed, isExcluded: (each) => each !== left }), left)
      const tried = balancer.pick(keyed)!
      const second = balancer.pick({ ...keyed, isExcluded: (each) => each === tried })
      assert.ok(second !== undefined && second !== tried)
    }
    assert.equal(balancer.pick({ isExcluded: () => true }), undefined)
  })

  test(`${policy}: whatever the set becomes, it picks from it, or nothing from nothing`, () => {
    const sets = fc.array(
      fc.uniqueArray(fc.record({ name: fc.nat({ max: 20 }), weight: fc.double({ min: 0.1, max: 10, noNaN: true }) }), {
        selector: ({ name }) => name,
        maxLength: 8,
      }),
      { minLength: 1, maxLength: 4 },
    )
    fc.assert(
      fc.property(sets, (changes) => {
        const balancer = make(policy, [])
        assert.equal(balancer.pick({}), undefined)
        for (const change of changes) {
          const endpoints = change.map(({ name, weight }) => testEndpoint(`10.0.0.${name}:80`, { weight }))
          balancer.update(endpoints)
          for (const key of [undefined, '10.1.2.3', '2001:db8::7', 'no address']) {
            const picked = balancer.pick({ key })
            if (endpoints.length === 0) assert.equal(picked, undefined)
            else assert.ok(endpoints.includes(picked!))
          }
        }
      }),
      { seed: 4, numRuns: policy === 'maglev' ? 15 : 100 },
    )
  })
}

for (const policy of ['round-robin', 'weighted-round-robin', 'random', 'weighted-random', 'rendezvous'] as const) {
  test(`${policy}: spreads evenly over equal endpoints`, () => {
    const endpoints = testEndpoints(new Array<number>(12).fill(1))
    const keys = someKeys(24_000)
    const counts = countPicks(make(policy, endpoints), endpoints, keys.length, (i) => keys[i]!)
    assert.ok(
      chiSquaredSigmas(
        counts,
        counts.map(() => 1),
      ) < 4,
      `${counts}`,
    )
  })
}

for (const policy of ['weighted-round-robin', 'weighted-random', 'least-connections', 'least-time', 'p2c'] as const) {
  test(`${policy}: honours weights where nothing else differs`, () => {
    const weights = [1, 2, 3, 4, 0.5]
    const endpoints = testEndpoints(weights)
    const counts = countPicks(make(policy, endpoints), endpoints, 21_000)
    assert.ok(chiSquaredSigmas(counts, weights) < 4, `${counts}`)
  })
}

for (const policy of hashing) {
  test(`${policy}: the same key goes to the same endpoint, also of another balancer, keyless ones anywhere`, () => {
    const endpoints = testEndpoints([1, 1, 1, 1, 1])
    const [one, other] = [make(policy, endpoints), make(policy, endpoints)]
    for (let i = 0; i < 200; i++) {
      const key = `198.51.${i}.7`
      const picked = one.pick({ key })
      assert.equal(one.pick({ key }), picked)
      assert.equal(other.pick({ key }), picked)
    }
    assert.ok(countPicks(one, endpoints, 1000).every((count) => count > 100))
  })
}

for (const policy of ['rendezvous', 'ring-hash', 'maglev', 'ketama'] as const) {
  test(`${policy}: when one of ten leaves, its tenth of the keys moves and hardly another`, () => {
    const endpoints = testEndpoints(new Array<number>(10).fill(1))
    const [all, fewer] = [make(policy, endpoints), make(policy, endpoints.slice(0, 9))]
    const moved = someKeys(10_000).filter((key) => all.pick({ key }) !== fewer.pick({ key })).length
    assert.ok(moved > 600 && moved < 1500, `${moved} of 10000 moved`)
  })
}

test('jump-hash: one more at the end takes its keys from all; numbers in ids count by value', () => {
  const endpoints = Array.from({ length: 11 }, (_, i) => testEndpoint(`shard-${i}`))
  const [more, fewer] = [make('jump-hash', [...endpoints].reverse()), make('jump-hash', endpoints.slice(0, 10))]
  const keys = someKeys(5000)
  let moved = 0
  for (const key of keys) {
    const now = more.pick({ key })
    if (now === fewer.pick({ key })) continue
    moved++
    assert.equal(now, endpoints[10])
  }
  assert.ok(moved > 300 && moved < 620, `${moved}`)
})

test('ring-hash with bounded loads: none ever holds more than its bound, and half of the keys stay home', () => {
  const factor = 1.25
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 12 }),
      fc.integer({ min: 1, max: 300 }),
      (weights, requests) => {
        const endpoints = testEndpoints(weights)
        const weightSum = weights.reduce((sum, weight) => sum + weight, 0)
        const balancer = make('ring-hash', endpoints, factor)
        for (let i = 0; i < requests; i++) {
          // A few hot keys: without the bound three endpoints would get all.
          const picked = balancer.pick({ key: `hot-${i % 3}` })!
          picked.active++
          assert.ok(picked.active <= Math.ceil((factor * (i + 1) * picked.weight) / weightSum))
          if (i % 5 === 4) endpoints.find(({ active }) => active > 0)!.active--
          else continue
          // What ended lowers the sum, and with it the bound of the next, not of those that are under way.
          assert.ok(endpoints.every(({ active }) => active >= 0))
        }
      },
    ),
    { seed: 5, numRuns: 60 },
  )
  const endpoints = testEndpoints(new Array<number>(10).fill(1))
  const [bounded, free] = [make('ring-hash', endpoints, factor), make('ring-hash', endpoints)]
  let home = 0
  for (const key of someKeys(500)) {
    const picked = bounded.pick({ key })!
    if (picked === free.pick({ key })) home++
    picked.active++
  }
  assert.ok(home > 350, `${home} of 500`)
})

test("ketama: ids of the form host:port are libmemcached's servers", () => {
  const servers = [
    { host: 'cache-a', port: 11211, weight: 1 },
    { host: 'cache-b', port: 11212, weight: 3 },
    { host: '10.0.0.3', port: 80, weight: 2 },
  ]
  const endpoints = servers.map(({ host, port, weight }) => testEndpoint(`${host}:${port}`, { weight }))
  const [balancer, ring] = [make('ketama', endpoints), new KetamaRing(servers)]
  for (const key of someKeys(300)) assert.equal(balancer.pick({ key }), endpoints[ring.get(key)])
})

test('ring-hash with bounded loads: serves past the bound rather than not at all', () => {
  const endpoints = testEndpoints([1, 1, 1])
  endpoints[0]!.active = 100
  const balancer = make('ring-hash', endpoints, 1.25)
  assert.equal(balancer.pick({ key: 'x', isExcluded: (each) => each !== endpoints[0] }), endpoints[0])
  for (const key of someKeys(100)) assert.notEqual(balancer.pick({ key }), endpoints[0])
  assert.throws(() => make('ring-hash', endpoints, 0.5), /give 1 or more/)
})

test('an unknown policy is refused with the known ones', () => {
  assert.throws(() => createBalancer('fastest' as BalancePolicy, { randomUnit: () => 0 }), /no policy fastest.*maglev/)
})
