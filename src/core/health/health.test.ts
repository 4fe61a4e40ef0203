import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { CircuitBreaker } from './circuit-breaker.ts'
import { HealthThreshold } from './health-threshold.ts'
import { RetryBudget } from './retry-budget.ts'

test('circuit: opens after so many failures in a row, tries one, and closes or opens again', () => {
  const circuit = new CircuitBreaker({ consecutiveFailures: 3, openMs: 1000 })
  const fail = (nowMs: number): boolean => circuit.end(circuit.begin(nowMs), 'failure', nowMs)
  fail(0)
  fail(0)
  circuit.end(circuit.begin(0), 'success', 0)
  fail(0)
  fail(0)
  assert.equal(circuit.state(0), 'closed')
  assert.equal(fail(10), true)
  assert.equal(circuit.state(1009), 'open')
  assert.equal(circuit.permits(1009), false)
  assert.equal(circuit.permits(1010), true)
  assert.equal(circuit.state(1010), 'half-open')
  const trial = circuit.begin(1010)
  assert.equal(circuit.permits(1011), false)
  assert.equal(circuit.end(trial, 'failure', 1500), true)
  assert.equal(circuit.state(2499), 'open')
  const second = circuit.begin(2500)
  assert.equal(circuit.end(second, 'cancelled', 2501), false)
  assert.equal(circuit.permits(2501), true)
  assert.equal(circuit.end(circuit.begin(2501), 'success', 2502), true)
  assert.equal(circuit.state(2502), 'closed')
  assert.equal(circuit.opened, 2)
})

test('circuit: what began before it opened decides nothing after', () => {
  const circuit = new CircuitBreaker({ consecutiveFailures: 1, openMs: 100 })
  const [early, late] = [circuit.begin(0), circuit.begin(0)]
  circuit.end(circuit.begin(0), 'failure', 0)
  assert.equal(circuit.end(early, 'success', 50), false)
  assert.equal(circuit.state(100), 'half-open')
  assert.equal(circuit.end(late, 'success', 101), false)
  assert.equal(circuit.state(101), 'half-open')
})

test('circuit: off it never opens, and turned off it closes', () => {
  const off = new CircuitBreaker({ consecutiveFailures: 0, openMs: 100 })
  for (let i = 0; i < 1000; i++) off.end(off.begin(i), 'failure', i)
  assert.equal(off.permits(1000), true)
  const circuit = new CircuitBreaker({ consecutiveFailures: 1, openMs: 1e9 })
  circuit.end(circuit.begin(0), 'failure', 0)
  circuit.reconfigure({ consecutiveFailures: 0, openMs: 1e9 })
  assert.equal(circuit.state(1), 'closed')
})

test('retry budget: a share of the requests of the last 10 s', () => {
  const budget = new RetryBudget({ percent: 20, minPerSecond: 0 })
  for (let i = 0; i < 100; i++) budget.countRequest(500)
  for (let i = 0; i < 20; i++) assert.equal(budget.takeRetry(9999), true)
  assert.equal(budget.takeRetry(9999), false)
  // The requests leave the window, and the retries count on until they do.
  assert.equal(budget.takeRetry(10_000), false)
  for (let i = 0; i < 110; i++) budget.countRequest(10_500)
  assert.equal(budget.takeRetry(10_500), true)
  assert.equal(budget.takeRetry(10_500), true)
  assert.equal(budget.takeRetry(10_500), false)
})

test('retry budget: a few a second in any case, and a long silence forgets all', () => {
  const budget = new RetryBudget({ percent: 0, minPerSecond: 3 })
  const taken = (nowMs: number): number => [1, 2, 3, 4, 5].filter(() => budget.takeRetry(nowMs)).length
  assert.equal(taken(0), 3)
  assert.equal(taken(999), 0)
  assert.equal(taken(1000), 3)
  assert.equal(taken(1_000_000), 3)
  assert.equal(taken(999_000), 0)
  const shared = new RetryBudget({ percent: 100, minPerSecond: 0 })
  for (let i = 0; i < 5; i++) shared.countRequest(0)
  assert.equal(shared.takeRetry(1_000_000), false)
})

