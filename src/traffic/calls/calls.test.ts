import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { Prng } from '../../base/index.ts'
import type { Upstream } from '../upstream/index.ts'
import { onUpstreamGround, settingsOf, staticSource } from '../upstream/testing/upstream-ground.ts'
import { type Attempt, type AttemptOutcome, type CallPolicy, callPolicyDefault, makeCall } from './index.ts'

const idempotent: CallPolicy = { ...callPolicyDefault, attemptsMax: 3, isIdempotent: true }
const answered: AttemptOutcome<string> = { type: 'answered', value: 'well', endpoint: 'success' }
const broken: AttemptOutcome<string> = {
  type: 'failed',
  error: new Error('the connection broke'),
  fate: 'unknown',
  endpoint: 'failure',
  isRetryable: true,
}
const unsent: AttemptOutcome<string> = { ...broken, fate: 'not-applied', endpoint: 'connect-failure' }

function never(): Promise<AttemptOutcome<string>> {
  return new Promise(() => {})
}

function activeOf(upstream: Upstream): number {
  return upstream.endpoints.reduce((sum, { active }) => sum + active, 0)
}

suite('a call', () => {
  test('goes to another endpoint when one fails, and tells the first answer', () =>
    onUpstreamGround(1, async ({ open, runtime }) => {
      const upstream = open({ sources: [staticSource('a', 'b', 'c')] })
      const asked: Attempt[] = []
      const outcome = await makeCall(upstream, runtime, idempotent, async (attempt) => {
        asked.push(attempt)
        return asked.length < 3 ? broken : answered
      })
      assert.ok(outcome.type === 'answered' && outcome.value === 'well' && outcome.attempts === 3)
      assert.equal(new Set(asked.map(({ endpoint }) => endpoint.id)).size, 3)
      assert.equal(activeOf(upstream), 0)
      assert.deepEqual([upstream.view().requests, upstream.view().retries], [1, 2])
    }))

  test('that is not idempotent is not sent again once it may have been applied', () =>
    onUpstreamGround(2, async ({ open, runtime }) => {
      const upstream = open({ sources: [staticSource('a', 'b', 'c')] })
      const policy = { ...idempotent, isIdempotent: false }
      const first = await makeCall(upstream, runtime, policy, async () => broken)
      assert.ok(first.type === 'failed' && first.attempts === 1 && first.fate === 'unknown')
      const outcomes = [unsent, broken, answered]
      const second = await makeCall(upstream, runtime, policy, async ({ number }) => outcomes[number - 1]!)
      assert.ok(second.type === 'failed' && second.attempts === 2 && second.fate === 'unknown')
      const third = await makeCall(upstream, runtime, policy, async ({ number }) => (number < 3 ? unsent : answered))
      assert.ok(third.type === 'answered' && third.attempts === 3)
      const fourth = await makeCall(upstream, runtime, policy, async () => unsent)
      assert.ok(fourth.type === 'failed' && fourth.attempts === 3 && fourth.fate === 'not-applied')
    }))

  test('is not sent again beyond the budget, nor where that is of no use', () =>
    onUpstreamGround(3, async ({ open, runtime }) => {
      const upstream = open({ sources: [staticSource('a', 'b', 'c')], retryBudget: { percent: 0, minPerSecond: 1 } })
      const first = await makeCall(upstream, runtime, idempotent, async () => broken)
      assert.equal(first.attempts, 2)
      const final = await makeCall(upstream, runtime, idempotent, async () => ({ ...broken, isRetryable: false }))
      assert.equal(final.attempts, 1)
      const bad = await makeCall(upstream, runtime, idempotent, async () => ({ ...answered, endpoint: 'failure' }))
      assert.ok(bad.type === 'answered' && bad.attempts === 1)
      assert.equal(
        upstream.view().endpoints.reduce((sum, { failures }) => sum + failures, 0),
        4,
      )
    }))

  test('with one endpoint tries it again, after a pause', () =>
    onUpstreamGround(4, async ({ open, runtime, simulation }) => {
      const upstream = open({ sources: [staticSource('a')] })
      const began: number[] = []
      const outcome = await makeCall(upstream, runtime, idempotent, async () => {
        began.push(simulation.nowMs)
        return broken
      })
      assert.equal(outcome.attempts, 3)
      assert.ok(began[1]! - began[0]! >= 12 && began[2]! - began[1]! >= 24, String(began))
    }))

  test('is hedged when there is no answer, and the loser is cancelled', () =>
    onUpstreamGround(5, async ({ open, runtime, simulation }) => {
      const upstream = open({ sources: [staticSource('a', 'b')] })
      const asked: Attempt[] = []
      const policy = { ...idempotent, hedgeAfterMs: 50 }
      const outcome = await makeCall(upstream, runtime, policy, (attempt) => {
        asked.push(attempt)
        return attempt.isHedge ? Promise.resolve(answered) : never()
      })
      assert.ok(outcome.type === 'answered' && outcome.attempts === 2)
      assert.ok(simulation.nowMs < 60)
      assert.equal(asked[0]!.signal.aborted, true)
      assert.equal(asked[1]!.signal.aborted, false)
      assert.notEqual(asked[0]!.endpoint, asked[1]!.endpoint)
      assert.equal(activeOf(upstream), 0)
      const unhedged = await makeCall(
        upstream,
        runtime,
        { ...policy, isIdempotent: false, deadlineMs: runtime.clock.monotonicMs() + 500 },
        never,
      )
      assert.ok(unhedged.type === 'deadline-exceeded' && unhedged.attempts === 1 && unhedged.fate === 'unknown')
    }))

  test('an attempt that takes too long has failed; the deadline travels with each', () =>
    onUpstreamGround(6, async ({ open, runtime }) => {
      const upstream = open({ sources: [staticSource('a', 'b')] })
      const timeouts: (number | undefined)[] = []
      const deadlineMs = runtime.clock.monotonicMs() + 150
      const policy = { ...idempotent, perAttemptTimeoutMs: 100, deadlineMs }
      const outcome = await makeCall(upstream, runtime, policy, ({ timeoutMs }) => {
        timeouts.push(timeoutMs)
        return never()
      })
      assert.ok(outcome.type === 'deadline-exceeded' && outcome.attempts === 2)
      assert.equal(timeouts[0], 100)
      assert.ok(timeouts[1]! > 0 && timeouts[1]! <= 50)
      assert.deepEqual(
        upstream.view().endpoints.map(({ failures }) => failures),
        [1, 1],
      )
      assert.equal(activeOf(upstream), 0)
      const late = await makeCall(upstream, runtime, policy, async () => answered)
      assert.deepEqual(late, { type: 'deadline-exceeded', fate: 'not-applied', attempts: 0 })
    }))

  test('is refused without endpoints, or waits for them where it may', () =>
    onUpstreamGround(7, async ({ open, runtime, pass }) => {
      const upstream = open({ sources: [] })
      const refused = await makeCall(upstream, runtime, idempotent, async () => answered)
      assert.deepEqual(refused, { type: 'refused', refusal: 'no-endpoints', attempts: 0 })
      const waiting = makeCall(upstream, runtime, { ...idempotent, waitsForEndpoints: true }, async () => answered)
      await pass(100)
      upstream.reconfigure(settingsOf({ sources: [staticSource('a')] }))
      assert.equal((await waiting).type, 'answered')
    }))

  test('that is given up ends at once', () =>
    onUpstreamGround(8, async ({ open, runtime, pass }) => {
      const upstream = open({ sources: [staticSource('a')] })
      const abort = new AbortController()
      const call = makeCall(upstream, runtime, idempotent, never, abort.signal)
      await pass(10)
      assert.equal(activeOf(upstream), 1)
      abort.abort()
      assert.deepEqual(await call, { type: 'cancelled', fate: 'unknown', attempts: 1 })
      assert.equal(activeOf(upstream), 0)
      const none = await makeCall(upstream, runtime, idempotent, never, abort.signal)
      assert.deepEqual(none, { type: 'cancelled', fate: 'not-applied', attempts: 0 })
    }))

  test('whatever attempts do, every begin has its end, and what may have been applied is not repeated', () =>
    fc.assert(
      fc.asyncProperty(
        fc.nat(),
        fc.record({
          attemptsMax: fc.integer({ min: 1, max: 5 }),
          isIdempotent: fc.boolean(),
          hedgeAfterMs: fc.option(fc.integer({ min: 1, max: 60 }), { nil: undefined }),
          perAttemptTimeoutMs: fc.option(fc.integer({ min: 1, max: 60 }), { nil: undefined }),
        }),
        async (seed, drawn) => {
          await onUpstreamGround(seed, async ({ open, runtime, pass }) => {
            const prng = new Prng(String(seed))
            const upstream = open({ sources: [staticSource('a', 'b', 'c')], outlier: undefined })
            const policy = { ...callPolicyDefault, ...drawn, deadlineMs: runtime.clock.monotonicMs() + 200 }
            let unknown = 0
            let afterUnknown = 0
            const outcome = await makeCall<string>(upstream, runtime, policy, async ({ signal }) => {
              if (unknown > 0) afterUnknown++
              await pass(prng.below(80))
              const drawnOutcome = [answered, broken, unsent, { ...broken, isRetryable: false }][prng.below(4)]!
              if (!signal.aborted && drawnOutcome.type === 'failed' && drawnOutcome.fate === 'unknown') unknown++
              return drawnOutcome
            })
            assert.equal(activeOf(upstream), 0)
            assert.ok(outcome.attempts <= policy.attemptsMax)
            if (!policy.isIdempotent) assert.equal(afterUnknown, 0)
            if (outcome.type === 'failed' && unknown > 0) assert.equal(outcome.fate, 'unknown')
          })
        },
      ),
      { numRuns: 150 },
    ))
})
