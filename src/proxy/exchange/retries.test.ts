/** When another attempt is made, where it goes, and what it is sent. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { upstreamSettingsDefault } from '../../traffic/upstream/index.ts'
import { routeWith } from '../routing/testing/routes.ts'
import { bytes, finish, onGround, post } from './testing/on-ground.ts'

describe('retries', () => {
  const retry = { attemptsMax: 3, on: ['connect-failure', 'broken-connection', 'timeout', 'gateway-error'] as const }

  it('go to endpoints not tried yet, and then the failure is told', () =>
    onGround({ retry }, (ground) => {
      const sent = ground.request()
      ground.calls[0]!.fails('connect-refused')
      ground.calls[1]!.fails('closed-before-response')
      ground.calls[2]!.fails('connect-timeout')
      assert.deepEqual(
        ground.calls.map((call) => call.endpoint),
        ['a', 'b', 'c'],
      )
      assert.equal(sent.responder.head!.status, 504)
      finish(sent)
      assert.equal(ground.metrics.snapshot().routes['web/route']!.retries, 2)
    }))

  it('drop a 503 while attempts remain, and forward the last; success leaves no error', () =>
    onGround({ retry }, (ground) => {
      const unlucky = ground.request()
      for (const status of [502, 503, 504]) ground.calls.at(-1)!.answers(status, `${status}`)
      assert.deepEqual([unlucky.responder.head!.status, unlucky.responder.body], [504, '504'])
      finish(unlucky)
      const lucky = ground.request()
      ground.calls.at(-1)!.fails('connect-refused')
      ground.calls.at(-1)!.answers(200, 'fine')
      assert.equal(lucky.responder.body, 'fine')
      finish(lucky)
      assert.equal(ground.log()[1]!['error'], '')
    }))

  it('are for what the route names, and in any case for what was not processed', () =>
    onGround({ retry: { attemptsMax: 2, on: ['timeout'] } }, (ground) => {
      const broken = ground.request()
      ground.calls[0]!.fails('closed-before-response')
      assert.deepEqual([broken.responder.head!.status, ground.calls.length], [502, 1])
      finish(broken)
      const refused = ground.request()
      ground.calls[1]!.fails('connect-refused')
      ground.calls[2]!.begins(200, true)
      assert.equal(refused.responder.head!.status, 200)
      finish(refused)
    }))

  for (const [status, isDropped] of [
    [500, false],
    [501, false],
    [502, true],
    [503, true],
    [504, true],
  ] as const) {
    it(`gateway-error ${isDropped ? 'drops' : 'leaves'} a ${status}`, () =>
      onGround({ retry }, (ground) => {
        const sent = ground.request()
        ground.calls[0]!.answers(status, 'unwell')
        ground.calls[1]?.answers(200, 'well')
        assert.deepEqual([sent.responder.body, ground.calls.length], isDropped ? ['well', 2] : ['unwell', 1])
        finish(sent)
      }))
  }

  it('are for idempotent methods, unless nothing was processed or the route says so', () =>
    onGround({ retry }, (ground) => {
      const broken = ground.request(post(0))
      ground.calls[0]!.fails('closed-before-response')
      assert.equal(broken.responder.head!.status, 502)
      finish(broken)
      const refused = ground.request(post(0))
      ground.calls.at(-1)!.fails('closed-before-response', true)
      ground.calls.at(-1)!.begins(200, true)
      assert.equal(refused.responder.head!.status, 200)
      finish(refused)
      ground.handler.reconfigure({
        listener: ground.listenerWith([routeWith({ retry: { ...retry, nonIdempotent: true } })]),
        upstreams: ground.upstreams,
      })
      const allowed = ground.request(post(0))
      ground.calls.at(-1)!.fails('closed-before-response')
      ground.calls.at(-1)!.begins(200, true)
      assert.equal(allowed.responder.head!.status, 200)
      finish(allowed)
    }))

  it('are possible until something of the body is there: the head alone is kept back, for a moment', () =>
    onGround({ retry }, (ground) => {
      const sent = ground.request()
      ground.calls[0]!.begins(200)
      assert.equal(sent.responder.head, undefined)
      ground.calls[0]!.fails('broken-response')
      ground.calls[1]!.begins(200)
      ground.calls[1]!.sends('whole')
      ground.calls[1]!.ends()
      assert.deepEqual([sent.responder.head!.status, sent.responder.body], [200, 'whole'])
      finish(sent)
      const stream = ground.request()
      ground.calls[2]!.begins(200)
      ground.time.advance(19)
      assert.equal(stream.responder.head, undefined)
      ground.time.advance(10)
      assert.equal(stream.responder.head!.status, 200)
      ground.calls[2]!.fails('broken-response')
      assert.equal(stream.responder.isAborted, true)
    }))

  it('are none for what may have been done: its head is passed on at once', () =>
    onGround({ retry }, (ground) => {
      const sent = ground.request(post(0))
      ground.calls[0]!.begins(200)
      assert.equal(sent.responder.head!.status, 200)
      ground.calls[0]!.ends()
      finish(sent)
    }))

  it('are not wasted when another attempt holds an answer', () =>
    onGround({ retry: { ...retry, hedgeAfterMs: 50 } }, (ground) => {
      const sent = ground.request()
      ground.time.advance(60)
      ground.calls[0]!.begins(200)
      ground.calls[1]!.fails('closed-before-response')
      assert.equal(ground.calls.length, 2)
      ground.calls[0]!.sends('first')
      ground.calls[0]!.ends()
      assert.equal(sent.responder.body, 'first')
      finish(sent)
    }))

  it('send the body again, as far as it came, and the rest', () =>
    onGround({ retry }, (ground) => {
      const sent = ground.request({ method: 'PUT', bodyLength: 6 })
      sent.consumer.onData(bytes('ab'))
      sent.consumer.onData(bytes('cd'))
      ground.calls[0]!.fails('broken-response')
      sent.consumer.onData(bytes('ef'))
      sent.consumer.onEnd(undefined)
      ground.calls[1]!.fails('broken-response')
      assert.deepEqual(
        ground.calls.map((call) => call.body),
        ['abcd', 'abcdef', 'abcdef'],
      )
      assert.equal(ground.calls[2]!.hasEnded, true)
      ground.calls[2]!.begins(200, true)
      finish(sent)
    }))

  it('need the whole body: past the buffer there is one attempt', () =>
    onGround({ retry: { ...retry, bufferedBodyBytesMax: 3 } }, (ground) => {
      const sent = ground.request({ method: 'PUT', bodyLength: 4 })
      sent.consumer.onData(bytes('abc'))
      sent.consumer.onData(bytes('d'))
      ground.calls[0]!.fails('connect-refused')
      assert.deepEqual([sent.responder.head!.status, ground.calls.length], [502, 1])
      finish(sent)
    }))

  it('give up the connection of a 503 that came before the whole request', () =>
    onGround({ retry }, (ground) => {
      const sent = ground.request({ method: 'PUT', bodyLength: 4 })
      ground.calls[0]!.begins(503, true)
      assert.deepEqual([ground.calls[0]!.isAborted, ground.calls.length], [true, 2])
      ground.calls[1]!.answers(200, 'x')
      finish(sent)
    }))

  it('leave the endpoint that a hash names, and return to it when there is no other', () =>
    onGround(
      { retry },
      (ground) => {
        const sent = ground.request()
        for (let i = 0; i < 2; i++) ground.calls.at(-1)!.fails('connect-refused')
        ground.calls.at(-1)!.begins(200, true)
        finish(sent)
        const [first, second, third] = ground.calls.map((call) => call.endpoint)
        assert.notEqual(first, second)
        assert.ok(third !== undefined)
      },
      {
        upstreams: { app: ['a', 'b'] },
        settings: { balance: { ...upstreamSettingsDefault.balance, policy: 'rendezvous' } },
      },
    ))

  it('stay within the budget', () =>
    onGround(
      { retry },
      (ground) => {
        const sent = ground.request()
        ground.calls[0]!.fails('connect-refused')
        assert.deepEqual([sent.responder.head!.status, ground.calls.length], [502, 1])
        finish(sent)
      },
      { settings: { retryBudget: { percent: 0, minPerSecond: 0 } } },
    ))

  it('lift a pause that the failed endpoint caused', () =>
    onGround({ retry }, (ground) => {
      const sent = ground.request({ method: 'PUT', bodyLength: 4 })
      ground.calls[0]!.wantsMore = false
      sent.consumer.onData(bytes('ab'))
      assert.equal(sent.responder.isPaused, true)
      ground.calls[0]!.fails('broken-response')
      assert.equal(sent.responder.isPaused, false)
      ground.calls[1]!.answers(200, 'x')
      finish(sent)
    }))
})
