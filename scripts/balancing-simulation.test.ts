import assert from 'node:assert/strict'
import { test } from 'node:test'
import { recover } from './balancing-simulation.ts'

for (const policy of ['least-time', 'p2c'] as const) {
  test(`${policy}: an endpoint that was slow is back in seconds, and was spared requests until then`, () => {
    const { backAfterSeconds, slowPercent } = recover({ title: policy, policy, boundedLoadFactor: 0 })
    // Left to time alone it is away for 16 seconds and more.
    assert.ok(backAfterSeconds < 8, `${backAfterSeconds} s`)
    assert.ok(slowPercent < 0.1, `${slowPercent}% of the requests`)
  })
}
