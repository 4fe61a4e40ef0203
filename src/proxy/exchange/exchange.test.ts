import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { upstreamSettingsDefault } from '../../traffic/upstream/index.ts'
import type { RouteConfig } from '../config/index.ts'
import { headOf, type RouteParts, routeWith } from '../routing/testing/routes.ts'
import { MadeHead } from './answers.ts'
import { type ExchangeGround, type GroundOptions, openGround, type Sent } from './testing/exchange-ground.ts'

const bytes = (text: string) => Buffer.from(text, 'latin1')

/** Runs `work` on a ground with one route, and checks that nothing is left. */
async function onGround(
  route: RouteParts | readonly RouteConfig[],
  work: (ground: ExchangeGround) => void,
  options: Partial<GroundOptions> = {},
): Promise<void> {
  const ground = await openGround({
    routes: Array.isArray(route) ? route : [routeWith(route as RouteParts)],
    ...options,
  })
  work(ground)
  ground.assertAtRest()
  ground.close()
}

function finish({ responder, consumer }: Sent): void {
  assert.equal(responder.hasEnded, true, 'the response is complete')
  consumer.onFinished()
}

const post = (bodyLength: number | 'unknown' = 'unknown') => ({ method: 'POST', bodyLength })

describe('a request', () => {
  it('goes to an endpoint, and its answer back', () =>
    onGround({}, (ground) => {
      const sent = ground.request({ target: '/a?b', fields: ['accept', '*/*', 'expect', 'x', 'forwarded', 'for=1'] })
      const [call] = ground.calls
      assert.deepEqual(
        [call!.request.target, call!.request.authority, call!.request.fields],
        ['/a?b', 'shop.example', ['accept', '*/*']],
      )
      ground.time.advance(5)
      call!.begins(200, false, ['x', 'y', 'date', 'D'])
      call!.sends('hel')
      call!.sends('lo')
      call!.ends(['t', '1'])
      assert.deepEqual(
        [sent.responder.head?.fields, sent.responder.body, sent.responder.trailers],
        [['x', 'y', 'date', 'D'], 'hello', ['t', '1']],
      )
      finish(sent)
      const [line] = ground.log()
      assert.deepEqual(
        [
          line!['status'],
          line!['bytes'],
          line!['upstream'],
          line!['upstreamDurationMs'],
          line!['attempts'],
          line!['error'],
        ],
        [200, 5, '10.0.0.1:80', 5, 1, ''],
      )
      const counters = ground.metrics.snapshot().listeners['web']!
      assert.deepEqual([counters.requestsByClass[2], counters.bytesOut], [1, 5])
    }))

  it('reuses the outgoing request and an untouched response head for the same head', () =>
    onGround({}, (ground) => {
      const head = headOf()
      const first = ground.request(head)
      const second = ground.request(head)
      assert.equal(ground.calls[0]!.request, ground.calls[1]!.request)
      for (const call of ground.calls) call.begins(204, true, ['date', 'D'])
      finish(first)
      finish(second)
    }))

  it('gets a date when the upstream sent none, and response edits', () =>
    onGround({ responseHeaders: { remove: ['server'], set: [['x-a', '$host']], add: [] } }, (ground) => {
      const sent = ground.request()
      ground.calls[0]!.begins(200, true, ['server', 's'])
      assert.deepEqual(sent.responder.head!.fields, ['x-a', 'shop.example', 'date', 'Fri, 15 Jan 2027 08:00:00 GMT'])
      finish(sent)
    }))

  it('of two routes keeps the edits of each, though the upstream answers both with the same head', () => {
    const edited = (value: string): RouteConfig =>
      routeWith({
        match: { path: { type: 'prefix', value } },
        responseHeaders: { remove: [], set: [['x-route', value]], add: [] },
      })
    return onGround([edited('/a'), edited('/b')], (ground) => {
      const shared = new MadeHead(200, ['date', 'D'], 0)
      for (const target of ['/a', '/b', '/a']) {
        const sent = ground.request({ target })
        ground.calls.at(-1)!.beginsWith(shared)
        assert.deepEqual(sent.responder.head!.fields, ['date', 'D', 'x-route', target])
        finish(sent)
      }
    })
  })

  it('passes interim responses on, but no 100, and none to HTTP/1.0', () =>
    onGround({}, (ground) => {
      const sent = ground.request()
      const old = ground.request({ version: '1.0' })
      for (const call of ground.calls) {
        call.informs(100)
        call.informs(103)
        call.begins(200, true)
      }
      assert.deepEqual([sent.responder.informational, old.responder.informational], [[103], []])
      finish(sent)
      finish(old)
    }))

  it('is refused when no route fits, the path is malformed, or the method would make this an open proxy', () =>
    onGround({ match: { hosts: ['only.example'] } }, (ground) => {
      const statuses = [
        headOf(),
        headOf({ target: '/../x' }),
        headOf({ method: 'CONNECT', target: 'a:1' }),
        headOf({ method: 'TRACE' }),
      ].map((head) => {
        const sent = ground.request(head)
        finish(sent)
        return sent.responder.head!.status
      })
      assert.deepEqual(statuses, [404, 400, 405, 405])
      assert.equal(ground.calls.length, 0)
    }))

  it('is answered by redirects and fixed responses', () =>
    onGround(
      [
        routeWith({
          match: { path: { type: 'prefix', value: '/old' } },
          action: { type: 'redirect', status: 308, location: 'https://$host$request_uri' },
        }),
        routeWith({ action: { type: 'respond', status: 418, body: 'tea', contentType: 'text/tea' } }),
      ],
      (ground) => {
        const moved = ground.request({ target: '/old/x?y' })
        assert.deepEqual(
          [moved.responder.head!.status, moved.responder.head!.get('location')],
          [308, 'https://shop.example/old/x?y'],
        )
        const tea = ground.request()
        assert.deepEqual(
          [tea.responder.head!.status, tea.responder.body, tea.responder.head!.bodyLength],
          [418, 'tea', 3],
        )
        const bare = ground.request({ method: 'HEAD' })
        assert.deepEqual([bare.responder.body, bare.responder.head!.bodyLength], ['', 3])
        for (const sent of [moved, tea, bare]) finish(sent)
      },
    ))

  it('finds new routes after a change; what is under way ends by the old', () =>
    onGround({}, (ground) => {
      const head = headOf()
      const old = ground.request(head)
      const { upstreams, handler } = ground
      handler.reconfigure({
        listener: ground.listenerWith([
          routeWith({ action: { type: 'respond', status: 200, body: 'new', contentType: 'a/b' } }),
        ]),
        upstreams,
      })
      const fresh = ground.request(head)
      assert.equal(fresh.responder.body, 'new')
      ground.calls[0]!.answers(200, 'old')
      assert.equal(old.responder.body, 'old')
      finish(old)
      finish(fresh)
      assert.throws(
        () => handler.reconfigure({ listener: ground.listenerWith([routeWith()]), upstreams: new Map() }),
        /names upstream app/,
      )
      finish(ground.request(head))
    }))

  it('carries an id where ids are made, and keeps one that is fit', () =>
    onGround(
      {},
      (ground) => {
        const made = ground.request({ fields: ['x-request-id', 'not fit'] })
        const kept = ground.request({ fields: ['x-request-id', 'abc'] })
        assert.match(ground.calls[0]!.request.fields.join(), /^x-request-id,[0-9a-f]{32}$/)
        assert.deepEqual(ground.calls[1]!.request.fields, ['x-request-id', 'abc'])
        for (const call of ground.calls) call.begins(200, true)
        finish(made)
        finish(kept)
        assert.equal(ground.log()[0]!['requestId'], ground.calls[0]!.request.fields[1])
      },
      { listener: { requestIds: 'generate' } },
    ))

  it('takes no id from clients where ids are replaced', () =>
    onGround(
      {},
      (ground) => {
        const sent = ground.request({ fields: ['x-request-id', 'abc'] })
        const [, id] = ground.calls[0]!.request.fields
        assert.match(ground.calls[0]!.request.fields.join(), /^x-request-id,[0-9a-f]{32}$/)
        ground.calls[0]!.begins(200, true)
        finish(sent)
        assert.equal(ground.log()[0]!['requestId'], id)
      },
      { listener: { requestIds: 'replace' } },
    ))

  it('has an id in the log and in edits, another for each request, without sending it', () =>
    onGround({ responseHeaders: { remove: [], set: [['x-id', '$request_id']], add: [] } }, (ground) => {
      const head = headOf({})
      const answered = [0, 1].map((number) => {
        const sent = ground.request(head)
        ground.calls[number]!.begins(200, true)
        finish(sent)
        assert.deepEqual(ground.calls[number]!.request.fields, [])
        return sent.responder.head!.get('x-id')
      })
      const logged = ground.log().map((line) => line['requestId'])
      assert.match(String(logged[0]), /^[0-9a-f]{32}$/)
      assert.notEqual(logged[0], logged[1])
      assert.deepEqual(answered, logged)
    }))

  it('sends the id in whatever header the route sets, unless a header edit names it', () =>
    onGround(
      {
        requestHeaders: { remove: ['x-request-id'], set: [['x-trace', '$request_id']], add: [] },
      },
      (ground) => {
        const sent = ground.request()
        ground.calls[0]!.begins(200, true)
        finish(sent)
        assert.deepEqual(ground.calls[0]!.request.fields, ['x-trace', String(ground.log()[0]!['requestId'])])
      },
      { listener: { requestIds: 'generate' } },
    ))
})

