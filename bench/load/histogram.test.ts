import assert from 'node:assert/strict'
import { it } from 'node:test'
import { Histogram } from './histogram.ts'

it('quantiles are within 1.6 % of the true ones', () => {
  for (const scale of [1, 10, 1_000, 50_000]) {
    const histogram = new Histogram()
    for (let at = 1; at <= 1_000; at++) histogram.record(at * scale)
    for (const share of [0.01, 0.5, 0.99, 1]) {
      const exact = share * 1_000 * scale
      assert.ok(Math.abs(histogram.quantile(share) - exact) <= exact * 0.016 + 1, `${share} of ${scale}`)
    }
  }
})
