import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { manyFaults } from '../once/testing/faulty-driver.ts'
import { type PlaneClient, planeWorld } from '../once/testing/plane-world.ts'
import { decide } from './cell-rate.ts'
import { createRateLimiter } from './index.ts'

test('a bucket empties at once and fills evenly', async () => {
  const world = await planeWorld({ seed: 'fills', clients: 1 })
  const limiter = createRateLimiter(world.clients[0]!.context, 'mail', { limit: 10, intervalMs: 1_000, burst: 3 })
  const { revision } = await world.run(world.engine.get('x'))
  const taken = await world.run(Promise.all([1, 2, 3, 4].map(() => limiter.take())))
  assert.deepEqual(
    taken.map(({ allowed, remaining }) => [allowed, remaining]),
    [
      [true, 2],
      [true, 1],
      [true, 0],
      [false, 0],
    ],
  )
  const after = await world.run(world.engine.get('synod/rate-limits/mail'))
  assert.equal(after.entry!.version, 1, 'takes of one turn are one write')
  assert.ok(after.entry!.modRevision > revision)
  const { retryAfterMs } = taken[3]!
  assert.ok(retryAfterMs > 0 && retryAfterMs <= 100, `${retryAfterMs}`)
  await world.advance(retryAfterMs)
  assert.equal((await world.run(limiter.take())).allowed, true)
  assert.equal((await world.run(limiter.take(3))).allowed, false)
  await world.run(limiter.reset())
  assert.equal((await world.run(limiter.take(3))).allowed, true)
  await world.close()
})

test('over any time no more than the limit, whatever is lost and sent again, and however clocks differ', async () => {
  const skewMsMax = 200
  for (let seed = 0; seed < 20; seed++) {
    const world = await planeWorld({ seed: `limit-${seed}`, clients: 3, faults: manyFaults, ttlMs: 60_000, skewMsMax })
    const rate = { limit: 50, intervalMs: 1_000, burst: 5 }
    const granted: { fromMs: number; toMs: number }[] = []
    let asked = 0
    const draw = async (client: PlaneClient): Promise<void> => {
      const limiter = createRateLimiter(client.context, 'mail', rate)
      const untilMs = world.simulation.nowMs + 2_000
      while (world.simulation.nowMs < untilMs) {
        const fromMs = world.simulation.nowMs
        asked++
        const { allowed } = await limiter.take(1, { timeoutMs: 60_000 })
        if (allowed) granted.push({ fromMs, toMs: world.simulation.nowMs })
      }
    }
    await world.run(Promise.all(world.clients.map(draw)))
    // Two clocks are at most two skews apart, and drift on.
    const allowedIn = (ms: number): number => rate.burst + ((ms + 2 * skewMsMax + 10) * rate.limit) / rate.intervalMs
    for (const { fromMs } of granted)
      for (const { toMs } of granted) {
        if (toMs < fromMs) continue
        const inside = granted.filter((grant) => grant.fromMs >= fromMs && grant.toMs <= toMs).length
        assert.ok(inside <= allowedIn(toMs - fromMs), `seed ${seed}: ${inside} in ${toMs - fromMs} ms`)
      }
    assert.ok(granted.length > 30, `seed ${seed}: ${granted.length} of ${asked}: it also gives`)
    await world.close()
  }
})

test('a time from a clock far ahead does not lock everybody out', () => {
  const rate = { spacingMicros: 100_000, burst: 3 }
  const nowMicros = 1_767_225_600_000_000
  const nonsense = decide(rate, nowMicros + 3_600_000_000, nowMicros, 1)
  assert.deepEqual(nonsense, { allowed: false, fullAtMicros: nowMicros + 300_000, remaining: 0, waitMicros: 100_000 })
  assert.equal(decide(rate, nowMicros + 5_000_000, nowMicros, 1).waitMicros, 4_800_000, 'within the skew it counts')
})

test('the algorithm against a list of all that was taken', () => {
  const step = fc.record({ waitMicros: fc.integer({ min: 0, max: 400_000 }), n: fc.integer({ min: 1, max: 4 }) })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 4, max: 8 }), (steps, burst) => {
      const rate = { spacingMicros: 100_000, burst }
      let nowMicros = 1_767_225_600_000_000
      let stored: number | undefined
      /** The bucket, drop by drop: its level times the spacing, so that it stays whole. */
      let level = burst * rate.spacingMicros
      for (const { waitMicros, n } of steps) {
        nowMicros += waitMicros
        level = Math.min(burst * rate.spacingMicros, level + waitMicros)
        const decision = decide(rate, stored, nowMicros, n)
        assert.equal(decision.allowed, level >= n * rate.spacingMicros)
        if (decision.allowed) {
          level -= n * rate.spacingMicros
          stored = decision.fullAtMicros
        } else {
          assert.equal(decision.waitMicros, n * rate.spacingMicros - level)
        }
        assert.equal(decision.remaining, Math.floor(level / rate.spacingMicros))
      }
    }),
  )
})

test('what is no limit is refused', async () => {
  const world = await planeWorld({ seed: 'refused', clients: 0 })
  const bad = [
    { limit: 0, intervalMs: 1 },
    { limit: 1, intervalMs: 0 },
    { limit: 1, intervalMs: 1, burst: 0.5 },
    { limit: 1_000, intervalMs: 1 },
    { limit: 1, intervalMs: Number.NaN },
    { limit: 1, intervalMs: 1e15, burst: 1e6 },
  ]
  for (const limit of bad)
    assert.throws(
      () => createRateLimiter(world.direct, 'x', limit),
      { code: 'INVALID_ARGUMENT' },
      JSON.stringify(limit),
    )
  await assert.rejects(createRateLimiter(world.direct, 'x', { limit: 2, intervalMs: 1 }).take(3), {
    code: 'INVALID_ARGUMENT',
  })
  await world.close()
})
