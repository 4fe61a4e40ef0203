import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { RateLimitConfig } from '../config/index.ts'
import {
  LocalRateLimiter,
  leaseBatch,
  RateLimitOwner,
  type RateLimitShare,
  RateLimits,
  SharedRateLimiter,
} from './index.ts'

function limit(requestsPerSecond: number, burst: number): RateLimitConfig {
  return { requestsPerSecond, burst, key: { type: 'client-ip' } }
}

describe('a local limiter', () => {
  it('lets the burst pass, then the rate, and says when to come again', () => {
    const limiter = new LocalRateLimiter(limit(10, 3))
    assert.deepEqual(
      [0, 0, 0, 0].map((now) => limiter.take('a', now)),
      [0, 0, 0, 100],
    )
    assert.equal(limiter.take('b', 0), 0)
    assert.equal(limiter.take('a', 60), 40)
    assert.equal(limiter.take('a', 100), 0)
    assert.ok(limiter.take('a', 100) > 0)
    assert.deepEqual(
      [9_000, 9_000, 9_000, 9_000].map((now) => limiter.take('a', now) === 0),
      [true, true, true, false],
    )
  })

  it('never grants more than rate * t + burst in any time, nor refuses while that is unspent', () => {
    const steps = fc.array(fc.tuple(fc.nat(300), fc.constantFrom('a', 'b')), { minLength: 1, maxLength: 200 })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 10 }), steps, (rate, burst, all) => {
        const limiter = new LocalRateLimiter(limit(rate, burst))
        const granted = new Map<string, number[]>([
          ['a', []],
          ['b', []],
        ])
        let now = 0
        for (const [stepMs, key] of all) {
          now += stepMs
          const times = granted.get(key)!
          const fits = (at: number) =>
            times.every((from, i) => times.length - i + 1 <= burst + ((at - from) * rate) / 1_000 + 1e-6)
          const waitMs = limiter.take(key, now)
          if (waitMs === 0) {
            assert.ok(fits(now))
            times.push(now)
          } else {
            assert.equal(fits(now + waitMs - 0.01), false)
          }
        }
      }),
    )
  })

  it('forgets the least recently used key, and no other', () => {
    const limiter = new LocalRateLimiter(limit(0.001, 1), 2)
    assert.equal(limiter.take('a', 0), 0)
    assert.equal(limiter.take('b', 0), 0)
    assert.ok(limiter.take('a', 0) > 0)
    assert.equal(limiter.take('c', 0), 0)
    assert.ok(limiter.take('a', 0) > 0)
    assert.equal(limiter.take('b', 0), 0)
    assert.equal(limiter.keys, 2)
  })
})

/** Workers and their owner, with answers that come `delayMs` later or never. */
function cluster(config: RateLimitConfig, workers: number, answers = true) {
  const owner = new RateLimitOwner()
  owner.reconfigure(new Map([['web/route', config]]))
  let now = 0
  const queue: { atMs: number; run: () => void }[] = []
  const limits = Array.from({ length: workers }, () => {
    const share: RateLimitShare = {
      request(lease) {
        assert.ok(lease.spent >= 1 || lease.wanted >= 1)
        if (!answers) return
        const answer = owner.request(lease, now)
        queue.push({ atMs: now + 5, run: () => all.grant(answer, now) })
      },
    }
    const all = new RateLimits(share)
    return all
  })
  return {
    take: (worker: number) => limits[worker]!.limiter('web/route', config).take('a', now) === 0,
    advance(ms: number) {
      const until = now + ms
      while (queue.length > 0 && queue[0]!.atMs <= until) {
        now = queue[0]!.atMs
        queue.shift()!.run()
      }
      now = until
    },
  }
}