describe('a body', () => {
  it('streams up with flow control', () =>
    onGround({}, (ground) => {
      const sent = ground.request(post())
      const call = ground.calls[0]!
      sent.consumer.onData(bytes('ab'))
      call.wantsMore = false
      sent.consumer.onData(bytes('cd'))
      assert.equal(sent.responder.isPaused, true)
      call.drains()
      assert.equal(sent.responder.isPaused, false)
      sent.consumer.onEnd(['t', '1'])
      assert.deepEqual([call.body, call.trailers], ['abcd', ['t', '1']])
      call.begins(200, true)
      finish(sent)
      assert.equal(ground.metrics.snapshot().listeners['web']!.bytesIn, 4)
    }))

  it('streams down with flow control', () =>
    onGround({}, (ground) => {
      const sent = ground.request()
      const call = ground.calls[0]!
      call.begins(200)
      sent.responder.wantsMore = false
      call.sends('a')
      call.sends('b')
      assert.equal(call.isPaused, true)
      ground.time.advance(600_000)
      sent.consumer.onDrain()
      assert.equal(call.isPaused, false)
      call.ends()
      assert.equal(sent.responder.body, 'ab')
      finish(sent)
    }))

  it('of announced size past the limit is refused at once, and past it while it streams', () =>
    onGround({ requestBodyBytesMax: 5 }, (ground) => {
      const announced = ground.request({ ...post(6), expectsContinue: true })
      assert.deepEqual([announced.responder.head!.status, announced.responder.informational], [413, []])
      finish(announced)
      const streamed = ground.request(post())
      streamed.consumer.onData(bytes('12345'))
      assert.equal(streamed.responder.head, undefined)
      streamed.consumer.onData(bytes('6'))
      assert.equal(streamed.responder.head!.status, 413)
      assert.equal(ground.calls[0]!.isAborted, true)
      streamed.consumer.onData(bytes('7'))
      finish(streamed)
    }))

  it('that waits for a 100 is asked for only when an endpoint takes it', () =>
    onGround({ match: { path: { type: 'prefix', value: '/known' } } }, (ground) => {
      const known = ground.request({ ...post(1), target: '/known', expectsContinue: true })
      const unknown = ground.request({ ...post(1), expectsContinue: true })
      assert.deepEqual([known.responder.informational, unknown.responder.informational], [[100], []])
      assert.equal(ground.calls[0]!.request.expectsContinue, false)
      known.consumer.onData(bytes('x'))
      known.consumer.onEnd(undefined)
      ground.calls[0]!.begins(200, true)
      finish(known)
      finish(unknown)
    }))

  it('that is answered early is given up, and its connection too', () =>
    onGround({}, (ground) => {
      const sent = ground.request(post())
      sent.consumer.onData(bytes('x'))
      ground.calls[0]!.answers(403, 'no')
      assert.deepEqual([sent.responder.body, ground.calls[0]!.isAborted], ['no', true])
      sent.consumer.onData(bytes('y'))
      sent.consumer.onEnd(undefined)
      finish(sent)
    }))
})

