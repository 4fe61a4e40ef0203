import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { askedOfServerMs, LeasePromise } from './lease-promise.ts'

describe("how long a lease's session is certain to live", () => {
  it('who renews three times in a lease is promised all of it, each time', () => {
    for (const grantedMs of [askedOfServerMs(900), 5_000]) {
      const promise = new LeasePromise(900)
      assert.deepEqual(promise.opened(100, grantedMs), { sentAtMs: 100, ttlMs: 900 })
      for (let atMs = 400; atMs < 20_000; atMs += 300)
        assert.deepEqual(promise.answered(atMs), { sentAtMs: atMs, ttlMs: 900 })
    }
  })

  it('what the server clamped is told', () => {
    const promise = new LeasePromise(1_000)
    assert.equal(promise.opened(0, 1_000).ttlMs, 1_000)
    assert.equal(promise.answered(300).ttlMs, 700)
    assert.equal(promise.answered(600).ttlMs, 700)
    assert.equal(promise.answered(900).ttlMs, 700)
  })

  it('a server that dies right after it answered costs nobody a promise', () => {
    // The leader's side: it has heard of a ping when a later sync was answered that left at least half a tick after it.
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 4_000 }),
        fc.integer({ min: 1, max: 4_000 }),
        fc.array(fc.integer({ min: 1, max: 3_000 }), { minLength: 1, maxLength: 30 }),
        (grantedMs, wantedMs, pausesMs) => {
          const promise = new LeasePromise(wantedMs)
          promise.opened(0, grantedMs)
          const pings = [0]
          let nowMs = 0
          for (const pauseMs of pausesMs) {
            nowMs += pauseMs
            const { ttlMs } = promise.answered(nowMs)
            const heardOf = pings.filter((atMs) => atMs === 0 || atMs + grantedMs / 4 <= nowMs)
            pings.push(nowMs)
            const endsAtMs = Math.max(...heardOf) + grantedMs
            assert.ok(ttlMs === 0 || nowMs + ttlMs <= endsAtMs)
            assert.ok(ttlMs <= wantedMs)
          }
        },
      ),
    )
  })

  it('a session that was resumed counts from its hello', () => {
    const promise = new LeasePromise(1_000)
    promise.opened(0, 1_800)
    promise.answered(900)
    assert.deepEqual(promise.opened(1_500, 1_800), { sentAtMs: 1_500, ttlMs: 1_000 })
    assert.deepEqual(promise.answered(1_600), { sentAtMs: 1_600, ttlMs: 1_000 })
  })
})
