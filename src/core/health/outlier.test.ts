import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { OutlierDetector, type OutlierOptions, type OutlierRecord } from './outlier.ts'

const options: OutlierOptions = {
  consecutiveFailures: 5,
  ejectionMs: 30_000,
  ejectionMsMax: 100_000,
  ejectedPercentMax: 50,
  successRateStdevFactor: 1.9,
  successRateEndpointsMin: 5,
  successRateRequestsMin: 100,
  latencyFactor: 3,
}

function watch(count: number, changes: Partial<OutlierOptions> = {}) {
  const detector = new OutlierDetector({ ...options, ...changes })
  const records = Array.from({ length: count }, (_, i) => detector.track(`e${i}`))
  const serve = (record: OutlierRecord, successes: number, failures: number, latencyMs = 10): void => {
    // Spread out, so that no row of failures is long.
    for (let i = 0; i < successes; i++) detector.succeeded(record, latencyMs)
    for (let i = 0; i < failures; i++) {
      detector.failed(record, 0)
      detector.succeeded(record, latencyMs)
    }
  }
  const fail = (record: OutlierRecord, nowMs: number): boolean[] =>
    [1, 2, 3, 4, 5].map(() => detector.failed(record, nowMs))
  return { detector, records, serve, fail }
}

test('failures in a row eject, a success between them does not', () => {
  const { detector, records, fail } = watch(4)
  const [a, b] = records as [OutlierRecord, OutlierRecord]
  for (let i = 0; i < 20; i++) {
    if (i % 5 === 4) detector.succeeded(a, 1)
    else assert.equal(detector.failed(a, 0), false)
  }
  assert.deepEqual(fail(b, 1000), [false, false, false, false, true])
  assert.equal(b.isEjected, true)
  assert.equal(b.reason, '5 failures in a row')
  assert.equal(b.ejectedUntilMs, 31_000)
  assert.equal(detector.failed(b, 1001), false)
  assert.deepEqual(detector.sweep(30_999), [])
  assert.deepEqual(detector.sweep(31_000), [b])
  assert.equal(b.isEjected, false)
  assert.equal(b.reason, '')
})

test('ejections grow up to the maximum, and shrink again with every sweep in health', () => {
  const { detector, records, fail } = watch(4)
  const a = records[0]!
  const durations: number[] = []
  let now = 0
  const eject = (): void => {
    fail(a, now)
    durations.push(a.ejectedUntilMs - now)
    now = a.ejectedUntilMs
    detector.sweep(now)
  }
  for (let i = 0; i < 5; i++) eject()
  assert.deepEqual(durations, [30_000, 60_000, 90_000, 100_000, 100_000])
  for (let i = 0; i < 3; i++) detector.sweep(++now)
  eject()
  assert.equal(durations.at(-1), 90_000)
  for (let i = 0; i < 10; i++) detector.sweep(++now)
  eject()
  assert.equal(durations.at(-1), 30_000)
  assert.equal(a.ejections, 7)
})

test('never more than the share, but always one', () => {
  const many = watch(10, { ejectedPercentMax: 30 })
  for (const record of many.records) many.fail(record, 0)
  assert.equal(many.detector.ejectedCount, 3)
  assert.deepEqual(
    many.records.map(({ isEjected }) => isEjected),
    [true, true, true, ...new Array(7).fill(false)],
  )
  const one = watch(3, { ejectedPercentMax: 0 })
  for (const record of one.records) one.fail(record, 0)
  assert.equal(one.detector.ejectedCount, 1)
  // One that leaves makes room.
  one.detector.untrack(one.records[0]!)
  one.detector.untrack(one.records[0]!)
  assert.equal(one.detector.ejectedCount, 0)
  assert.equal(one.detector.failed(one.records[0]!, 0), false)
  assert.equal(one.detector.failed(one.records[1]!, 0), true)
})

test('success rate: below mean - factor * standard deviation, of those with enough requests', () => {
  const { detector, records, serve } = watch(8)
  for (const record of records.slice(0, 6)) serve(record, 198, 1)
  serve(records[6]!, 0, 100)
  // Too few requests to be judged by.
  serve(records[7]!, 0, 40)
  assert.deepEqual(detector.sweep(10_000), [records[6]])
  assert.match(records[6]!.reason, /^success rate 50\.0%, the mean of all is 9\d\.\d%$/)
  // Counts begin anew: nothing happened, so nobody is judged.
  assert.deepEqual(detector.sweep(20_000), [])
})

test('success rate: not with too few endpoints, not when off, not when all are alike', () => {
  for (const [count, changes] of [
    [4, {}],
    [8, { successRateStdevFactor: 0 }],
  ] as const) {
    const { detector, records, serve } = watch(count, { ...changes, latencyFactor: 0 })
    for (const record of records) serve(record, 200, 0)
    serve(records[0]!, 0, 200)
    assert.deepEqual(detector.sweep(10_000), [])
  }
  const { detector, records, serve } = watch(8)
  for (const record of records) serve(record, 0, 100)
  assert.deepEqual(detector.sweep(10_000), [])
})

test('latency: above so many times the median of the others', () => {
  const { detector, records, serve } = watch(6, { successRateStdevFactor: 0 })
  records.forEach((record, i) => {
    serve(record, 100, 0, i === 2 ? 100 : 10 + i)
  })
  assert.deepEqual(detector.sweep(0), [records[2]])
  assert.equal(records[2]!.reason, '100.0 ms on average, the median of the others is 13.0 ms')
  const off = watch(6, { latencyFactor: 0 })
  off.records.forEach((record, i) => {
    off.serve(record, 100, 0, i === 2 ? 100 : 10)
  })
  assert.deepEqual(off.detector.sweep(0), [])
})

test('whatever happens, the share holds, and records and count agree', () => {
  const step = fc.tuple(
    fc.nat({ max: 11 }),
    fc.constantFrom('fail', 'succeed', 'sweep', 'leave', 'come'),
    fc.nat({ max: 20_000 }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), fc.nat({ max: 100 }), (steps, ejectedPercentMax) => {
      const changes = {
        ejectedPercentMax,
        consecutiveFailures: 2,
        successRateRequestsMin: 2,
        successRateEndpointsMin: 3,
      }
      const { detector, records } = watch(8, changes)
      let now = 0
      for (const [which, what, passMs] of steps) {
        now += passMs
        const before = detector.ejectedCount
        if (what === 'come') records.push(detector.track('new'))
        const record = records[which % Math.max(1, records.length)]
        if (record === undefined) continue
        if (what === 'fail') detector.failed(record, now)
        if (what === 'succeed') detector.succeeded(record, which * 50)
        if (what === 'sweep') detector.sweep(now)
        if (what === 'leave') {
          detector.untrack(record)
          records.splice(records.indexOf(record), 1)
        }
        assert.equal(detector.ejectedCount, records.filter(({ isEjected }) => isEjected).length)
        const allowed = Math.max(1, Math.floor((records.length * ejectedPercentMax) / 100))
        if (detector.ejectedCount > before) assert.ok(detector.ejectedCount <= allowed)
      }
    }),
    { seed: 12, numRuns: 300 },
  )
})
