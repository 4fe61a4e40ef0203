/** What a call makes of the ends of its attempts, in simulated time, over a transport that does as scripted. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { Prng } from '../../base/index.ts'
import type { Upstream } from '../../traffic/upstream/index.ts'
import {
  onUpstreamGround,
  settingsOf,
  staticSource,
  type UpstreamGround,
} from '../../traffic/upstream/testing/upstream-ground.ts'
import {
  type CallOptions,
  closeClient,
  createClient,
  defineService,
  type RpcClient,
  type RpcCode,
  RpcError,
  unary,
} from '../index.ts'
import { type ScriptedAttempt, scriptedTransport } from '../testing/scripted-transport.ts'
import type { CallEnd } from '../transport/index.ts'
import type { ClientOptions } from './options.ts'

const text = (value: unknown): string => String(value)
const service = defineService('ledger', {
  read: unary({ request: text, response: text, idempotent: true }),
  book: unary({ request: text, response: text }),
})
type Client = RpcClient<(typeof service)['methods']>

const unsent: Partial<CallEnd> = { isUnprocessed: true, origin: 'connect' }

function activeOf(upstream: Upstream): number {
  return upstream.endpoints.reduce((sum, { active }) => sum + active, 0)
}

function clientOf(
  { runtime }: UpstreamGround,
  upstream: Upstream,
  serve: (attempt: ScriptedAttempt) => void,
  options: Partial<ClientOptions> = {},
): { client: Client; attempts: readonly ScriptedAttempt[] } {
  const transport = scriptedTransport(serve)
  const client = createClient(service, { target: upstream, transport, runtime, ...options })
  return { client, attempts: transport.attempts }
}

/** The error of a call, or undefined when it succeeded. */
function endOf(call: Promise<unknown>): Promise<RpcError | undefined> {
  return call.then(
    () => undefined,
    (error: unknown) => {
      assert.ok(error instanceof RpcError, String(error))
      return error
    },
  )
}