describe('a client that goes away', () => {
  for (const moment of ['before the head', 'within the body', 'after the response'] as const) {
    it(moment, () =>
      onGround({}, (ground) => {
        const sent = ground.request()
        const call = ground.calls[0]!
        if (moment !== 'before the head') call.begins(200)
        if (moment === 'after the response') call.ends()
        sent.consumer.onAborted('gone')
        assert.equal(call.isAborted, moment !== 'after the response')
        const [line] = ground.log()
        assert.deepEqual([line!['status'], line!['error']], [moment === 'before the head' ? 499 : 200, 'gone'])
        const endpoint = ground.upstreams.get('app')!.upstream.view().endpoints[0]!
        assert.equal(endpoint.failures, 0)
        assert.equal(ground.metrics.snapshot().listeners['web']!.aborted, 1)
      }),
    )
  }
})

describe('failures', () => {
  const table = [
    ['connect-refused', 502],
    ['connect-timeout', 504],
    ['closed-before-response', 502],
    ['malformed-response', 502],
    ['overflow', 503],
  ] as const
  for (const [kind, status] of table) {
    it(`${kind} is ${status}`, () =>
      onGround({}, (ground) => {
        const sent = ground.request()
        ground.calls[0]!.fails(kind)
        assert.equal(sent.responder.head!.status, status)
        assert.doesNotMatch(sent.responder.body, /10\.0\.0|at a/)
        finish(sent)
        assert.match(String(ground.log()[0]!['error']), /at a$/)
      }))
  }

  it('within the response break it', () =>
    onGround({ retry: { attemptsMax: 3, on: ['broken-connection'] } }, (ground) => {
      const sent = ground.request()
      ground.calls[0]!.begins(200)
      ground.calls[0]!.sends('half')
      ground.calls[0]!.fails('broken-response')
      assert.deepEqual([sent.responder.isAborted, sent.responder.body, ground.calls.length], [true, 'half', 1])
    }))

  it('without an endpoint are 503', () =>
    onGround(
      {},
      (ground) => {
        const sent = ground.request({ ...post(1), expectsContinue: true })
        assert.deepEqual([sent.responder.head!.status, sent.responder.informational], [503, []])
        finish(sent)
      },
      { upstreams: { app: [] } },
    ))

  it('of an unwanted 101 are 502', () =>
    onGround({}, (ground) => {
      const sent = ground.request()
      ground.calls[0]!.begins(101)
      assert.equal(sent.responder.head!.status, 502)
      finish(sent)
    }))
})

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

