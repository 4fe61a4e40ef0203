import assert from 'node:assert/strict'
import { it } from 'node:test'
import fc from 'fast-check'
import { headOf, routeWith } from '../routing/testing/routes.ts'
import { type ExchangeGround, openGround, type Sent } from './testing/exchange-ground.ts'
import type { FakeCall } from './testing/fake-pool.ts'

/** What may happen to one exchange, in any order. The fakes refuse every call that the contracts forbid. */
const event = fc.oneof(
  fc.record({ type: fc.constant('client-data' as const), length: fc.integer({ min: 1, max: 6 }) }),
  fc.record({ type: fc.constantFrom('client-end', 'client-drain', 'client-full', 'client-finish') }),
  fc.record({ type: fc.constant('client-abort' as const), odds: fc.nat(5) }),
  fc.record({ type: fc.constant('time' as const), ms: fc.constantFrom(1, 50, 120, 900, 2_500, 40_000) }),
  fc.record({
    type: fc.constant('upstream' as const),
    call: fc.nat(4),
    does: fc.constantFrom(
      'inform',
      'begin',
      'begin-503',
      'begin-end',
      '101',
      'data',
      'end',
      'fail',
      'unprocessed',
      'full',
      'drain',
    ),
  }),
)

const scenario = fc.record({
  method: fc.constantFrom('GET', 'PUT', 'POST', 'HEAD'),
  hasBody: fc.boolean(),
  upgrade: fc.constantFrom(undefined, undefined, 'websocket'),
  isGrpc: fc.boolean(),
  attemptsMax: fc.integer({ min: 1, max: 4 }),
  nonIdempotent: fc.boolean(),
  bufferedBodyBytesMax: fc.constantFrom(0, 8, 1_000),
  hedgeAfterMs: fc.constantFrom(0, 100),
  requestMs: fc.constantFrom(0, 2_000),
  requestBodyBytesMax: fc.constantFrom(0, 12),
  mirrored: fc.boolean(),
  sticky: fc.boolean(),
  events: fc.array(event, { maxLength: 40 }),
})

type Scenario = typeof scenario extends fc.Arbitrary<infer T> ? T : never

/** The exchange as its two sides see it. */
class Model {
  readonly ground: ExchangeGround
  readonly sent: Sent
  readonly method: string
  readonly isUpgrade: boolean
  clientBody = ''
  clientEnded: boolean
  /** Nothing may be told to the consumer any more. */
  isOver = false
  /** It has ended its half of an upgraded connection. */
  clientLeft = false
  /** What each call has answered. */
  readonly answered = new Map<FakeCall, string>()
  private next = 0

  constructor(ground: ExchangeGround, given: Scenario) {
    this.ground = ground
    this.method = given.isGrpc ? 'POST' : given.method
    this.isUpgrade = given.upgrade !== undefined
    const hasBody = given.hasBody && !this.isUpgrade
    this.clientEnded = !hasBody
    this.sent = ground.request(
      headOf({
        method: this.method,
        version: given.isGrpc ? '2' : '1.1',
        bodyLength: hasBody ? 'unknown' : 0,
        upgrade: given.upgrade,
        fields: given.isGrpc ? ['content-type', 'application/grpc', 'grpc-timeout', '30S'] : [],
      }),
    )
  }

  /** Nobody has anything left to say; an upgraded connection ends by halves. */
  get isDone(): boolean {
    const { responder } = this.sent
    return responder.isAborted || (responder.hasEnded && (!responder.isUpgraded || this.clientLeft))
  }

  private get mayClientSend(): boolean {
    const { responder } = this.sent
    return !this.isOver && !responder.isAborted && (responder.isUpgraded ? !this.clientLeft : !this.clientEnded)
  }

  apply(each: Scenario['events'][number]): void {
    const { consumer, responder } = this.sent
    switch (each.type) {
      case 'client-data':
        if (!this.mayClientSend || !('length' in each)) return
        return this.clientSends(each.length)
      case 'client-end':
        if (!this.mayClientSend) return
        if (responder.isUpgraded) this.clientLeft = true
        this.clientEnded = true
        return consumer.onEnd(undefined)
      case 'client-full':
        responder.wantsMore = false
        return
      case 'client-drain':
        if (this.isOver || responder.isOver || responder.wantsMore) return
        responder.wantsMore = true
        return consumer.onDrain()
      case 'client-finish':
        if (this.isDone && !responder.isAborted) this.finish()
        return
      case 'client-abort':
        if ('odds' in each && each.odds === 0) this.abort()
        return
      case 'time':
        return 'ms' in each ? this.ground.time.advance(each.ms) : undefined
      default:
        if ('does' in each) this.upstream(this.ground.calls[each.call], each.does)
    }
  }

