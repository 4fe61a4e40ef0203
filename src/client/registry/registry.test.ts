import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connect } from '../connect/index.ts'
import { onGround } from '../turns/testing/client-ground.ts'
import type { Fate } from '../turns/testing/faulty-driver.ts'
import { createRegistry, type Instance } from './index.ts'

const folder = 'synod/registry/web/instances/'

function ids(instances: readonly Instance[]): string[] {
  return instances.map(({ id }) => id)
}

test('instances are listed while they are registered, with what they say of themselves', () =>
  onGround(1, async ({ client, keys }) => {
    const registry = createRegistry(client().context)
    const a = await registry.register({
      service: 'web',
      id: 'a/1',
      address: '10.0.0.1',
      port: 80,
      metadata: { zone: 'x' },
    })
    const b = await createRegistry(client().context).register({ service: 'web', address: '10.0.0.2' })
    await registry.register({ service: 'other', address: '10.0.0.3' })
    const instances = await registry.instances('web')
    assert.deepEqual(new Set(ids(instances)), new Set(['a/1', b.id]))
    const [first] = instances.filter(({ id }) => id === 'a/1')
    const { revision, ...rest } = first!
    assert.ok(revision > 0)
    assert.deepEqual(rest, {
      service: 'web',
      id: 'a/1',
      address: '10.0.0.1',
      port: 80,
      metadata: { zone: 'x' },
      healthy: true,
      reason: '',
    })
    await a.update({ metadata: { zone: 'y' } })
    assert.deepEqual((await registry.instances('web')).find(({ id }) => id === 'a/1')?.metadata, { zone: 'y' })
    await a.close()
    assert.deepEqual(ids(await registry.instances('web')), [b.id])
    assert.equal(a.signal.aborted, true)
    await assert.rejects(a.update({ metadata: {} }), { code: 'CLOSED' })
    await b.close()
    assert.deepEqual(await keys(folder), [])
  }))

test('a registration that nothing happens to is written once', () =>
  onGround(2, async ({ client, pass }) => {
    const { context, driver } = client()
    await createRegistry(context).register({ service: 'web', address: 'x' })
    await pass(20_000)
    assert.equal(driver.transactions, 1)
  }))

test('watch tells each change of the healthy instances, and nothing else', () =>
  onGround(3, async ({ client, until }) => {
    let isHealthy = true
    const seen: string[][] = []
    const abort = new AbortController()
    const watching = (async () => {
      for await (const instances of createRegistry(client().context).watch('web', abort)) seen.push(ids(instances))
    })()
    await until(() => seen.length === 1)
    const registry = createRegistry(client().context)
    const check = { type: 'heartbeat', ttlMs: 300, check: () => isHealthy } as const
    const a = await registry.register({ service: 'web', id: 'a', address: 'x', health: check })
    await until(() => seen.length === 2)
    isHealthy = false
    await until(() => seen.length === 3)
    assert.equal(a.healthy, false)
    const all = await registry.instances('web', { includeUnhealthy: true })
    assert.deepEqual(
      all.map(({ id, healthy, reason }) => [id, healthy, reason]),
      [['a', false, 'its check returned false']],
    )
    await a.close()
    await registry.register({ service: 'web', id: 'b', address: 'x' })
    await until(() => seen.length === 4)
    abort.abort()
    await assert.rejects(watching, { code: 'CANCELLED' })
    assert.deepEqual(seen, [[], ['a'], [], ['b']])
  }))

test('an instance whose session is lost is gone, and comes back by itself', () =>
  onGround(4, async ({ client, until }) => {
    const { context, driver } = client()
    const view = createRegistry(client().context)
    const registration = await createRegistry(context).register({ service: 'web', id: 'a', address: 'x' })
    driver.cut()
    await until(async () => (await view.instances('web')).length === 0)
    assert.equal(registration.signal.aborted, false)
    driver.heal()
    await until(async () => (await view.instances('web')).length === 1)
    await registration.close()
    assert.deepEqual(await view.instances('web'), [])
  }))

test('a registration on a session of its own ends with it', () =>
  onGround(5, async ({ client, until }) => {
    const { context } = client()
    const session = await context.sessions.open({ ttlMs: 1000 })
    const registration = await createRegistry(context).register({ service: 'web', address: 'x', session })
    await session.close()
    await until(() => registration.signal.aborted)
    assert.equal((registration.signal.reason as { code?: string }).code, 'SESSION_LOST')
    assert.deepEqual(await createRegistry(context).instances('web'), [])
  }))