describe('time', () => {
  it('of an attempt runs from the whole request', () =>
    onGround({ timeouts: { attemptMs: 1_000 }, retry: { attemptsMax: 2, on: ['timeout'] } }, (ground) => {
      const sent = ground.request({ method: 'PUT', bodyLength: 1 })
      ground.time.advance(5_000)
      sent.consumer.onData(bytes('x'))
      sent.consumer.onEnd(undefined)
      ground.time.advance(990)
      assert.equal(ground.calls.length, 1)
      ground.time.advance(30)
      assert.deepEqual([ground.calls.length, ground.calls[0]!.isAborted, ground.calls[1]!.body], [2, true, 'x'])
      ground.time.advance(1_030)
      assert.equal(sent.responder.head!.status, 504)
      finish(sent)
    }))

  it('of the whole request ends all attempts', () =>
    onGround(
      { timeouts: { attemptMs: 1_000, requestMs: 1_500 }, retry: { attemptsMax: 9, on: ['timeout'] } },
      (ground) => {
        const sent = ground.request()
        ground.time.advance(1_530)
        assert.deepEqual([ground.calls.length, sent.responder.head!.status], [2, 504])
        finish(sent)
        const slow = ground.request()
        ground.calls.at(-1)!.begins(200)
        ground.time.advance(1_530)
        assert.equal(slow.responder.isAborted, true)
      },
    ))

  it('of silence within a response breaks it, and any data starts it anew', () =>
    onGround({ timeouts: { responseIdleMs: 1_000 } }, (ground) => {
      const sent = ground.request()
      ground.calls[0]!.begins(200)
      for (let i = 0; i < 5; i++) {
        ground.time.advance(900)
        ground.calls[0]!.sends('x')
      }
      assert.equal(sent.responder.isOver, false)
      ground.time.advance(1_030)
      assert.equal(sent.responder.isAborted, true)
    }))

  it('of silence within a request is 408, and 504 when the endpoint takes nothing', () =>
    onGround({}, (ground) => {
      const idle = ground.request(post())
      ground.time.advance(29_900)
      idle.consumer.onData(bytes('x'))
      ground.time.advance(29_900)
      assert.equal(idle.responder.head, undefined)
      ground.time.advance(200)
      assert.equal(idle.responder.head!.status, 408)
      finish(idle)
      const stuck = ground.request(post())
      ground.calls.at(-1)!.wantsMore = false
      stuck.consumer.onData(bytes('x'))
      ground.time.advance(30_100)
      assert.equal(stuck.responder.head!.status, 504)
      finish(stuck)
    }))
})

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

  it('is not for what may not be sent twice', () =>
    onGround(hedged, (ground) => {
      const sent = ground.request(post(0))
      ground.time.advance(1_000)
      assert.equal(ground.calls.length, 1)
      ground.calls[0]!.begins(200, true)
      finish(sent)
    }))
})

