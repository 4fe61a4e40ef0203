/** A second attempt beside a slow first one. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { RouteParts } from '../routing/testing/routes.ts'
import { finish, onGround, post } from './testing/on-ground.ts'

describe('hedging', () => {
  const hedged: RouteParts = { retry: { attemptsMax: 2, hedgeAfterMs: 100, on: ['gateway-error'] } }

  it('starts a second attempt, and the first answer wins', () =>
    onGround(hedged, (ground) => {
      const sent = ground.request()
      ground.time.advance(90)
      assert.equal(ground.calls.length, 1)
      ground.time.advance(30)
      assert.deepEqual(
        ground.calls.map((call) => call.endpoint),
        ['a', 'b'],
      )
      ground.calls[1]!.begins(200)
      assert.deepEqual([ground.calls[0]!.isAborted, ground.calls[1]!.isAborted], [true, false])
      ground.calls[1]!.sends('b')
      ground.calls[1]!.ends()
      assert.equal(sent.responder.body, 'b')
      finish(sent)
      const [slow, fast] = ground.upstreams.get('app')!.upstream.view().endpoints
      assert.deepEqual([slow!.successes + slow!.failures, fast!.successes], [0, 1])
      assert.equal(ground.metrics.snapshot().routes['web/route']!.hedges, 1)
    }))

  it('lives on when one of two fails, by an error or an answer', () =>
    onGround(hedged, (ground) => {
      for (const failing of [0, 1]) {
        const sent = ground.request()
        ground.time.advance(130)
        const [first, second] = ground.calls.slice(-2)
        const [loser, winner] = failing === 0 ? [first!, second!] : [second!, first!]
        if (failing === 0) loser.fails('broken-response')
        else loser.answers(503, 'no')
        assert.equal(sent.responder.head, undefined)
        winner.answers(200, 'yes')
        assert.equal(sent.responder.body, 'yes')
        finish(sent)
      }
    }))

  it('is off where no time is given', () =>
    onGround({ retry: { attemptsMax: 2, on: ['gateway-error'] } }, (ground) => {
      const sent = ground.request()
      ground.time.advance(10_000)
      assert.equal(ground.calls.length, 1)
      ground.calls[0]!.begins(200, true)
      finish(sent)
    }))

  it('gets half of the retry budget at most', () =>
    onGround(
      hedged,
      (ground) => {
        const both = [ground.request(), ground.request()]
        ground.time.advance(150)
        assert.equal(ground.calls.length, 3)
        // It is not asked again at every tick.
        assert.equal(ground.upstreams.get('app')!.upstream.view().retriesRefused, 1)
        for (const call of ground.calls.slice(0, 2)) call.begins(200, true)
        for (const sent of both) finish(sent)
      },
      { settings: { retryBudget: { percent: 0, minPerSecond: 2 } } },
    ))

  it('is not for what may not be sent twice', () =>
    onGround(hedged, (ground) => {
      const sent = ground.request(post(0))
      ground.time.advance(1_000)
      assert.equal(ground.calls.length, 1)
      ground.calls[0]!.begins(200, true)
      finish(sent)
    }))
})
