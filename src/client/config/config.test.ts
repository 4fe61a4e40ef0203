import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { z } from 'zod'
import { Prng } from '../../base/index.ts'
import { type PlaneContext, roomKey } from '../context.ts'
import { SynodError } from '../errors.ts'
import { leastDriver, planeOn } from '../kv/testing/plane.ts'
import { embeddedForSuite, freshPrefix, put, remove } from '../watching/testing/embedded.ts'
import { FlakyDriver } from '../watching/testing/flaky-driver.ts'
import { type Config, createConfig } from './index.ts'
import { laidOver, type Overrides, without } from './overrides.ts'

const schema = z.object({
  currency: z.string(),
  retries: z.number().int().default(3),
  limits: z.object({ requests: z.number(), bytes: z.number() }),
})
const defaults = { currency: 'EUR', limits: { requests: 10, bytes: 1000 } }

async function until(holds: () => boolean): Promise<void> {
  const deadline = Date.now() + 20_000
  while (!holds()) {
    assert.ok(Date.now() < deadline, 'it did not come to hold')
    await new Promise((resolve) => setImmediate(resolve))
  }
}

function stored(context: PlaneContext, name: string): string {
  return roomKey(context, 'config', name)
}

suite('settings laid over one another', () => {
  test('member by member, and taken back', () => {
    const under = { a: 1, b: { c: [1], d: { e: 1 } } }
    assert.deepEqual(laidOver(under, { b: { c: [2], d: 5 }, a: undefined, f: null }), {
      a: 1,
      b: { c: [2], d: 5 },
      f: null,
    })
    assert.deepEqual(without(under, ['b', 'd', 'e']), { a: 1, b: { c: [1] } })
    assert.deepEqual(without(under, ['x', 'y']), under)
    assert.deepEqual(without(under, ['a', 'y']), under)
    assert.deepEqual(without({ a: { b: 1 } }, ['a', 'b']), {})
    const hostile = laidOver({}, JSON.parse('{"__proto__":{"polluted":true}}') as Overrides)
    assert.equal((hostile as { polluted?: unknown }).polluted, undefined)
    assert.equal(({} as { polluted?: unknown }).polluted, undefined)
  })
})