describe('upgrades', () => {
  const upgrade = { upgrade: 'websocket' }

  it('carry bytes both ways, until the upstream ends', () =>
    onGround({ timeouts: { requestMs: 1_000 } }, (ground) => {
      const sent = ground.request(upgrade)
      const call = ground.calls[0]!
      assert.equal(call.request.upgrade, 'websocket')
      call.begins(101)
      sent.consumer.onData(bytes('ping'))
      call.sends('pong')
      assert.deepEqual([call.body, sent.responder.body, sent.responder.isUpgraded], ['ping', 'pong', true])
      ground.time.advance(500_000)
      sent.consumer.onData(bytes('ping'))
      ground.time.advance(500_000)
      call.sends('pong')
      sent.consumer.onEnd(undefined)
      call.ends()
      finish(sent)
      assert.equal(ground.log()[0]!['status'], 101)
    }))

  it('go on one way when the upstream ends first, until the client ends as well', () =>
    onGround({}, (ground) => {
      const sent = ground.request(upgrade)
      const call = ground.calls[0]!
      call.begins(101)
      call.ends()
      assert.equal(sent.responder.hasEnded, true)
      sent.consumer.onData(bytes('still here'))
      assert.deepEqual([call.body, call.hasEnded, call.isAborted], ['still here', false, false])
      sent.consumer.onEnd(undefined)
      assert.deepEqual([call.hasEnded, call.isAborted], [true, false])
      finish(sent)
    }))

  it('a client that breaks takes down the half that is left', () =>
    onGround({}, (ground) => {
      const sent = ground.request(upgrade)
      const call = ground.calls[0]!
      call.begins(101)
      call.ends()
      sent.consumer.onAborted('reset')
      assert.equal(call.isAborted, true)
    }))

  it('end when idle both ways, also when one side has ended', () =>
    onGround({ timeouts: { upgradedIdleMs: 1_000 } }, (ground) => {
      const idle = ground.request(upgrade)
      ground.calls[0]!.begins(101)
      ground.time.advance(1_030)
      assert.deepEqual([idle.responder.isAborted, ground.calls[0]!.isAborted], [true, true])
      const half = ground.request(upgrade)
      ground.calls[1]!.begins(101)
      ground.calls[1]!.ends()
      assert.equal(half.responder.hasEnded, true)
      ground.time.advance(1_030)
      assert.equal(half.responder.isAborted, true)
    }))

  it('may be declined', () =>
    onGround({}, (ground) => {
      const sent = ground.request(upgrade)
      ground.calls[0]!.answers(400, 'no')
      assert.equal(sent.responder.body, 'no')
      finish(sent)
    }))
})

