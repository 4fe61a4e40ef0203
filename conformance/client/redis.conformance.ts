// The plane on a real Redis: what it promises there, alone and with others, and what it refuses.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { openRedisPlane, type RedisPlaneOptions } from '../../src/client/drivers/redis/index.ts'
import type { RedisPlane } from '../../src/client/plane/index.ts'
import { createNodeRuntime } from '../../src/runtime/node/index.ts'
import { skipWithout } from '../peers.ts'
import { RedisServer } from './redis-server.ts'

const runtime = createNodeRuntime({ logLevel: 'error' })

describe('the plane on Redis', { skip: skipWithout('redis'), timeout: 120_000 }, () => {
  let server: RedisServer
  const planes: RedisPlane[] = []

  const open = async (more: Partial<RedisPlaneOptions> = {}): Promise<RedisPlane> => {
    const plane = await openRedisPlane({ host: '127.0.0.1', port: server.port, ttlMs: 3_000, ...more }, runtime)
    planes.push(plane)
    return plane
  }

  before(async () => {
    server = await RedisServer.start()
  })

  after(async () => {
    await Promise.all(planes.map((plane) => plane.close()))
    await server.stop()
  })

  it('gives a lock to one at a time, in order, with rising tokens', async () => {
    const both = [await open(), await open()]
    let inside = 0
    const tokens: number[] = []
    const order: number[] = []
    const first = await both[0]!.lock('mutex').acquire()
    const work: Promise<void>[] = []
    const outsider = server.outsider()
    for (let i = 0; i < 20; i++) {
      work.push(
        both[i % 2]!.lock('mutex').run({}, async ({ fencingToken }) => {
          assert.equal(++inside, 1)
          tokens.push(fencingToken)
          order.push(i)
          await outsider.ping()
          inside--
        }),
      )
      while ((await outsider.zcard('synod/locks/mutex/queue')) <= i);
    }
    await first.release()
    await Promise.all(work)
    assert.deepEqual(order, [...order.keys()])
    assert(tokens.every((token, i) => token > (tokens[i - 1] ?? first.fencingToken)))
    assert.deepEqual(await outsider.keys('synod/locks/mutex/*'), ['synod/locks/mutex/token'])
    assert.equal(await outsider.get('synod/locks/mutex/token'), String(tokens.at(-1)))
    outsider.disconnect()
  })

  it('tries, timed waits and cancelled ones leave nothing behind', async () => {
    const [mine, other] = [await open(), await open()]
    const held = await mine.lock('tries').acquire()
    assert.equal(await other.lock('tries').tryAcquire(), undefined)
    await assert.rejects(other.lock('tries').acquire({ waitMs: 100 }), { code: 'TIMEOUT' })
    const stop = new AbortController()
    const waiting = other.lock('tries').acquire({ signal: stop.signal })
    stop.abort()
    await assert.rejects(waiting, { code: 'CANCELLED' })
    await held.release()
    assert.throws(() => held.assertHeld(), { code: 'LOCK_LOST' })
    const next = await other.lock('tries').acquire({ waitMs: 10_000 })
    assert(next.fencingToken > held.fencingToken)
    await next.release()
  })

  it('passes on what a closed plane held, after the lock-delay that it asked for', async () => {
    const [mine, other] = [await open(), await open()]
    await mine.lock('delayed', { lockDelayMs: 700 }).acquire()
    const held = await mine.lock('closed').acquire()
    const nextDelayed = other.lock('delayed').acquire()
    const nextClosed = other.lock('closed').acquire()
    const beforeMs = runtime.clock.monotonicMs()
    await mine.close()
    assert.equal((held.signal.reason as { code: string }).code, 'LOCK_LOST')
    assert((await nextClosed).fencingToken > held.fencingToken)
    await nextDelayed
    assert(runtime.clock.monotonicMs() - beforeMs >= 699)
  })

  it('respects the floor of tokens and of ids', async () => {
    const plane = await open({ prefix: 'floored/' })
    const outsider = server.outsider()
    const floor = 4_000_000_000_000_000
    await outsider.set('floored/synod/floors/tokens', String(floor))
    assert.equal((await plane.lock('x').acquire()).fencingToken, floor + 1)
    const floorMs = runtime.clock.wallMs() + 86_400_000
    await outsider.set('floored/synod/floors/ids', String(Math.floor(floorMs)))
    const id = await plane.ids('x').next()
    assert(Number(id >> 22n) + 1_735_689_600_000 > floorMs - 1)
    outsider.disconnect()
  })

  it('notices a holder that was deleted', async () => {
    const plane = await open()
    const held = await plane.lock('deleted').acquire()
    const outsider = server.outsider()
    const gone = new Promise((resolve) => held.signal.addEventListener('abort', resolve))
    await outsider.del('synod/locks/deleted/holders')
    await gone
    assert.throws(() => held.assertHeld(), { code: 'LOCK_LOST' })
    outsider.disconnect()
  })

  it('gives as many permits as a semaphore has, each slot once, and refuses another number', async () => {
    const both = [await open(), await open()]
    const slots = new Set<number>()
    let most = 0
    const outsider = server.outsider()
    await Promise.all(
      Array.from({ length: 24 }, (_, i) =>
        both[i % 2]!.semaphore('permits', 3).run({}, async ({ slot }) => {
          assert(!slots.has(slot) && slot >= 0 && slot < 3)
          slots.add(slot)
          most = Math.max(most, slots.size)
          await outsider.ping()
          slots.delete(slot)
        }),
      ),
    )
    assert.equal(most, 3)
    await assert.rejects(both[0]!.semaphore('permits', 4).acquire(), { code: 'CONFLICT' })
    outsider.disconnect()
  })

  it('counts', async () => {
    const both = [await open(), await open()]
    const counter = both[0]!.counter('stock')
    await counter.set(100)
    const sold = await Promise.all(
      Array.from({ length: 150 }, (_, i) => both[i % 2]!.counter('stock').addIf(-1, { min: 0 })),
    )
    assert.equal(sold.filter(({ applied }) => applied).length, 100)
    assert.equal(await counter.get(), 0)
    await counter.set(Number.MAX_SAFE_INTEGER)
    await assert.rejects(counter.increment(), { code: 'TOO_LARGE' })
    assert.equal(await counter.add(-1), Number.MAX_SAFE_INTEGER - 1)
    const outsider = server.outsider()
    assert.equal(await outsider.get('synod/counters/stock'), String(Number.MAX_SAFE_INTEGER - 1))
    await outsider.set('synod/counters/stock', 'ten')
    await assert.rejects(counter.increment(), { code: 'CORRUPT' })
    await assert.rejects(counter.get(), { code: 'CORRUPT' })
    outsider.disconnect()
  })

  it('limits the rate over all planes', async () => {
    const both = [await open(), await open()]
    const limit = { limit: 10, intervalMs: 3_600_000 }
    const taken = await Promise.all(
      Array.from({ length: 30 }, (_, i) => both[i % 2]!.rateLimiter('mail', limit).take()),
    )
    assert.equal(taken.filter(({ allowed }) => allowed).length, 10)
    const refused = await both[0]!.rateLimiter('mail', limit).take(3)
    assert.equal(refused.allowed, false)
    assert(refused.retryAfterMs > 2 * 360_000 && refused.retryAfterMs <= 3 * 360_000)
    await both[1]!.rateLimiter('mail', limit).reset()
    assert.deepEqual(await both[0]!.rateLimiter('mail', limit).take(4), {
      allowed: true,
      remaining: 6,
      retryAfterMs: 0,
    })
  })

  it('makes ids that differ and rise', async () => {
    const both = [await open(), await open()]
    const made = await Promise.all(
      both.map(async (plane) => {
        const ids = plane.ids('orders')
        const own: bigint[] = []
        for (let i = 0; i < 10_000; i++) own.push(await ids.next())
        assert(own.every((id, i) => i === 0 || id > own[i - 1]!))
        return own
      }),
    )
    assert.equal(new Set(made.flat()).size, 20_000)
    assert.match(await both[0]!.ids('orders').nextString(), /^[0-9a-z]{13}$/)
  })

  it('goes on when the server forgets its scripts', async () => {
    const plane = await open()
    const outsider = server.outsider()
    await outsider.script('FLUSH')
    assert.equal(await plane.counter('after-flush').increment(), 1)
    outsider.disconnect()
  })

  it('tells what the server keeps, and refuses one that would not keep locks', async () => {
    const { durability } = await open()
    assert.deepEqual(durability, { appendOnly: true, appendFsync: 'always', replicas: 0, risks: [] })
    const others: [string, string[]][] = [
      ['evicts', ['--maxmemory', '50mb', '--maxmemory-policy', 'allkeys-lru']],
      ['replica', ['--replicaof', `127.0.0.1 ${server.port}`]],
      ['cluster', ['--cluster-enabled', 'yes']],
    ]
    for (const [what, flags] of others) {
      const other = await RedisServer.start(...flags)
      try {
        const opening = openRedisPlane({ host: '127.0.0.1', port: other.port }, runtime)
        await assert.rejects(opening, { code: 'NOT_SUPPORTED' }, what)
      } finally {
        await other.stop()
      }
    }
    const lax = await RedisServer.start('--appendonly', 'no')
    const plane = await openRedisPlane({ host: '127.0.0.1', port: lax.port }, runtime)
    assert.equal(plane.durability.risks.length, 1)
    await plane.close()
    await lax.stop()
    await assert.rejects(openRedisPlane({ host: '127.0.0.1', port: lax.port, requestTimeoutMs: 500 }, runtime), {
      code: 'UNAVAILABLE',
      outcome: 'not-applied',
    })
  })

  it('says what is wrong with a password', async () => {
    const secured = await RedisServer.start()
    const outsider = secured.outsider()
    for (const [user, more] of [
      ['app', '+@all'],
      ['poor', '+@all -client'],
    ] as const)
      await outsider.call('ACL', 'SETUSER', user, 'on', '>secret', '~*', '&*', ...more.split(' '))
    outsider.disconnect()
    try {
      const at = { host: '127.0.0.1', port: secured.port, username: 'app' }
      await assert.rejects(openRedisPlane({ ...at, password: 'wrong' }, runtime), { code: 'UNAUTHENTICATED' })
      await assert.rejects(openRedisPlane({ ...at, username: 'poor', password: 'secret' }, runtime), {
        code: 'PERMISSION_DENIED',
      })
      const plane = await openRedisPlane({ ...at, password: 'secret' }, runtime)
      assert.equal(await plane.counter('x').increment(), 1)
      await plane.close()
    } finally {
      await secured.stop()
    }
  })

  it('ends what is under way when it is closed, and tells its opener once', async () => {
    let told = 0
    const plane = await open({ onClosed: () => told++ })
    const holder = await open()
    await holder.lock('busy').acquire()
    const waiting = plane.lock('busy').acquire()
    const ended = assert.rejects(waiting, (error: { code: string }) => ['SESSION_LOST', 'CLOSED'].includes(error.code))
    await plane.counter('x').get()
    await plane.close()
    await plane.close()
    await ended
    assert.equal(told, 1)
    await assert.rejects(plane.counter('x').get(), { code: 'CLOSED' })
  })
})
