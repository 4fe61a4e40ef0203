/** What single algorithms promise beyond what all do. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { chiSquaredSigmas } from '../ring/testing.ts'
import { readHashedBytes } from './ip-bytes.ts'
import { IpHash } from './ip-hash.ts'
import { LeastConnections, LeastTime } from './least-score.ts'
import { PowerOfTwoChoices } from './p2c.ts'
import { PeakEwma, peakEwmaCost } from './peak-ewma.ts'
import { RoundRobin } from './round-robin.ts'
import { nothing, Sampler } from './sampler.ts'
import { seededUnit, type TestEndpoint, testEndpoint, testEndpoints } from './testing.ts'
import { WeightedRoundRobin } from './weighted-round-robin.ts'

function letters(weights: Readonly<Record<string, number>>): TestEndpoint[] {
  return Object.entries(weights).map(([id, weight]) => testEndpoint(id, { weight }))
}

function sequence(balancer: { pick(request: object): TestEndpoint | undefined }, picks: number): string {
  return Array.from({ length: picks }, () => balancer.pick({})!.id).join('')
}

test('round robin: in turn, from its offset, and on from where it was when the set changes', () => {
  const [a, b, c, d] = letters({ a: 1, b: 9, c: 1, d: 1 }) as [TestEndpoint, TestEndpoint, TestEndpoint, TestEndpoint]
  const balancer = new RoundRobin<TestEndpoint>(5)
  balancer.update([a, b, c])
  assert.equal(sequence(balancer, 5), 'cabca')
  balancer.update([d, a, b, c])
  assert.equal(sequence(balancer, 3), 'bcd')
  balancer.update([d, c])
  assert.equal(sequence(balancer, 3), 'cdc')
  balancer.update([])
  balancer.update([a, b])
  assert.equal(sequence(balancer, 4).length, 4)
})

test("smooth weighted round robin: nginx's sequence", () => {
  const balancer = new WeightedRoundRobin<TestEndpoint>()
  balancer.update(letters({ a: 5, b: 1, c: 1 }))
  assert.equal(sequence(balancer, 14), 'aabacaaaabacaa')
  const renewed = new WeightedRoundRobin<TestEndpoint>()
  renewed.update(letters({ a: 5, b: 1, c: 1 }))
  assert.equal(sequence(renewed, 3), 'aab')
  renewed.update(letters({ a: 5, b: 1, c: 1 }))
  assert.equal(sequence(renewed, 4), 'acaa')
  const offset = new WeightedRoundRobin<TestEndpoint>(4)
  offset.update(letters({ a: 1, b: 1, c: 1 }))
  assert.equal(sequence(offset, 3), 'bca')
})

test('smooth weighted round robin: of as many picks as the weights sum to, each gets its weight', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 10 }), (weights) => {
      const endpoints = testEndpoints(weights)
      const balancer = new WeightedRoundRobin<TestEndpoint>()
      balancer.update(endpoints)
      const counts = endpoints.map(() => 0)
      const sum = weights.reduce((all, weight) => all + weight, 0)
      for (let i = 0; i < sum; i++) counts[endpoints.indexOf(balancer.pick({})!)]!++
      assert.deepEqual(counts, weights)
    }),
    { seed: 6, numRuns: 200 },
  )
})

test('the alias table draws by weight, with and without exclusion, and never what it may not', () => {
  const weights = [0.5, 1, 2, 3, 10, 0.25]
  const endpoints = testEndpoints(weights)
  const sampler = new Sampler<TestEndpoint>(seededUnit('alias'), true)
  sampler.update(endpoints)
  const count = (isExcluded?: (endpoint: TestEndpoint) => boolean, except?: number): number[] => {
    const counts = endpoints.map(() => 0)
    for (let i = 0; i < 40_000; i++) counts[sampler.draw(isExcluded, except)]!++
    return counts
  }
  assert.ok(chiSquaredSigmas(count(), weights) < 4)
  // Nearly all the weight is excluded, so that most draws end in counting.
  const left = [0, 1, 5]
  const counts = count((endpoint) => endpoint.weight >= 2)
  assert.deepEqual([counts[2], counts[3], counts[4]], [0, 0, 0])
  assert.ok(
    chiSquaredSigmas(
      left.map((i) => counts[i]!),
      left.map((i) => weights[i]!),
    ) < 4,
    `${counts}`,
  )
  assert.equal(count(undefined, 4)[4], 0)
  assert.equal(
    sampler.draw(() => true),
    nothing,
  )
})

test('least connections: the naive minimum of active / weight; equals take turns by weight', () => {
  const endpoint = fc.record({ weight: fc.integer({ min: 1, max: 5 }), active: fc.nat({ max: 9 }) })
  fc.assert(
    fc.property(fc.array(endpoint, { minLength: 1, maxLength: 9 }), (fields) => {
      const endpoints = fields.map((each, i) => testEndpoint(`${i}`, each))
      const balancer = new LeastConnections<TestEndpoint>()
      balancer.update(endpoints)
      const least = Math.min(...fields.map(({ active, weight }) => active / weight))
      for (let i = 0; i < 5; i++) {
        const picked = balancer.pick({})!
        assert.equal(picked.active / picked.weight, least)
      }
    }),
    { seed: 7, numRuns: 300 },
  )
  const balancer = new LeastConnections<TestEndpoint>()
  balancer.update(letters({ a: 2, b: 1, c: 1 }))
  assert.equal(sequence(balancer, 8), 'abcaabca')
})

test('least time: waits count; the unknown is asked once, and then only when it has answered', () => {
  const fast = testEndpoint('fast', { latencyMs: 10, active: 3 })
  const slow = testEndpoint('slow', { latencyMs: 35 })
  const unknown = testEndpoint('unknown', { active: 1 })
  const balancer = new LeastTime<TestEndpoint>()
  balancer.update([fast, slow, unknown])
  assert.equal(balancer.pick({}), slow)
  fast.active = 2
  assert.equal(balancer.pick({}), fast)
  unknown.active = 0
  assert.equal(balancer.pick({}), unknown)
  assert.ok(peakEwmaCost(0, 1) > peakEwmaCost(60_000, 10_000))
})

test('p2c: never the most expensive while there is another, and always the cheapest of two', () => {
  const endpoints = testEndpoints([1, 1, 1, 1, 1])
  endpoints.forEach((endpoint, i) => {
    endpoint.latencyMs = 10 + i
  })
  endpoints[4]!.latencyMs = 1000
  const balancer = new PowerOfTwoChoices<TestEndpoint>(seededUnit('p2c'))
  balancer.update(endpoints)
  const counts = endpoints.map(() => 0)
  for (let i = 0; i < 20_000; i++) counts[endpoints.indexOf(balancer.pick({})!)]!++
  // Of n by rank, the i-th cheapest is chosen with 2 (n - i) / (n (n - 1)): 0.4, 0.3, 0.2, 0.1 and never.
  assert.equal(counts[4], 0)
  assert.ok(chiSquaredSigmas(counts.slice(0, 4), [4, 3, 2, 1]) < 4, `${counts}`)
  for (let i = 0; i < 100; i++)
    assert.equal(balancer.pick({ isExcluded: ({ latencyMs }) => latencyMs !== 1000 && latencyMs !== 11 }), endpoints[1])
})

test('peak EWMA: up at once, down with time, also when nothing is observed', () => {
  const average = new PeakEwma(1000)
  assert.equal(average.valueMs(5), 0)
  average.observe(0, 100)
  assert.equal(average.valueMs(0), 100)
  assert.ok(Math.abs(average.valueMs(1000) - 100 / Math.E) < 1e-9)
  average.observe(1000, 10)
  assert.ok(Math.abs(average.valueMs(1000) - (100 / Math.E + 10 * (1 - 1 / Math.E))) < 1e-9)
  average.observe(1000, 500)
  assert.equal(average.valueMs(1000), 500)
  average.observe(900, 1)
  assert.equal(average.valueMs(1000), 500)
})

test('ip-hash: the servers that a real nginx chose, also when some are down', () => {
  const text = readFileSync(join(import.meta.dirname, 'testdata', 'ip-hash-nginx.txt'), 'utf8').trimEnd()
  const groups = text.split(/\n(?=weights )/)
  assert.equal(groups.length, 4)
  for (const group of groups) {
    const [head, ...lines] = group.split('\n')
    const [, weights, , down] = head!.split(' ')
    const endpoints = testEndpoints(weights!.split(',').map(Number))
    const isDown = down!.split(',').map((each) => endpoints[Number(each)])
    const balancer = new IpHash<TestEndpoint>(seededUnit('ip'))
    balancer.update(endpoints)
    assert.equal(lines.length, 162)
    for (const line of lines) {
      const [key, index] = line.split(' ')
      const picked = balancer.pick({ key, isExcluded: (each) => isDown.includes(each) })
      assert.equal(endpoints.indexOf(picked!), Number(index), `${head}: ${line}`)
    }
  }
})

test('ip-hash: which bytes of an address count', () => {
  const out = new Uint8Array(16)
  const bytesOf = (key: string): string => Buffer.from(out.subarray(0, readHashedBytes(key, out))).toString('hex')
  assert.equal(bytesOf('192.0.2.77'), 'c00002')
  assert.equal(bytesOf('::ffff:192.0.2.77'), 'c00002')
  assert.equal(bytesOf('::FFFF:c000:24d'), 'c00002')
  assert.equal(bytesOf('::'), '0'.repeat(32))
  assert.equal(bytesOf('2001:db8::1'), '20010db8000000000000000000000001')
  assert.equal(bytesOf('2001:DB8:0:0:1::'), '20010db8000000000001000000000000')
  assert.equal(bytesOf('1:2:3:4:5:6:7:8'), '00010002000300040005000600070008')
  assert.equal(bytesOf('64:ff9b::192.0.2.33'), '0064ff9b0000000000000000c0000221')
  assert.equal(bytesOf('fe80::1%eth0'), 'fe800000000000000000000000000001')
  const noAddresses = [
    '',
    '1.2.3',
    '1.2.3.4.5',
    '256.1.1.1',
    '1.2.3.',
    ':1',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '12345::',
    '1:',
    'g::',
  ]
  for (const key of [
    ...noAddresses,
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8::',
    '::1.2.3',
    '1:2:3:4:5:6:7:1.2.3.4',
    'unix:',
  ])
    assert.equal(bytesOf(key).length, 8, key)
})

test('ip-hash: no text breaks the reading of addresses', () => {
  const out = new Uint8Array(16)
  const unit = fc.constantFrom('0', '1', 'f', ':', '::', '.', '%', 'g', '255')
  fc.assert(
    fc.property(fc.array(unit, { maxLength: 24 }), (parts) => {
      assert.ok([3, 4, 16].includes(readHashedBytes(parts.join(''), out)))
    }),
    { seed: 8, numRuns: 3000 },
  )
})

test('peak EWMA: one that is left alone is forgiven ten times as fast, but not sooner than fifty requests of others', () => {
  const valueAfter = (restedMs: number, requests: number): number => {
    const average = new PeakEwma(10_000)
    average.observe(0, 2_000)
    for (let now = 250; now <= restedMs; now += 250) average.rest(now, (requests * 250) / restedMs)
    return average.valueMs(restedMs)
  }
  assert.ok(Math.abs(valueAfter(5_000, 1e6) - 2_000 * Math.exp(-5)) < 1e-6)
  assert.ok(Math.abs(valueAfter(5_000, 100) - 2_000 * Math.exp(-2.5)) < 1e-6)
  assert.ok(Math.abs(valueAfter(5_000, 0) - 2_000 * Math.exp(-0.5)) < 1e-6)
})

test('peak EWMA: after a rest one observation is believed, and at work as slowly as ever', () => {
  const average = new PeakEwma(10_000)
  average.observe(0, 2_000)
  average.rest(6_000, 10_000)
  average.observe(6_000, 10)
  assert.ok(average.valueMs(6_000) < 16, `${average.valueMs(6_000)}`)
  average.observe(6_001, 2_000)
  // A request was under way all the time.
  average.rest(7_000, 0)
  average.observe(7_000, 10)
  assert.ok(average.valueMs(7_000) > 1_800, `${average.valueMs(7_000)}`)
})