describe('mirrors', () => {
  const mirrored: RouteParts = { mirror: { upstream: 'copy', percent: 100 } }
  const upstreams = { app: ['a'], copy: ['m'] }

  it('get the request and its body, and nothing of them is seen', () =>
    onGround(
      mirrored,
      (ground) => {
        const sent = ground.request(post(2))
        const [call, copy] = ground.calls
        assert.equal(copy!.endpoint, 'm')
        sent.consumer.onData(bytes('hi'))
        sent.consumer.onEnd(undefined)
        assert.deepEqual([copy!.body, copy!.hasEnded], ['hi', true])
        call!.answers(200, 'primary')
        finish(sent)
        copy!.answers(500, 'copy')
        assert.equal(sent.responder.body, 'primary')
        assert.equal(ground.metrics.snapshot().mirrored, 1)
      },
      { upstreams },
    ))

  it('are given up when slow, and never slow the request', () =>
    onGround(
      mirrored,
      (ground) => {
        const sent = ground.request(post())
        const [call, copy] = ground.calls
        copy!.wantsMore = false
        for (let i = 0; i < 20; i++) sent.consumer.onData(Buffer.alloc(65_536))
        assert.deepEqual([sent.responder.isPaused, copy!.isAborted, call!.body.length], [false, true, 20 * 65_536])
        sent.consumer.onEnd(undefined)
        call!.begins(200, true)
        finish(sent)
        const waiting = ground.request()
        ground.calls[2]!.begins(200, true)
        finish(waiting)
        ground.time.advance(30_050)
        assert.equal(ground.calls[3]!.isAborted, true)
        assert.equal(ground.metrics.snapshot().mirrorsDropped, 2)
      },
      { upstreams },
    ))

  it('end with a request that breaks off within its body', () =>
    onGround(
      mirrored,
      (ground) => {
        const sent = ground.request(post())
        sent.consumer.onAborted('gone')
        assert.equal(ground.calls[1]!.isAborted, true)
      },
      { upstreams },
    ))
})