for (const withoutHistory of [false, true])
  suite(`config on an engine ${withoutHistory ? 'without' : 'with'} history`, () => {
    const engine = embeddedForSuite()
    const plane = (): PlaneContext =>
      planeOn(withoutHistory ? leastDriver(engine.driver) : engine.driver, freshPrefix())

    test('defaults, what is set, and what others store', async () => {
      const context = plane()
      const config = await createConfig(context, 'shop', { schema, defaults })
      assert.deepEqual(config.value, { currency: 'EUR', retries: 3, limits: { requests: 10, bytes: 1000 } })
      const retries: number = config.value.retries
      assert.equal(retries, 3)
      await config.set({ limits: { requests: 20 } })
      assert.deepEqual(config.value.limits, { requests: 20, bytes: 1000 })
      const { entry } = await engine.driver.get(stored(context, 'shop'))
      assert.equal(Buffer.from(entry!.value).toString(), '{"limits":{"requests":20}}')
      const changes: [number, number][] = []
      const stop = config.on('change', ({ value, previous }) => changes.push([previous.retries, value.retries]))
      await put(engine.driver, stored(context, 'shop'), '{"retries":7}')
      await until(() => config.value.retries === 7)
      await put(engine.driver, stored(context, 'shop'), '{ "retries": 7 }')
      await remove(engine.driver, stored(context, 'shop'))
      await until(() => config.value.retries === 3)
      assert.deepEqual(changes, [
        [3, 7],
        [7, 3],
      ])
      stop()
      await config.set({ retries: 9, currency: 'USD' })
      await config.unset(['retries'])
      assert.deepEqual([config.value.retries, config.value.currency], [3, 'USD'])
      await config.unset([])
      assert.equal(config.value.currency, 'EUR')
      assert.equal(changes.length, 2)
      await config.close()
      await assert.rejects(config.set({ retries: 1 }), { code: 'CLOSED' })
      assert.equal(config.value.currency, 'EUR')
    })

    test('layers lie between the defaults and its own', async () => {
      const context = plane()
      await put(engine.driver, stored(context, 'shared'), '{"currency":"CHF","retries":1,"limits":{"bytes":5}}')
      const region = await createConfig(context, 'region', { schema: z.looseObject({}) })
      await region.set({ retries: 2 })
      const config = await createConfig(context, 'shop', { schema, defaults, layers: ['shared', 'region'] })
      assert.deepEqual(config.value, { currency: 'CHF', retries: 2, limits: { requests: 10, bytes: 5 } })
      await config.set({ currency: 'JPY' })
      await region.set({ retries: 4, currency: 'ZZZ' })
      await until(() => config.value.retries === 4)
      assert.equal(config.value.currency, 'JPY')
      await region.close()
      await remove(engine.driver, stored(context, 'shared'))
      await until(() => config.value.limits.bytes === 1000)
      await config.close()
    })

    test('what does not fit is refused when it is set, and survived when others store it', async () => {
      const context = plane()
      const config = await createConfig(context, 'shop', { schema, defaults })
      // @ts-expect-error: no such type.
      await assert.rejects(config.set({ retries: 'many' }), { code: 'VALIDATION_FAILED', message: /retries/ })
      // @ts-expect-error: no such settings.
      await assert.rejects(config.set(5), { code: 'VALIDATION_FAILED' })
      assert.equal((await engine.driver.get(stored(context, 'shop'))).entry, undefined)
      const problems: string[] = []
      config.on('problem', ({ message }) => problems.push(message))
      config.on('problem', () => {
        throw new Error('a listener that throws')
      })
      for (const broken of ['{"retries":"x"}', '{', '[]']) {
        await put(engine.driver, stored(context, 'shop'), broken)
        await until(() => problems.length > 0)
        assert.equal(config.problem?.code, 'VALIDATION_FAILED')
        assert.equal(config.value.retries, 3)
        problems.length = 0
      }
      await assert.rejects(config.set({ retries: 4 }), { code: 'VALIDATION_FAILED', message: /must be a JSON object/ })
      const other = await createConfig(context, 'shop', { schema, defaults })
      assert.deepEqual([other.value.retries, other.problem?.code], [3, 'VALIDATION_FAILED'])
      await assert.rejects(createConfig(context, 'shop', { schema }), {
        code: 'VALIDATION_FAILED',
        message: /defaults/,
      })
      await other.unset([])
      await other.set({ retries: 5 })
      await until(() => config.value.retries === 5)
      assert.equal(config.problem, undefined)
      await Promise.all([config.close(), other.close()])
    })

    test('tells how stale it is, and refreshes', async () => {
      const context = plane()
      const { clock } = engine.driver.outside
      const began = clock.monotonicMs()
      const config = await createConfig(context, 'shop', { schema, defaults, revalidateMs: 5, maxStaleMs: 60_000 })
      assert.ok(config.staleMs() <= clock.monotonicMs() - began)
      config.assertFresh()
      const madeAt = clock.monotonicMs()
      await until(() => clock.monotonicMs() - config.staleMs() > madeAt)
      await put(engine.driver, stored(context, 'shop'), '{"retries":8}')
      const before = clock.monotonicMs()
      await config.refresh()
      assert.equal(config.value.retries, 8)
      assert.ok(clock.monotonicMs() - config.staleMs() >= before)
      await config.close()
      const slow = await createConfig(context, 'shop', { schema, defaults, maxStaleMs: 0.001 })
      await until(() => slow.staleMs() > 0.001)
      assert.throws(() => slow.assertFresh(), { code: 'UNAVAILABLE' })
      await slow.close()
    })

    test('many set at once: nothing is lost', async () => {
      const context = plane()
      const open = z.looseObject({})
      const configs = await Promise.all(
        Array.from({ length: 5 }, () => createConfig(context, 'shop', { schema: open })),
      )
      await Promise.all(configs.map((config, n) => config.set({ [`k${n}`]: n })))
      await configs[0]!.refresh()
      assert.deepEqual(configs[0]!.value, { k0: 0, k1: 1, k2: 2, k3: 3, k4: 4 })
      await Promise.all(configs.map((config) => config.close()))
    })
  })

