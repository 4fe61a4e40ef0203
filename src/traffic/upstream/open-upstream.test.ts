import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { type UpstreamEndpoint, type UpstreamSettings, upstreamSettingsDefault } from './index.ts'
import { address, fail, onUpstreamGround, send, settingsOf, spread, staticSource } from './testing/upstream-ground.ts'

const outlier = upstreamSettingsDefault.outlier!
const balance = upstreamSettingsDefault.balance
const circuit = upstreamSettingsDefault.circuit

suite('an upstream', () => {
  test('gives its endpoints their turns once its sources have answered', () =>
    onUpstreamGround(1, async ({ open }) => {
      const upstream = open({ sources: [staticSource('a', 'b'), staticSource('b', 'c')] })
      await upstream.ready()
      assert.deepEqual(spread(upstream, 30), { a: 10, b: 10, c: 10 })
      assert.equal(upstream.view().requests, 30)
      assert.deepEqual(
        upstream.view().sources.map(({ state, endpoints }) => [state, endpoints]),
        [
          ['ready', 2],
          ['ready', 2],
        ],
      )
      upstream.close()
      assert.equal(upstream.pick({}), 'no-endpoints')
      assert.equal(upstream.view().refusals['no-endpoints'], 1)
    }))

  test('honours weights also where the policy knows none', () =>
    onUpstreamGround(2, async ({ open }) => {
      const endpoints = [address('a', { weight: 3 }), address('b')]
      const upstream = open({ sources: [{ type: 'static', endpoints }] })
      await upstream.ready()
      assert.deepEqual(spread(upstream, 40), { a: 30, b: 10 })
    }))

  test('an endpoint that fails in a row is ejected, longer each time, and comes back slowly', () =>
    onUpstreamGround(3, async ({ open, pass, until }) => {
      const upstream = open({
        sources: [staticSource('a', 'b', 'c')],
        outlier: { ...outlier, consecutiveFailures: 3, intervalMs: 100, ejectionMs: 1000 },
        balance: { ...balance, slowStartMs: 900 },
      })
      await upstream.ready()
      let changes = 0
      upstream.onChange(() => changes++)
      fail(upstream, 'a', 2)
      assert.deepEqual(spread(upstream, 3), { a: 1, b: 1, c: 1 })
      fail(upstream, 'a', 3)
      assert.equal(changes, 1)
      assert.equal(upstream.find('a'), undefined)
      const [view] = upstream.view().endpoints
      assert.equal(view!.state, 'ejected')
      assert.match(view!.reason, /3 failures in a row/)
      assert.deepEqual(spread(upstream, 20), { b: 10, c: 10 })
      await pass(900)
      assert.equal(upstream.endpoints[0]!.state, 'ejected')
      await until(() => upstream.endpoints[0]!.state === 'ready')
      assert.equal(upstream.endpoints[0]!.weight, 0.1)
      assert.deepEqual(spread(upstream, 210), { a: 10, b: 100, c: 100 })
      await pass(500)
      assert.ok(upstream.endpoints[0]!.weight > 0.4 && upstream.endpoints[0]!.weight < 0.8)
      await pass(500)
      assert.equal(upstream.endpoints[0]!.weight, 1)
      assert.deepEqual(spread(upstream, 30), { a: 10, b: 10, c: 10 })
      fail(upstream, 'a', 3)
      await pass(990)
      assert.equal(upstream.endpoints[0]!.state, 'ejected')
      assert.equal(upstream.view().endpoints[0]!.ejections, 2)
    }))

  test('never ejects more than the share, and panics when too few are left', () =>
    onUpstreamGround(4, async ({ open }) => {
      const upstream = open({
        sources: [staticSource('a', 'b', 'c', 'd')],
        outlier: { ...outlier, consecutiveFailures: 1, ejectedPercentMax: 75 },
      })
      await upstream.ready()
      for (const id of ['a', 'b', 'c', 'd']) fail(upstream, id, 1)
      assert.deepEqual(
        upstream.endpoints.map(({ state }) => state),
        ['ejected', 'ejected', 'ejected', 'ready'],
      )
      assert.equal(upstream.view().isPanicking, true)
      assert.deepEqual(spread(upstream, 40), { a: 10, b: 10, c: 10, d: 10 })
      upstream.reconfigure(settingsOf({ ...upstream.settings, balance: { ...balance, panicThresholdPercent: 20 } }))
      assert.equal(upstream.view().isPanicking, false)
      assert.deepEqual(spread(upstream, 4), { d: 4 })
    }))

  test('drains by hand, and refuses with the reason', () =>
    onUpstreamGround(5, async ({ open, pass }) => {
      const upstream = open({ sources: [staticSource('a', 'b')] })
      await upstream.ready()
      assert.equal(upstream.setDraining('a', true), true)
      assert.equal(upstream.setDraining('nobody', true), false)
      assert.deepEqual(spread(upstream, 4), { b: 4 })
      upstream.setDraining('b', true)
      assert.equal(send(upstream), 'none-healthy')
      upstream.reconfigure(settingsOf({ sources: [staticSource('b')] }))
      await pass(1)
      upstream.reconfigure(settingsOf({ sources: [staticSource('a', 'b')] }))
      await pass(1)
      assert.equal(upstream.endpoints[0]!.state, 'draining')
      upstream.setDraining('a', false)
      assert.equal(upstream.pick({ isExcluded: () => true }), 'all-tried')
      assert.deepEqual(spread(upstream, 4), { a: 4 })
    }))

  test('the circuit opens, lets one trial through, and closes or opens by it', () =>
    onUpstreamGround(6, async ({ open, pass }) => {
      const upstream = open({
        sources: [staticSource('a', 'b')],
        outlier: undefined,
        circuit: { ...circuit, consecutiveFailures: 3, openMs: 1000 },
      })
      await upstream.ready()
      const [early, alsoEarly] = [upstream.endpoints[0]!, upstream.endpoints[1]!]
      const [permit, alsoPermit] = [upstream.begin(early), upstream.begin(alsoEarly)]
      for (let n = 0; n < 3; n++) send(upstream, 'failure')
      assert.equal(send(upstream), 'circuit-open')
      assert.equal(upstream.view().circuit, 'open')
      await pass(1000)
      const trial = upstream.pick({})
      assert.ok(typeof trial !== 'string')
      const trialPermit = upstream.begin(trial)
      assert.equal(send(upstream), 'circuit-open')
      assert.equal(upstream.find(trial.id), undefined)
      // What began before the circuit opened is no trial, however well it ends, and be it at the same endpoint.
      upstream.end(early, 'success', 3000, permit)
      assert.equal(upstream.view().circuit, 'half-open')
      upstream.end(trial, 'failure', 1, trialPermit)
      assert.equal(send(upstream), 'circuit-open')
      await pass(1000)
      assert.notEqual(send(upstream), 'circuit-open')
      assert.equal(upstream.view().circuit, 'closed')
      upstream.end(alsoEarly, 'cancelled', 0, alsoPermit)
      assert.deepEqual([early.active, alsoEarly.active], [0, 0])
    }))

  test('a circuit that is turned off during its trial is as new when it is turned on again', () =>
    onUpstreamGround(14, async ({ open, pass }) => {
      const breaking = { ...circuit, consecutiveFailures: 1, openMs: 1000 }
      const upstream = open({ sources: [staticSource('a', 'b')], outlier: undefined, circuit: breaking })
      send(upstream, 'failure')
      await pass(1000)
      const trial = upstream.pick({})
      assert.ok(typeof trial !== 'string')
      const permit = upstream.begin(trial)
      upstream.reconfigure(settingsOf({ ...upstream.settings, circuit }))
      upstream.end(trial, 'failure', 1, permit)
      upstream.reconfigure(settingsOf({ ...upstream.settings, circuit: breaking }))
      send(upstream, 'failure')
      await pass(1000)
      const next = upstream.pick({ isExcluded: (endpoint) => endpoint === trial })
      assert.ok(typeof next !== 'string' && next !== trial)
      const nextPermit = upstream.begin(next)
      upstream.end(next, 'success', 1, nextPermit)
      assert.equal(upstream.view().circuit, 'closed')
    }))

  test('of two requests that may be the trial one is, and what began before at its endpoint says nothing', () =>
    onUpstreamGround(15, async ({ open, pass }) => {
      const breaking = { ...circuit, consecutiveFailures: 1, openMs: 1000 }
      const upstream = open({ sources: [staticSource('a')], outlier: undefined, circuit: breaking })
      const [a] = upstream.endpoints
      const old = upstream.begin(a!)
      send(upstream, 'failure')
      await pass(1000)
      const [trial, second] = [upstream.begin(a!), upstream.begin(a!)]
      upstream.end(a!, 'success', 1, old)
      upstream.end(a!, 'success', 1, second)
      assert.equal(upstream.view().circuit, 'half-open')
      upstream.end(a!, 'failure', 1, trial)
      assert.equal(upstream.view().circuit, 'open')
    }))

  test('an attempt that was given up says how slow its endpoint is at least', () =>
    onUpstreamGround(16, async ({ open, pass }) => {
      const slow = { ...outlier, consecutiveFailures: 0, successRateStdevFactor: 0, latencyFactor: 3, intervalMs: 100 }
      const upstream = open({
        sources: [staticSource('a', 'b', 'c')],
        outlier: { ...slow, successRateEndpointsMin: 2, successRateRequestsMin: 3 },
      })
      const [a, b, c] = upstream.endpoints
      const end = (endpoint: UpstreamEndpoint, result: 'success' | 'cancelled', ms: number): void =>
        upstream.end(endpoint, result, ms, upstream.begin(endpoint))
      for (let n = 0; n < 5; n++) {
        end(a!, 'cancelled', 500)
        end(b!, 'success', 10)
        end(c!, 'success', 10)
        // What is given up sooner than others take says nothing.
        end(c!, 'cancelled', 1)
      }
      assert.ok(a!.latencyMs > 400 && c!.latencyMs > 9, `${a!.latencyMs}, ${c!.latencyMs}`)
      await pass(150)
      assert.deepEqual(
        upstream.endpoints.map(({ state }) => state),
        ['ejected', 'ready', 'ready'],
      )
    }))

  test('an endpoint that two sources name counts once', () =>
    onUpstreamGround(17, async ({ open }) => {
      const first = { type: 'static', endpoints: [address('a'), address('b')] } as const
      const second = { type: 'static', endpoints: [address('b-1', { host: 'Host-B' }), address('c')] } as const
      const upstream = open({ sources: [first, second] })
      assert.deepEqual(
        upstream.endpoints.map(({ id }) => id),
        ['a', 'b', 'c'],
      )
      assert.deepEqual(spread(upstream, 3), { a: 1, b: 1, c: 1 })
    }))

  test('settings that cannot work are refused, by name', () =>
    onUpstreamGround(18, async ({ open }) => {
      const { balance, outlier, retryBudget } = upstreamSettingsDefault
      const check = { check: { type: 'tcp' }, intervalMs: 0, timeoutMs: 1, healthyAfter: 1, unhealthyAfter: 1 } as const
      const cases: readonly (readonly [Partial<UpstreamSettings>, RegExp])[] = [
        [{ name: '' }, /no name/],
        [{ connectTimeoutMs: Number.NaN }, /upstream orders: settings\.connectTimeoutMs is NaN: give milliseconds/],
        [{ balance: { ...balance, policy: 'fair' as never } }, /balance\.policy is "fair": give one of round-robin/],
        [{ balance: { ...balance, boundedLoadFactor: 0.5 } }, /boundedLoadFactor is 0\.5: .* or 0 for none/],
        [{ outlier: { ...outlier!, ejectedPercentMax: 101 } }, /outlier\.ejectedPercentMax is 101: .* from 0 to 100/],
        [{ outlier: { ...outlier!, intervalMs: 2 ** 32 } }, /outlier\.intervalMs is 4294967296/],
        [{ circuit: { ...circuit, requestsMax: 0 } }, /circuit\.requestsMax is 0/],
        [{ retryBudget: { ...retryBudget, percent: -1 } }, /retryBudget\.percent is -1/],
        [{ activeCheck: check }, /activeCheck\.intervalMs is 0/],
        [
          { sources: [{ type: 'static', endpoints: [address('a', { port: 70_000 })] }] },
          /sources\[0\]\.endpoints\[0\]\.port/,
        ],
        [{ sources: [{ type: 'static', endpoints: [address('a', { weight: 0 })] }] }, /weight is 0: give a finite/],
        [{ sources: [{ type: 'registry', service: '' }] }, /sources\[0\]\.service is ""/],
        [{ sources: [{ type: 'consul' } as never] }, /sources\[0\]\.type is "consul"/],
      ]
      const upstream = open({})
      for (const [wrong, message] of cases) {
        assert.throws(() => open(wrong), message)
        assert.throws(() => upstream.reconfigure(settingsOf(wrong)), wrong.name === '' ? /given the settings/ : message)
      }
      assert.deepEqual(upstream.settings, settingsOf({}))
    }))

  test('more requests than allowed are refused, those of other workers counted', () =>
    onUpstreamGround(7, async ({ open }) => {
      const upstream = open({ sources: [staticSource('a', 'b')], circuit: { ...circuit, requestsMax: 3 } })
      await upstream.ready()
      const [a, b] = upstream.endpoints
      const permit = upstream.begin(a!)
      upstream.setForeignActive(new Map([['b', 2]]))
      assert.equal(b!.active, 2)
      assert.equal(upstream.view().endpoints[1]!.active, 0)
      assert.equal(send(upstream), 'too-many-requests')
      upstream.setForeignActive(new Map())
      assert.equal(b!.active, 0)
      upstream.end(a!, 'cancelled', 0, permit)
      assert.notEqual(send(upstream), 'too-many-requests')
    }))

  test('retries fit the budget', () =>
    onUpstreamGround(8, async ({ open, pass }) => {
      const upstream = open({ sources: [staticSource('a')], retryBudget: { percent: 20, minPerSecond: 0 } })
      await upstream.ready()
      assert.equal(upstream.takeRetry(), false)
      spread(upstream, 100)
      let granted = 0
      while (upstream.takeRetry()) granted++
      assert.equal(granted, 20)
      assert.equal(upstream.takeRetry(), false)
      const [endpoint] = upstream.endpoints
      // Half of what was granted found no endpoint any more: that makes no request a retry.
      for (let made = 0; made < 10; made++) {
        const permit = upstream.begin(endpoint!, true)
        upstream.end(endpoint!, 'success', 1, permit)
      }
      assert.deepEqual([upstream.view().requests, upstream.view().retries], [100, 20])
      await pass(11_000)
      assert.equal(upstream.takeRetry(), false)
      spread(upstream, 5)
      assert.equal(upstream.takeRetry(), true)
    }))

  test('with new settings, endpoints that stay keep their state, and those that go end what they began', () =>
    onUpstreamGround(9, async ({ open, pass }) => {
      const upstream = open({
        sources: [staticSource('a', 'b', 'c')],
        outlier: { ...outlier, consecutiveFailures: 1 },
      })
      await upstream.ready()
      fail(upstream, 'a', 1)
      const [a, b] = upstream.endpoints
      a!.attachment = 'its connections'
      const permit = upstream.begin(b!)
      upstream.reconfigure(settingsOf({ ...upstream.settings, sources: [staticSource('a', 'c', 'd')] }))
      await pass(1)
      assert.deepEqual(
        upstream.endpoints.map(({ id, state }) => [id, state]),
        [
          ['a', 'ejected'],
          ['c', 'ready'],
          ['d', 'ready'],
        ],
      )
      assert.equal(upstream.endpoints[0], a)
      assert.equal(upstream.endpoints[0]!.attachment, 'its connections')
      assert.equal(b!.isMember, false)
      upstream.end(b!, 'failure', 1, permit)
      assert.equal(b!.active, 0)
      assert.throws(() => upstream.end(b!, 'success', 1, permit), /never began/)
      const moved = { type: 'static', endpoints: [address('a', { port: 81 })] } as const
      upstream.reconfigure(settingsOf({ ...upstream.settings, sources: [moved] }))
      await pass(1)
      assert.notEqual(upstream.endpoints[0], a)
      assert.equal(upstream.endpoints[0]!.state, 'ready')
    }))

  test('priorities, zones and subsets are honoured', () =>
    onUpstreamGround(10, async ({ open, pass }) => {
      const endpoints = ['a', 'b', 'c', 'd'].map((id, i) => address(id, { priority: i < 2 ? 0 : 1 }))
      const upstream = open({
        sources: [{ type: 'static', endpoints }],
        outlier: { ...outlier, consecutiveFailures: 1 },
      })
      await upstream.ready()
      assert.deepEqual(spread(upstream, 10), { a: 5, b: 5 })
      assert.equal(upstream.find('c'), undefined)
      fail(upstream, 'a', 1)
      const spilled = spread(upstream, 1000)
      assert.ok(spilled['b']! > 600 && spilled['b']! < 800, JSON.stringify(spilled))
      assert.ok(spilled['c']! > 100 && spilled['d']! > 100, JSON.stringify(spilled))

      const zoned = ['a', 'b', 'c', 'd'].map((id, i) => address(id, { zone: i < 2 ? 'x' : 'y' }))
      const local = open({ sources: [{ type: 'static', endpoints: zoned }], balance: { ...balance, zone: 'y' } })
      await local.ready()
      assert.deepEqual(spread(local, 10), { c: 5, d: 5 })

      const few = open({ sources: [staticSource('a', 'b', 'c', 'd', 'e')], balance: { ...balance, subsetSize: 2 } })
      await few.ready()
      await pass(1)
      assert.equal(Object.keys(spread(few, 10)).length, 2)
    }))

  test('a newcomer among others warms up; the first ones do not', () =>
    onUpstreamGround(11, async ({ open, pass }) => {
      const upstream = open({ sources: [staticSource('a', 'b')], balance: { ...balance, slowStartMs: 1000 } })
      await upstream.ready()
      assert.deepEqual(
        upstream.endpoints.map(({ weight }) => weight),
        [1, 1],
      )
      upstream.reconfigure(settingsOf({ ...upstream.settings, sources: [staticSource('a', 'b', 'c')] }))
      await pass(1)
      assert.deepEqual(
        upstream.endpoints.map(({ weight }) => weight),
        [1, 1, 0.1],
      )
      await pass(1000)
      assert.equal(upstream.endpoints[2]!.weight, 1)
    }))

  test('ready gives up with the signal, and says what is missing', () =>
    onUpstreamGround(12, async ({ open, pass }) => {
      const upstream = open({ sources: [{ type: 'dns', name: 'orders.example', port: 80, refreshMs: 1000 }] })
      const abort = new AbortController()
      const ready = upstream.ready(abort.signal)
      const refused = assert.rejects(ready, /orders is not ready: .*no name service/)
      await pass(10)
      abort.abort()
      await refused
      await assert.rejects(upstream.ready(AbortSignal.abort()), /not ready/)
      const closed = assert.rejects(upstream.ready(), /was closed/)
      upstream.close()
      await closed
    }))

  test('a listener that throws keeps nobody else from hearing', () =>
    onUpstreamGround(13, async ({ open }) => {
      const upstream = open({ sources: [staticSource('a')] })
      await upstream.ready()
      let heard = 0
      upstream.onChange(() => {
        throw new Error('a bug of the listener')
      })
      const stop = upstream.onChange(() => heard++)
      upstream.setDraining('a', true)
      stop()
      upstream.setDraining('a', false)
      assert.equal(heard, 1)
    }))
})