describe('stickiness', () => {
  const sticky = { cookie: 'srv', maxAgeSeconds: 60, path: '/' }

  it('keeps a client at its endpoint until that is gone', () =>
    onGround({ sticky }, (ground) => {
      const first = ground.request()
      ground.calls[0]!.begins(200, true)
      const cookie = first.responder.head!.get('set-cookie')!
      assert.match(cookie, /^srv=[0-9a-f]{16}; Path=\/; Max-Age=60; HttpOnly; SameSite=Lax$/)
      finish(first)
      const fields = ['cookie', `a=b; xsrv=1; ${cookie.split(';')[0]}; c=d`]
      for (let i = 0; i < 4; i++) {
        const again = ground.request({ fields })
        ground.calls.at(-1)!.begins(200, true)
        assert.deepEqual([ground.calls.at(-1)!.endpoint, again.responder.head!.get('set-cookie')], ['a', undefined])
        finish(again)
      }
      ground.upstreams.get('app')!.upstream.setDraining('a', true)
      const moved = ground.request({ fields })
      ground.calls.at(-1)!.begins(200, true)
      assert.notEqual(ground.calls.at(-1)!.endpoint, 'a')
      assert.match(moved.responder.head!.get('set-cookie')!, /^srv=/)
      finish(moved)
    }))

  it('holds a client in its part of a split', () => {
    const to = [
      { upstream: 'app', weight: 9 },
      { upstream: 'canary', weight: 1 },
    ]
    return onGround(
      { sticky, action: { type: 'forward', to } },
      (ground) => {
        const endpoints: string[] = []
        let cookie = ''
        for (let i = 0; i < 10; i++) {
          const sent = ground.request()
          const call = ground.calls.at(-1)!
          call.begins(200, true)
          endpoints.push(call.endpoint)
          if (call.endpoint === 'k') cookie = sent.responder.head!.get('set-cookie')!.split(';')[0]!
          finish(sent)
        }
        assert.equal(endpoints.filter((each) => each === 'k').length, 1)
        const back = ground.request({ fields: ['cookie', cookie] })
        assert.equal(ground.calls.at(-1)!.endpoint, 'k')
        ground.calls.at(-1)!.begins(200, true)
        finish(back)
      },
      { upstreams: { app: ['a'], canary: ['k'] } },
    )
  })
})

describe('rate limits', () => {
  it('refuse with 429, by client', () =>
    onGround({ rateLimit: { requestsPerSecond: 1, burst: 2, key: { type: 'header', name: 'x-key' } } }, (ground) => {
      const statuses = ['a', 'a', 'a', 'b'].map((key) => {
        const sent = ground.request({ fields: ['x-key', key] })
        if (sent.responder.head === undefined) ground.calls.at(-1)!.begins(200, true)
        finish(sent)
        return [sent.responder.head!.status, sent.responder.head!.get('retry-after')]
      })
      assert.deepEqual(statuses, [
        [200, undefined],
        [200, undefined],
        [429, '1'],
        [200, undefined],
      ])
    }))
})

describe('hashing', () => {
  it('sends the same key to the same endpoint', () =>
    onGround(
      {},
      (ground) => {
        const chosen = new Set<string>()
        for (let i = 0; i < 20; i++) {
          const sent = ground.request({ target: `/${i}?user=7&x` })
          chosen.add(ground.calls.at(-1)!.endpoint)
          ground.calls.at(-1)!.begins(200, true)
          finish(sent)
        }
        assert.equal(chosen.size, 1)
      },
      {
        settings: {
          balance: {
            policy: 'maglev',
            hashKey: { type: 'query', name: 'user' },
            boundedLoadFactor: 0,
            slowStartMs: 0,
            panicThresholdPercent: 0,
            zone: '',
            subsetSize: 0,
          },
        },
      },
    ))
})