  private clientSends(length: number): void {
    let text = ''
    for (let i = 0; i < length; i++) text += String.fromCharCode(97 + (this.next++ % 26))
    this.clientBody += text
    this.sent.consumer.onData(Buffer.from(text))
  }

  private upstream(call: FakeCall | undefined, does: string): void {
    if (call === undefined) return
    const wasOver = call.isOver
    switch (does) {
      case 'inform':
        return call.hasHead ? undefined : call.informs(103)
      case 'begin':
        return call.begins(200)
      case 'begin-503':
        return call.begins(503)
      case 'begin-end':
        return call.begins(204, true)
      case '101':
        return this.isUpgrade ? call.begins(101) : undefined
      case 'data':
        if (wasOver || !call.hasHead || call.hasServerLeft || this.method === 'HEAD') return
        this.answered.set(call, `${this.answered.get(call) ?? ''}${this.next}.`)
        return call.sends(`${this.next++}.`)
      case 'end':
        return call.ends()
      case 'fail':
        return call.fails(call.hasHead ? 'broken-response' : 'closed-before-response')
      case 'unprocessed':
        return call.hasHead ? undefined : call.fails('connect-refused')
      case 'full':
        call.wantsMore = false
        return
      default:
        return call.wantsMore ? undefined : call.drains()
    }
  }

  finish(): void {
    if (this.isOver) return
    this.isOver = true
    this.sent.consumer.onFinished()
  }

  abort(): void {
    if (this.isOver || this.sent.responder.isAborted) return
    this.isOver = true
    this.sent.consumer.onAborted('gone')
  }

  /** What holds after every event. */
  check(): void {
    const { responder } = this.sent
    const calls = this.ground.calls.filter((call) => call.endpoint !== 'm')
    for (const call of this.ground.calls) {
      // An attempt has been given the body from its beginning, without gap; all of it unless it is over.
      assert.ok(this.clientBody.startsWith(call.body), `${call.body} of ${this.clientBody}`)
    }
    const inFlight = calls.filter((call) => !call.isOver)
    if (!this.isDone && !this.isOver) {
      for (const call of inFlight) assert.equal(call.body, this.clientBody)
      assert.ok(inFlight.length > 0, 'somebody is asked')
      if (responder.head !== undefined) assert.equal(inFlight.length, 1)
      if (inFlight.every((call) => call.wantsMore)) assert.equal(responder.isPaused, false)
    } else {
      assert.equal(inFlight.length, 0, 'nobody is asked any more')
    }
    const head = responder.head
    if (head !== undefined && head.get('content-type')?.startsWith('text/plain') !== true) {
      const bodies = calls.map((call) => this.answered.get(call) ?? '')
      assert.ok(bodies.includes(responder.body), `${responder.body} of ${bodies.join(' ')}`)
    }
  }
}

it('any order of events: one response, no byte lost, every begin with its end, one line in the log', async () => {
  await fc.assert(
    fc.asyncProperty(scenario, async (given) => {
      const route = routeWith({
        retry: {
          attemptsMax: given.attemptsMax,
          nonIdempotent: given.nonIdempotent,
          bufferedBodyBytesMax: given.bufferedBodyBytesMax,
          hedgeAfterMs: given.hedgeAfterMs,
          on: ['connect-failure', 'broken-connection', 'timeout', 'gateway-error'],
        },
        timeouts: { attemptMs: 2_000, requestMs: given.requestMs, responseIdleMs: 2_000, upgradedIdleMs: 5_000 },
        requestBodyBytesMax: given.requestBodyBytesMax,
        mirror: given.mirrored ? { upstream: 'copy', percent: 100 } : undefined,
        sticky: given.sticky ? { cookie: 'srv', maxAgeSeconds: 0, path: '/' } : undefined,
      })
      const ground = await openGround({ routes: [route], upstreams: { app: ['a', 'b', 'c'], copy: ['m'] } })
      const model = new Model(ground, given)
      model.check()
      for (const each of given.events) {
        model.apply(each)
        model.check()
      }
      if (model.isDone && !model.sent.responder.isAborted) model.finish()
      else model.abort()
      model.check()
      assert.equal(ground.calls.filter((call) => call.endpoint !== 'm').length <= given.attemptsMax, true)
      // Mirrors may outlive their request, for a while.
      ground.time.advance(60_000)
      ground.assertAtRest()
      assert.equal(ground.log().length, 1)
      ground.close()
    }),
    { numRuns: 1_500 },
  )
})