suite('a call', () => {
  test('goes to another endpoint when one fails', () =>
    onUpstreamGround(1, async (ground) => {
      const upstream = ground.open({ sources: [staticSource('a', 'b', 'c')] })
      const { client, attempts } = clientOf(ground, upstream, (attempt) =>
        attempt.number < 3 ? attempt.fail('UNAVAILABLE') : attempt.answer(),
      )
      assert.equal(await client.read(''), 'well')
      assert.equal(new Set(attempts.map(({ host }) => host)).size, 3)
      assert.equal(activeOf(upstream), 0)
      const { requests, retries } = upstream.view()
      assert.deepEqual([requests, retries], [1, 2])
    }))

  test('that is not idempotent is not made again once it may have been applied', () =>
    onUpstreamGround(2, async (ground) => {
      const upstream = ground.open({ sources: [staticSource('a', 'b', 'c')], outlier: undefined })
      let script: ('unknown' | 'unsent' | 'well')[] = []
      const { client } = clientOf(ground, upstream, (attempt) => {
        const next = script.shift()
        if (next === 'well') attempt.answer()
        else attempt.fail('UNAVAILABLE', next === 'unsent' ? unsent : {})
      })
      const run = async (...given: typeof script): Promise<[string | undefined, number]> => {
        script = given
        return [(await endOf(client.book('')))?.outcome, script.length]
      }
      assert.deepEqual(await run('unknown', 'well'), ['unknown', 1])
      assert.deepEqual(await run('unsent', 'unknown', 'well'), ['unknown', 1])
      assert.deepEqual(await run('unsent', 'unsent', 'well'), [undefined, 0])
      assert.deepEqual(await run('unsent', 'unsent', 'unsent', 'well'), ['not-applied', 1])
    }))

  test('is not made again beyond the budget, nor where that is of no use', () =>
    onUpstreamGround(3, async (ground) => {
      const upstream = ground.open({
        sources: [staticSource('a', 'b', 'c')],
        retryBudget: { percent: 0, minPerSecond: 1 },
      })
      const { client, attempts } = clientOf(ground, upstream, (attempt) => attempt.fail('UNAVAILABLE'))
      await endOf(client.read(''))
      assert.equal(attempts.length, 2)
      const { client: other, attempts: few } = clientOf(ground, upstream, (attempt) => attempt.fail('NOT_FOUND'))
      assert.equal((await endOf(other.read('')))?.code, 'NOT_FOUND')
      assert.equal(few.length, 1)
    }))

  test('with one endpoint is made there again, after a pause', () =>
    onUpstreamGround(4, async (ground) => {
      const upstream = ground.open({ sources: [staticSource('a')] })
      const began: number[] = []
      const { client } = clientOf(ground, upstream, (attempt) => {
        began.push(ground.simulation.nowMs)
        attempt.fail('UNAVAILABLE')
      })
      await endOf(client.read(''))
      assert.equal(began.length, 3)
      assert.ok(began[1]! - began[0]! >= 10 && began[2]! - began[1]! >= 20, String(began))
    }))

  test('does not run hot where the only endpoint left is one that gets no requests', () =>
    onUpstreamGround(5, async (ground) => {
      const upstream = ground.open({ sources: [staticSource('a', 'b')], outlier: undefined })
      upstream.setDraining('b', true)
      const { client, attempts } = clientOf(ground, upstream, (attempt) => attempt.fail('UNAVAILABLE', unsent))
      const error = await endOf(client.book('', { waitForReady: true, timeoutMs: 2_000 }))
      assert.equal(error?.code, 'DEADLINE_EXCEEDED')
      assert.equal(error?.outcome, 'not-applied')
      assert.ok(attempts.length < 20, `${attempts.length} attempts in 2 s`)
      assert.ok(attempts.length > 3, `${attempts.length} attempts in 2 s`)
    }))

  test('is hedged when there is no answer, and the loser is cancelled', () =>
    onUpstreamGround(6, async (ground) => {
      const upstream = ground.open({ sources: [staticSource('a', 'b')] })
      const retry = { hedgeAfterMs: 50 }
      const { client, attempts } = clientOf(ground, upstream, (attempt) => attempt.number === 2 && attempt.answer())
      assert.equal(await client.read('', { retry }), 'well')
      assert.ok(ground.simulation.nowMs < 70)
      assert.deepEqual(
        attempts.map(({ isCancelled }) => isCancelled),
        [true, false],
      )
      assert.equal(activeOf(upstream), 0)
      const error = await endOf(client.book('', { retry, timeoutMs: 500 }))
      assert.deepEqual([error?.code, error?.outcome, attempts.length], ['DEADLINE_EXCEEDED', 'unknown', 3])
    }))

  test('that has nowhere to be hedged, or pauses, takes nothing from the budget for a hedge', () =>
    onUpstreamGround(7, async (ground) => {
      const upstream = ground.open({ sources: [staticSource('a')] })
      const { client, attempts } = clientOf(ground, upstream, () => {})
      await endOf(client.read('', { retry: { hedgeAfterMs: 10 }, timeoutMs: 500 }))
      assert.deepEqual([attempts.length, upstream.view().retries], [1, 0])
      // It fails after 9 ms, is paused for at least 20 ms, and the hedge would be due after 10 ms.
      const paused = clientOf(ground, upstream, async (attempt) => {
        await ground.pass(9)
        if (attempt.number === 1) attempt.fail('UNAVAILABLE')
        else attempt.answer()
      })
      assert.equal(await paused.client.read('', { retry: { hedgeAfterMs: 10, attemptsMax: 2 } }), 'well')
      assert.equal(paused.attempts.length, 2)
      assert.equal(activeOf(upstream), 0)
    }))

  test('an attempt that takes too long has failed, whatever codes are retried; the time left travels with each', () =>
    onUpstreamGround(8, async (ground) => {
      const upstream = ground.open({ sources: [staticSource('a', 'b')] })
      const retry = { attemptTimeoutMs: 100, on: ['ABORTED'] as const }
      const { client, attempts } = clientOf(ground, upstream, () => {})
      const error = await endOf(client.read('', { retry, timeoutMs: 150 }))
      assert.equal(error?.code, 'DEADLINE_EXCEEDED')
      const timeouts = attempts.map(({ request }) => request.timeoutMs!)
      assert.equal(timeouts.length, 2)
      assert.equal(timeouts[0], 100)
      assert.ok(timeouts[1]! > 0 && timeouts[1]! <= 50, String(timeouts))
      assert.deepEqual(
        upstream.view().endpoints.map(({ failures }) => failures),
        [1, 1],
      )
      assert.equal(activeOf(upstream), 0)
    }))

  test('that its server ended because the time is over ends as if this side had been the first to see that', () =>
    onUpstreamGround(14, async (ground) => {
      const upstream = ground.open({ sources: [staticSource('a', 'b')] })
      // This side's timers are late: servers answer first.
      let lateMs = 0
      const { clock } = ground.runtime
      const runtime = {
        ...ground.runtime,
        clock: { wallMs: () => clock.wallMs(), monotonicMs: () => clock.monotonicMs() + lateMs },
      }
      const run = (code: RpcCode, call: CallOptions, script: (attempt: ScriptedAttempt) => boolean) => {
        const { client } = clientOf({ ...ground, runtime }, upstream, (attempt) => {
          if (script(attempt)) {
            attempt.answer()
            return
          }
          lateMs += 100
          attempt.fail(code)
        })
        return endOf(client.read('', call))
      }
      const ended = await run('CANCELLED', { timeoutMs: 100 }, () => false)
      assert.deepEqual([ended?.code, ended?.outcome], ['DEADLINE_EXCEEDED', 'unknown'])
      for (const code of ['CANCELLED', 'DEADLINE_EXCEEDED'] as const) {
        const retry = { attemptTimeoutMs: 100 }
        assert.equal(await run(code, { retry, timeoutMs: 1_000 }, ({ number }) => number === 2), undefined)
      }
      const early = await run('CANCELLED', { timeoutMs: 101 }, () => false)
      assert.equal(early?.code, 'CANCELLED')
      assert.equal(activeOf(upstream), 0)
    }))

  test('whose deadline passed while it waited for endpoints is not sent', () =>
    onUpstreamGround(9, async (ground) => {
      const upstream = ground.open({ sources: [] })
      const { client, attempts } = clientOf(ground, upstream, (attempt) => attempt.answer())
      const signal = { signal: new AbortController().signal, traceparent: undefined, tracestate: undefined }
      const late = endOf(client.book('', { context: { ...signal, remainingMs: () => 0 } }))
      assert.deepEqual([(await late)?.code, (await late)?.outcome], ['DEADLINE_EXCEEDED', 'not-applied'])
      assert.equal(attempts.length, 0)
    }))

  test('that waits for an endpoint begins in the moment that there is one', () =>
    onUpstreamGround(10, async (ground) => {
      const upstream = ground.open({ sources: [] })
      const { client } = clientOf(ground, upstream, (attempt) => attempt.answer())
      const refused = await endOf(client.book(''))
      assert.deepEqual([refused?.code, refused?.outcome], ['UNAVAILABLE', 'not-applied'])
      let doneMs = 0
      const waiting = client.book('', { waitForReady: true }).then(() => {
        doneMs = ground.simulation.nowMs
      })
      await ground.pass(9_500)
      const beganMs = ground.simulation.nowMs
      upstream.reconfigure(settingsOf({ sources: [staticSource('a')] }))
      await waiting
      assert.ok(doneMs - beganMs < 5, `${doneMs - beganMs} ms`)
    }))

  test('is given up at once', () =>
    onUpstreamGround(11, async (ground) => {
      const upstream = ground.open({ sources: [staticSource('a')] })
      const { client, attempts } = clientOf(ground, upstream, () => {})
      const abort = new AbortController()
      const { signal } = abort
      const call = endOf(client.read('', { signal }))
      await ground.pass(10)
      assert.equal(activeOf(upstream), 1)
      abort.abort()
      assert.deepEqual([(await call)?.code, (await call)?.outcome], ['CANCELLED', 'unknown'])
      assert.equal(activeOf(upstream), 0)
      const none = await endOf(client.read('', { signal }))
      assert.deepEqual([none?.code, none?.outcome, attempts.length], ['CANCELLED', 'not-applied', 1])
    }))

  test('ends with its client: one that waits, and one that is told so while it may be retried', () =>
    onUpstreamGround(12, async (ground) => {
      const empty = ground.open({ sources: [] })
      const idle = clientOf(ground, empty, () => {})
      const waiting = endOf(idle.client.book('', { waitForReady: true, timeoutMs: 3_600_000 }))
      await ground.pass(10)
      await closeClient(idle.client)
      assert.deepEqual([(await waiting)?.code, (await waiting)?.outcome], ['UNAVAILABLE', 'not-applied'])
      assert.match((await waiting)!.message, /the client was closed/)

      const upstream = ground.open({ sources: [staticSource('a', 'b')] })
      const busy = clientOf(ground, upstream, () => {})
      const call = endOf(busy.client.book('', { waitForReady: true, timeoutMs: 3_600_000 }))
      await ground.pass(10)
      await closeClient(busy.client)
      // As a channel that closes does it.
      busy.attempts[0]!.fail('UNAVAILABLE', { isUnprocessed: true, origin: 'local' })
      assert.equal((await call)?.code, 'UNAVAILABLE')
      assert.equal(busy.attempts.length, 1)
      assert.equal(activeOf(upstream), 0)
    }))

  test('whatever attempts do, every begin has its end, and what may have been applied is not repeated', () =>
    fc.assert(
      fc.asyncProperty(
        fc.nat(),
        fc.record({
          attemptsMax: fc.integer({ min: 1, max: 5 }),
          hedgeAfterMs: fc.option(fc.integer({ min: 1, max: 60 }), { nil: undefined }),
          attemptTimeoutMs: fc.option(fc.integer({ min: 1, max: 60 }), { nil: undefined }),
        }),
        fc.boolean(),
        async (seed, retry, idempotent) => {
          await onUpstreamGround(seed, async (ground) => {
            const prng = new Prng(String(seed))
            const upstream = ground.open({ sources: [staticSource('a', 'b', 'c')], outlier: undefined })
            let unknown = 0
            let afterUnknown = 0
            const { client, attempts } = clientOf(ground, upstream, async (attempt) => {
              if (unknown > 0) afterUnknown++
              await ground.pass(prng.below(80))
              if (attempt.isCancelled) return
              const drawn = prng.below(4)
              if (drawn === 0 || drawn === 3) unknown++
              if (drawn === 0) attempt.fail('UNAVAILABLE')
              else if (drawn === 1) attempt.fail('UNAVAILABLE', unsent)
              else if (drawn === 2) attempt.answer()
              else attempt.fail('INTERNAL')
            })
            const error = await endOf(client.book('', { timeoutMs: 200, retry, idempotent }))
            assert.equal(activeOf(upstream), 0)
            assert.ok(attempts.length <= retry.attemptsMax, `${attempts.length} attempts`)
            const timedOut = attempts.filter(({ isCancelled }) => isCancelled).length
            if (!idempotent) assert.equal(afterUnknown, 0)
            if (!idempotent && timedOut > 0) assert.equal(attempts.at(-1)!.isCancelled, true)
            if (error !== undefined && unknown > 0) assert.equal(error.outcome, 'unknown')
            assert.equal(upstream.view().requests, attempts.length > 0 ? 1 : 0)
          })
        },
      ),
      { numRuns: 150 },
    ))
})