suite('how current a config is', () => {
  const engine = embeddedForSuite()

  test('counts from when the comparison was sent, not from its answer', async () => {
    const slow = new FlakyDriver(engine.driver, { prng: new Prng('1') })
    const context = planeOn(slow, freshPrefix())
    const { clock } = engine.driver.outside
    const config = await createConfig(context, 'shop', { schema, defaults })
    const { list } = slow
    let sentBeforeMs = 0
    slow.list = async (...call) => {
      const answer = await list(...call)
      sentBeforeMs = clock.monotonicMs()
      await until(() => clock.monotonicMs() > sentBeforeMs + 5)
      return answer
    }
    await config.refresh()
    assert.ok(clock.monotonicMs() - config.staleMs() <= sentBeforeMs)
    slow.list = list
    await config.close()
  })

  test('what was refreshed is shown, also when the schema takes its time', async () => {
    const context = planeOn(engine.driver, freshPrefix())
    const patient = z.object({ n: z.number() }).refine(async () => {
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
      return true
    })
    const config = await createConfig(context, 'shop', { schema: patient, defaults: { n: 0 } })
    for (let n = 1; n < 5; n++) {
      await put(engine.driver, stored(context, 'shop'), JSON.stringify({ n }))
      await config.refresh()
      assert.equal(config.value.n, n)
    }
    await config.close()
  })

  test('rises while the engine cannot be reached', async () => {
    const flaky = new FlakyDriver(engine.driver, { prng: new Prng('1') })
    const context = planeOn(flaky, freshPrefix())
    const { clock } = engine.driver.outside
    const config = await createConfig(context, 'shop', { schema, defaults, revalidateMs: 1, maxStaleMs: 20 })
    await until(() => config.staleMs() <= 20)
    const { list } = flaky
    flaky.list = async () => {
      throw new SynodError('UNAVAILABLE', 'the connection broke')
    }
    const cutAtMs = clock.monotonicMs()
    await until(() => config.staleMs() > 20)
    assert.ok(clock.monotonicMs() - config.staleMs() <= cutAtMs)
    assert.throws(() => config.assertFresh(), { code: 'UNAVAILABLE', retryable: true })
    await assert.rejects(config.refresh(), { code: 'UNAVAILABLE' })
    flaky.list = list
    await until(() => config.staleMs() < clock.monotonicMs() - cutAtMs - 20)
    await config.refresh()
    await config.close()
  })
})

suite('many configs on a bad connection', () => {
  const engine = embeddedForSuite()

  test('share one watch, converge, and never show what was not so', async () => {
    const number = z.object({ n: z.number() })
    await fc.assert(
      fc.asyncProperty(
        fc.nat().map(String),
        fc.array(fc.nat(2), { minLength: 1, maxLength: 30 }),
        async (seed, writes) => {
          const flaky = new FlakyDriver(engine.driver, { prng: new Prng(seed), endsOneIn: 3, readsFailOneIn: 4 })
          const context = planeOn(flaky, freshPrefix())
          const configs: Config<typeof number>[] = []
          for (let c = 0; c < 3; c++)
            configs.push(await createConfig(context, `c${c}`, { schema: number, defaults: { n: -1 } }))
          assert.ok(flaky.openWatches <= 1)
          const last = [-1, -1, -1]
          const seen: number[][] = [[-1], [-1], [-1]]
          for (const [c, config] of configs.entries()) config.on('change', ({ value }) => void seen[c]!.push(value.n))
          for (const [n, c] of writes.entries()) {
            await put(engine.driver, stored(context, `c${c}`), JSON.stringify({ n }))
            last[c] = n
          }
          await until(() => configs.every((config, c) => config.value.n === last[c]))
          for (const values of seen)
            assert.deepEqual(
              values,
              [...values].sort((a, b) => a - b),
            )
          await Promise.all(configs.map((config) => config.close()))
          await until(() => flaky.openWatches === 0)
        },
      ),
      { numRuns: 30 },
    )
  })
})