test('retry budget: hedges leave half to retries', () => {
  const budget = new RetryBudget({ percent: 20, minPerSecond: 0 })
  for (let i = 0; i < 100; i++) budget.countRequest(0)
  const taken = (take: () => boolean): number => Array.from({ length: 100 }, take).filter(Boolean).length
  assert.equal(
    taken(() => budget.takeHedge(1)),
    10,
  )
  assert.equal(
    taken(() => budget.takeRetry(1)),
    10,
  )
  const quiet = new RetryBudget({ percent: 0, minPerSecond: 10 })
  assert.equal(
    taken(() => quiet.takeHedge(1)),
    5,
  )
  assert.equal(
    taken(() => quiet.takeRetry(1)),
    5,
  )
})

test('retry budget: whatever was hedged, retries have their half, hedges no more than theirs, and both the whole', () => {
  const step = fc.record({ passMs: fc.nat({ max: 3000 }), kind: fc.constantFrom('request', 'retry', 'hedge', 'hedge') })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 150 }), fc.nat({ max: 100 }), fc.nat({ max: 8 }), (steps, percent, min) => {
      const budget = new RetryBudget({ percent, minPerSecond: min })
      const seconds = { request: [] as number[], retry: [] as number[], hedge: [] as number[] }
      let now = 0
      for (const { passMs, kind } of steps) {
        now += passMs
        const second = Math.floor(now / 1000)
        const recent = (list: readonly number[]): number => list.filter((each) => each > second - 10).length
        const inSecond = (list: readonly number[]): number => list.filter((each) => each === second).length
        const share = (recent(seconds.request) * percent) / 100
        if (kind === 'request') budget.countRequest(now)
        else if (kind === 'retry') {
          const hasHalf = recent(seconds.retry) + 1 <= share / 2 || inSecond(seconds.retry) < min / 2
          const isTaken = budget.takeRetry(now)
          assert.ok(isTaken || !hasHalf, 'the half that is for retries')
          if (!isTaken) continue
        } else {
          const fitsHalf = recent(seconds.hedge) + 1 <= share / 2 || inSecond(seconds.hedge) < min / 2
          const fitsWhole =
            recent([...seconds.hedge, ...seconds.retry]) + 1 <= share ||
            inSecond([...seconds.hedge, ...seconds.retry]) < min
          const isTaken = budget.takeHedge(now)
          assert.ok(!isTaken || (fitsHalf && fitsWhole), 'the half that hedges may have')
          if (!isTaken) continue
        }
        seconds[kind as 'request'].push(second)
      }
    }),
    { seed: 12, numRuns: 500 },
  )
})

test('retry budget: is that of a naive count', () => {
  const step = fc.record({ passMs: fc.nat({ max: 3000 }), isRetry: fc.boolean() })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), fc.nat({ max: 100 }), fc.nat({ max: 3 }), (steps, percent, min) => {
      const budget = new RetryBudget({ percent, minPerSecond: min })
      const requests: number[] = []
      const retries: number[] = []
      let now = 0
      for (const { passMs, isRetry } of steps) {
        now += passMs
        const second = Math.floor(now / 1000)
        if (!isRetry) {
          budget.countRequest(now)
          requests.push(second)
          continue
        }
        const recent = (list: readonly number[]): number => list.filter((each) => each > second - 10).length
        const isFree = retries.filter((each) => each === second).length < min
        const expected = isFree || (recent(retries) + 1) * 100 <= recent(requests) * percent
        assert.equal(budget.takeRetry(now), expected)
        if (expected) retries.push(second)
      }
    }),
    { seed: 11, numRuns: 500 },
  )
})

test('health threshold: several in a row change it; the first success of the unknown does at once', () => {
  const health = new HealthThreshold({ healthyAfter: 2, unhealthyAfter: 3 })
  const record = (...results: boolean[]): string => {
    for (const result of results) health.record(result)
    return health.health
  }
  assert.equal(record(false, false), 'unknown')
  assert.equal(record(false), 'unhealthy')
  assert.equal(record(true, false, true), 'unhealthy')
  assert.equal(health.record(true), true)
  assert.equal(health.health, 'healthy')
  assert.equal(record(false, false, true, false, false), 'healthy')
  assert.equal(record(false), 'unhealthy')
  health.reset()
  assert.equal(record(true), 'healthy')
})