test('the last to register under an id has it; the one before is told', () =>
  onGround(6, async ({ client, until, pass }) => {
    const old = await createRegistry(client().context).register({ service: 'web', id: 'a', address: 'old' })
    const registry = createRegistry(client().context)
    const next = await registry.register({ service: 'web', id: 'a', address: 'new' })
    await until(() => old.signal.aborted)
    assert.equal((old.signal.reason as { code?: string }).code, 'ALREADY_EXISTS')
    await old.close()
    await pass(5000)
    assert.deepEqual(
      (await registry.instances('web')).map(({ address }) => address),
      ['new'],
    )
    assert.equal(next.signal.aborted, false)
  }))

test('a registration that somebody deletes comes back', () =>
  onGround(7, async ({ client, keys, until }) => {
    const { context, driver } = client()
    await createRegistry(context).register({ service: 'web', id: 'a', address: 'x' })
    await driver.transact({ compares: [], success: [{ type: 'delete', key: `${folder}a` }] })
    await until(async () => (await keys(folder)).length === 1)
  }))

test('registering ends with its limits, and leaves nothing', () =>
  onGround(8, async ({ client, keys, pass }) => {
    const { context, driver } = client()
    await context.sessions.shared()
    driver.fateOf = () => 'late'
    const registering = createRegistry(context).register({ service: 'web', address: 'x' }, { timeoutMs: 300 })
    await assert.rejects(registering, { code: 'TIMEOUT' })
    driver.fateOf = () => 'passes'
    await Promise.all(driver.late)
    await pass(1000)
    assert.ok(driver.late.length > 0)
    assert.deepEqual(await keys(folder), [])
    await assert.rejects(
      createRegistry(context).register({ service: 'web', address: 'x' }, { signal: AbortSignal.abort() }),
      {
        code: 'CANCELLED',
      },
    )
    await assert.rejects(createRegistry(context).register({ service: 'web', id: '', address: 'x' }), {
      code: 'INVALID_ARGUMENT',
    })
  }))

for (let seed = 500; seed < 508; seed++) {
  test(`registrations over links that fail: converge to what is, and nothing stays (seed ${seed})`, () =>
    onGround(seed, async ({ client, simulation, pass, until, keys }) => {
      const { random } = simulation
      const fates: Fate[] = ['lost-answer', 'lost-request', 'late', 'refused']
      let failing = true
      const registered = Array.from({ length: 3 }, async (_, index) => {
        const { context, driver } = client(1000)
        driver.fateOf = () => (failing && random.below(3) === 0 ? fates[random.below(4)]! : 'passes')
        const registration = await createRegistry(context).register({ service: 'web', id: `${index}`, address: 'x' })
        for (let i = 0; i < 10; i++) {
          if (random.below(4) === 0) driver.cut()
          else driver.heal()
          await pass(random.below(1500))
          registration.update({ metadata: { step: `${i}` } }).catch(() => {})
        }
        driver.heal()
        return registration
      })
      const registrations = await Promise.all(registered)
      failing = false
      const view = createRegistry(client().context)
      await until(async () => {
        const instances = await view.instances('web')
        return instances.length === 3 && instances.every(({ metadata }) => metadata['step'] === '9')
      })
      await Promise.all(registrations.map((registration) => registration.close()))
      await pass(1000)
      assert.deepEqual(await keys(folder), [])
    }))
}

test('a listener of health changes that throws ends neither probing nor the others', () =>
  onGround(61, async ({ client, until }) => {
    const registry = createRegistry(client().context)
    let isUp = true
    const check = (): boolean => isUp
    const registration = await registry.register({
      service: 's',
      address: 'a',
      health: { type: 'heartbeat', ttlMs: 300, check },
    })
    const heard: boolean[] = []
    registration.onHealthChange(() => {
      throw new Error('the listener is broken')
    })
    registration.onHealthChange((healthy) => heard.push(healthy))
    await until(() => registration.healthy)
    isUp = false
    await until(() => !registration.healthy)
    isUp = true
    await until(() => registration.healthy)
    assert.deepEqual(heard.slice(-2), [false, true])
    await registration.close()
  }))

test('what is no address is refused, and nothing is listed', async () => {
  const synod = await connect('memory:')
  for (const wrong of [{ address: '' }, { address: 'h', port: 99_999 }, { address: 'h', port: 1.5 }])
    await assert.rejects(synod.registry.register({ service: 'web', ...wrong }), { code: 'INVALID_ARGUMENT' })
  assert.deepEqual(await synod.registry.instances('web'), [])
  await synod.close()
})