describe('a shared limit', () => {
  it('holds over all workers, exact within the batches, and is used up', () => {
    // Many at once, as browsers do, and pauses.
    const pause = fc.oneof({ arbitrary: fc.constant(0), weight: 8 }, fc.nat(20), fc.nat(2_000))
    const load = fc.array(fc.tuple(fc.nat(3), pause), { minLength: 50, maxLength: 400 })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 100 }), load, (rate, burst, steps) => {
        const config = limit(rate, burst)
        const { take, advance } = cluster(config, 4)
        let passed = 0
        let elapsedMs = 0
        for (const [worker, ms] of steps) {
          advance(ms)
          elapsedMs += ms
          if (take(worker)) passed++
          const most = (rate * elapsedMs) / 1_000 + burst + 4 * (burst + leaseBatch(config))
          assert.ok(passed <= most + 1e-6, `${passed} passed of ${most}`)
        }
      }),
    )
  })

  it('gives a steady client its rate over a long time', () => {
    const { take, advance } = cluster(limit(100, 20), 2)
    let passed = 0
    for (let i = 0; i < 20_000; i++) {
      advance(1)
      if (take(i % 2)) passed++
    }
    assert.ok(passed >= 1_800 && passed <= 2_020 + 20, `${passed} of 20 s at 100/s`)
  })

  it('goes on without an owner: its burst, then a batch a second', () => {
    const { take, advance } = cluster(limit(100, 40), 1, false)
    let passed = 0
    for (let i = 0; i < 10_000; i++) {
      advance(1)
      if (take(0)) passed++
    }
    assert.ok(passed >= 130 && passed <= 150, `${passed}`)
  })

  it('lets a burst at one worker pass at once, and again once the bucket is full', () => {
    const { take, advance } = cluster(limit(10, 20), 3)
    for (let round = 0; round < 10; round++) {
      const worker = round % 3
      for (let i = 0; i < 20; i++) assert.ok(take(worker), `round ${round}, request ${i}`)
      advance(10)
      assert.ok(!take(worker), `round ${round}: the burst is used up`)
      // A worker may hold the rest of a batch.
      advance(2_200)
    }
  })

  it('refuses a burst that went through another worker', () => {
    const { take, advance } = cluster(limit(1, 20), 2)
    for (let i = 0; i < 20; i++) assert.ok(take(0))
    advance(10)
    assert.ok(take(1), 'on loan: this worker has heard nothing yet')
    advance(10)
    assert.ok(!take(1))
  })

  it('asks for one lease at a time', () => {
    const asked: number[] = []
    const limiter = new SharedRateLimiter('l', limit(100, 40), {
      request: ({ spent, wanted }) => asked.push(spent, wanted),
    })
    for (let i = 0; i < 30; i++) limiter.take('a', i)
    assert.deepEqual(asked, [1, 10])
    // What was lent meanwhile is told by the next.
    limiter.grant({ limiter: 'l', key: 'a', tokens: 10, retryAfterMs: 0 }, 30)
    assert.deepEqual(asked, [1, 10, 29, 0])
  })

  it('keeps buckets over a reload that leaves the limit alone', () => {
    const owner = new RateLimitOwner()
    owner.reconfigure(new Map([['l', limit(1, 5)]]))
    const lease = { limiter: 'l', key: 'a', spent: 0, wanted: 9 }
    assert.equal(owner.request(lease, 0).tokens, 5)
    owner.reconfigure(new Map([['l', limit(1, 5)]]))
    assert.deepEqual(owner.request(lease, 0), { limiter: 'l', key: 'a', tokens: 0, retryAfterMs: 1_000 })
    owner.reconfigure(new Map([['l', limit(1, 6)]]))
    assert.equal(owner.request(lease, 0).tokens, 6)
    const limits = new RateLimits()
    assert.equal(limits.limiter('l', limit(1, 5)), limits.limiter('l', limit(1, 5)))
    limits.retain([])
    assert.notEqual(limits.limiter('l', limit(1, 5)), limits.limiter('l', limit(1, 6)))
  })
})
