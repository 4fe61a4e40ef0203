import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRegistry } from '../registry/index.ts'
import { type GroundClient, onGround } from '../turns/testing/client-ground.ts'
import { createFailoverPair, createFailoverView, type FailoverPair } from './index.ts'

interface TestMember extends GroundClient {
  readonly pair: FailoverPair
  readonly log: string[]
  readonly tokens: number[]
  healthy: boolean
}

function member(id: string, ground: GroundClient, log: string[] = [], promoteMs = 0): TestMember {
  const tokens: number[] = []
  const state = { ...ground, log, tokens, healthy: true }
  const pair = createFailoverPair(ground.context, 'db', {
    instance: {
      id,
      address: `10.0.0.${id}`,
      port: 5432,
      health: { type: 'heartbeat', ttlMs: 300, check: () => state.healthy },
    },
    async onPromote(token) {
      tokens.push(token)
      log.push(`${id} up`)
      await new Promise<void>((resolve) => ground.driver.outside.scheduler.setTimer(promoteMs, resolve))
    },
    onDemote: () => void log.push(`${id} down`),
    onError: (error) => void log.push(`${id} ${String(error)}`),
  })
  return Object.assign(state, { pair })
}

test('one member is the primary; when it closes it steps down before the next one is promoted', () =>
  onGround(1, async ({ client, until, keys }) => {
    const log: string[] = []
    const a = member('1', client(), log)
    await until(() => a.pair.role === 'primary')
    const b = member('2', client(), log)
    const view = createFailoverView(client().context, 'db')
    await until(async () => (await view.primary())?.id === '1')
    await until(async () => (await createRegistry(client().context).instances('db')).length === 2)
    await a.pair.close()
    await until(async () => (await view.primary())?.id === '2')
    assert.deepEqual(log, ['1 up', '1 down', '2 up'])
    assert.ok(b.tokens[0]! > a.tokens[0]!)
    assert.equal((await view.primary())?.fencingToken, b.tokens[0])
    await b.pair.close()
    assert.equal(await view.primary(), undefined)
    assert.deepEqual(await keys('synod/registry/db/'), [])
  }))

test('a primary that turns unhealthy hands over, and stands again when it is well', () =>
  onGround(2, async ({ client, until }) => {
    const log: string[] = []
    const a = member('1', client(), log)
    await until(() => a.pair.role === 'primary')
    const b = member('2', client(), log)
    await until(async () => (await createRegistry(b.context).instances('db')).length === 2)
    a.healthy = false
    await until(() => b.pair.role === 'primary')
    a.healthy = true
    await until(async () => (await createRegistry(b.context).instances('db')).length === 2)
    await b.pair.close()
    await until(() => a.pair.role === 'primary')
    assert.deepEqual(log, ['1 up', '1 down', '2 up', '2 down', '1 up'])
  }))

test('a primary that is cut off is replaced, and clients hear of it with a greater token', () =>
  onGround(3, async ({ client, until }) => {
    const a = member('1', client())
    const seen: string[] = []
    const abort = new AbortController()
    const watching = (async () => {
      for await (const primary of createFailoverView(client().context, 'db').watchPrimary(abort))
        seen.push(primary === undefined ? 'none' : `${primary.id} ${primary.fencingToken}`)
    })()
    await until(() => seen.length > 0 && a.pair.role === 'primary')
    const b = member('2', client())
    await until(() => seen.length === 2)
    a.driver.cut()
    await until(() => seen.at(-1)?.startsWith('2') === true)
    a.driver.heal()
    await until(() => a.pair.role === 'standby')
    assert.deepEqual(seen, ['none', `1 ${a.tokens[0]}`, 'none', `2 ${b.tokens[0]}`])
    assert.ok(b.tokens[0]! > a.tokens[0]!)
    abort.abort()
    await assert.rejects(watching, { code: 'CANCELLED' })
    // It is a standby again, on a new session.
    await until(async () => (await createRegistry(b.context).instances('db')).length === 2)
  }))

test('clients do not see a primary before its promotion is done, and a promotion that fails gives others their turn', () =>
  onGround(4, async ({ client, until }) => {
    const view = createFailoverView(client().context, 'db')
    const a = member('1', client(), [], 2000)
    await until(() => a.tokens.length === 1)
    assert.equal(await view.primary(), undefined)
    await until(async () => (await view.primary())?.id === '1')
    const errors: string[] = []
    const failing = createFailoverPair(client().context, 'db', {
      instance: { id: '3', address: 'x' },
      onPromote: () => Promise.reject(new Error('cannot')),
      onError: (error) => void errors.push(String(error)),
    })
    await until(async () => (await createRegistry(client().context).instances('db')).length === 2)
    const b = member('2', client())
    await until(async () => (await createRegistry(client().context).instances('db')).length === 3)
    await a.pair.close()
    await until(async () => (await view.primary())?.id === '2')
    assert.equal(failing.role, 'standby')
    assert.deepEqual(errors, ['Error: cannot'])
    await failing.close()
    await b.pair.close()
  }))

test('an instance that is none is refused at once', () =>
  onGround(5, async ({ client }) => {
    const { context } = client()
    const instance = { address: 'x', health: { type: 'tcp' } } as const
    assert.throws(() => createFailoverPair(context, 'db', { instance, onPromote() {} }), { code: 'INVALID_ARGUMENT' })
    assert.throws(() => createFailoverPair(context, '', { instance: { address: 'x' }, onPromote() {} }), {
      code: 'INVALID_ARGUMENT',
    })
  }))