describe('gRPC', () => {
  const grpc = (fields: string[] = []) => ({
    ...post(),
    version: '2' as const,
    fields: ['content-type', 'application/grpc+proto', ...fields],
  })
  const fieldsOf = (sent: Sent) => [sent.responder.head!.status, sent.responder.head!.get('grpc-status')]
  const options = { protocol: 'http2' as const }

  it('failures are trailers-only responses', () =>
    onGround(
      { match: { path: { type: 'exact', value: '/s/m' } } },
      (ground) => {
        const unknown = ground.request(grpc())
        assert.deepEqual(fieldsOf(unknown), [200, '12'])
        finish(unknown)
        const refused = ground.request({ ...grpc(), target: '/s/m' })
        assert.deepEqual(ground.calls[0]!.request.fields.slice(-2), ['te', 'trailers'])
        ground.calls[0]!.fails('connect-refused')
        assert.deepEqual(fieldsOf(refused), [200, '14'])
        finish(refused)
      },
      options,
    ))

  it('to a server of HTTP/1.1 fails with the cause and the cure', () =>
    onGround({ retry: { attemptsMax: 1 } }, (ground) => {
      const messages = [
        (call: number) => ground.calls[call]!.begins(404, false, ['content-type', 'text/html']),
        (call: number) => ground.calls[call]!.begins(200, true),
        (call: number) => ground.calls[call]!.fails('closed-before-response'),
      ].map((answer, call) => {
        const sent = ground.request({ ...grpc(), bodyLength: 0 })
        answer(call)
        assert.deepEqual(fieldsOf(sent), [200, '12'])
        finish(sent)
        return sent.responder.head!.get('grpc-message')
      })
      for (const message of messages) assert.match(String(message), /HTTP\/1\.1.*set protocol: http2/)
      assert.match(String(ground.log()[0]!['error']), /got 404/)
      // A server that speaks it all the same is let be.
      const sent = ground.request({ ...grpc(), bodyLength: 0 })
      ground.calls[3]!.begins(200, true, ['content-type', 'application/grpc', 'grpc-status', '0'])
      assert.deepEqual(fieldsOf(sent), [200, '0'])
      finish(sent)
    }))

  it('a server that keeps the deadline too may be the first to end the call', () =>
    onGround(
      {},
      (ground) => {
        const early = ground.request(grpc(['grpc-timeout', '105m']))
        ground.time.advance(104)
        ground.calls[0]!.fails('closed-before-response')
        const late = ground.request(grpc(['grpc-timeout', '105m']))
        ground.time.advance(105)
        assert.equal(late.responder.head, undefined, 'the wheel has not turned yet')
        ground.calls[1]!.fails('closed-before-response')
        assert.deepEqual(
          [fieldsOf(early), fieldsOf(late)],
          [
            [200, '14'],
            [200, '4'],
          ],
        )
        finish(early)
        finish(late)
        const endpoints = ground.upstreams.get('app')!.upstream.view().endpoints
        assert.deepEqual(
          endpoints.map((each) => each.failures),
          [1],
        )
      },
      { ...options, upstreams: { app: ['a'] } },
    ))

  it('deadlines travel: the rest of the time is sent on, and past it the call ends', () =>
    onGround(
      { retry: { attemptsMax: 2, nonIdempotent: true, on: ['503'] } },
      (ground) => {
        const sent = ground.request(grpc(['grpc-timeout', '1S']))
        ground.time.advance(400)
        ground.calls[0]!.begins(200, true, ['grpc-status', '14'])
        const { fields } = ground.calls[1]!.request
        assert.equal(fields[fields.indexOf('grpc-timeout') + 1], '600000u')
        ground.time.advance(620)
        assert.deepEqual([...fieldsOf(sent), ground.calls[1]!.isAborted], [200, '4', true])
        finish(sent)
        const endpoints = ground.upstreams.get('app')!.upstream.view().endpoints
        assert.deepEqual(
          endpoints.map((each) => each.failures),
          [1, 0, 0],
        )
      },
      options,
    ))

  it('is not tried again after UNAVAILABLE unless the route allows it', () =>
    onGround(
      { retry: { attemptsMax: 2, on: ['503'] } },
      (ground) => {
        const sent = ground.request(grpc())
        ground.calls[0]!.begins(200, true, ['grpc-status', '14'])
        assert.deepEqual([...fieldsOf(sent), ground.calls.length], [200, '14', 1])
        finish(sent)
      },
      options,
    ))

  it('a response that breaks off ends with a status', () =>
    onGround(
      {},
      (ground) => {
        const sent = ground.request(grpc())
        ground.calls[0]!.begins(200)
        ground.calls[0]!.fails('broken-response')
        assert.deepEqual(sent.responder.trailers?.slice(0, 2), ['grpc-status', '14'])
        finish(sent)
      },
      options,
    ))

  it('UNAVAILABLE in the trailers counts against the endpoint', () =>
    onGround(
      {},
      (ground) => {
        const sent = ground.request(grpc())
        ground.calls[0]!.begins(200)
        ground.calls[0]!.ends(['grpc-status', '14'])
        finish(sent)
        assert.equal(ground.upstreams.get('app')!.upstream.view().endpoints[0]!.failures, 1)
      },
      options,
    ))
})
