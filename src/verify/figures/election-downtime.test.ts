import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { downtimeMsMax, electionDowntimeMs } from './election-downtime.ts'

/** The claims of §9.3 of the Raft paper (extended version), on 100 trials a range instead of 1,000. */
describe('Raft §9.3, figure 16', () => {
  const trials = (minMs: number, maxMs: number, count = 100): number[] =>
    Array.from({ length: count }, (_, i) => electionDowntimeMs({ seed: `test-${i}`, minMs, maxMs })).sort(
      (a, b) => a - b,
    )
  const median = (values: readonly number[]): number => values[values.length >> 1]!

  test('without randomness a leader is hardly ever found, for votes split again and again', () => {
    assert.ok(median(trials(150, 150, 5)) > 10_000)
  })

  test('5 ms of randomness make the median less than half a second', () => {
    assert.ok(median(trials(150, 155)) < 500)
  })

  test('50 ms of randomness bound the worst case of all trials', () => {
    assert.ok(trials(150, 200).at(-1)! < 513)
  })

  test('shorter time-outs mean less downtime: 12 to 24 ms give about 35 ms', () => {
    const fast = trials(12, 24)
    assert.ok(median(fast) < 60)
    assert.ok(median(fast) < median(trials(50, 100)))
    assert.ok(median(trials(50, 100)) < median(trials(150, 300)))
  })

  test('the same seed gives the same trial, and a trial ends', () => {
    const trial = { seed: 'same', minMs: 150, maxMs: 150 }
    assert.equal(electionDowntimeMs(trial), electionDowntimeMs(trial))
    assert.ok(electionDowntimeMs(trial) <= downtimeMsMax)
  })
})
