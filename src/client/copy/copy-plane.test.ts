import assert from 'node:assert/strict'
import { test } from 'node:test'
import { binaryString, utf8Bytes } from '../../base/index.ts'
import { createNodeRuntime } from '../../runtime/node/index.ts'
import { createDoubleBarrier } from '../barriers/index.ts'
import { type PlaneContext, roomKey } from '../context.ts'
import { createCounter } from '../counters/index.ts'
import type { Driver, Entry, Key } from '../driver/index.ts'
import { openEmbeddedDriver } from '../drivers/embedded/index.ts'
import { SynodError } from '../errors.ts'
import { createIds } from '../ids/index.ts'
import { createFence, createLock, readTokenFloor } from '../locks/index.ts'
import { createQueue } from '../queues/index.ts'
import { createSessions } from '../sessions/index.ts'
import { hostTracing } from '../tracing.ts'
import { type CopyProgress, copyPlane } from './index.ts'
import { readSide } from './side.ts'

interface Plane {
  readonly context: PlaneContext
  close(): Promise<void>
}

async function openPlane(namespace = ''): Promise<Plane> {
  const driver = await openEmbeddedDriver({}, createNodeRuntime({ logLevel: 'error' }))
  const sessions = createSessions(driver)
  return {
    context: { driver, sessions, tracing: hostTracing('embedded'), namespace },
    async close() {
      await sessions.close()
      await driver.close()
    },
  }
}

async function withPlanes(
  count: number,
  body: (...contexts: PlaneContext[]) => Promise<void>,
  namespaces: readonly string[] = [],
): Promise<void> {
  const planes = await Promise.all(Array.from({ length: count }, (_, index) => openPlane(namespaces[index])))
  try {
    await body(...planes.map(({ context }) => context))
  } finally {
    await Promise.all(planes.map((plane) => plane.close()))
  }
}

async function put({ driver, namespace }: PlaneContext, key: Key, value: string | Uint8Array): Promise<void> {
  const bytes = typeof value === 'string' ? utf8Bytes(value) : value
  await driver.transact({ compares: [], success: [{ type: 'put', key: namespace + key, value: bytes }] })
}

async function all({ driver }: PlaneContext): Promise<readonly Entry[]> {
  return (await driver.list({ start: '', end: '' })).entries
}

async function textAt({ driver, namespace }: PlaneContext, key: Key): Promise<string | undefined> {
  const { entry } = await driver.get(namespace + key)
  return entry && binaryString(entry.value)
}

/** `context` with some calls of its driver replaced. */
function altered(context: PlaneContext, changes: Partial<Driver>): PlaneContext {
  return { ...context, driver: Object.assign(Object.create(context.driver), changes) }
}

/** `context` on a machine whose wall clock is off. */
function withClock(context: PlaneContext, skewMs: number): PlaneContext {
  const { clock } = context.driver.outside
  const skewed = { wallMs: () => clock.wallMs() + skewMs, monotonicMs: () => clock.monotonicMs() }
  return altered(context, { outside: { ...context.driver.outside, clock: skewed } })
}

test('everything that can move moves, and the sides have one digest', async () => {
  await withPlanes(
    2,
    async (from, to) => {
      for (let index = 0; index < 300; index++) await put(from, `key/${index}`, `value ${index}`)
      await put(from, '\xff\x00odd \xfe', new Uint8Array([0, 255, 1]))
      await put(from, 'large', new Uint8Array(700_000).fill(7))
      await createCounter(from, 'visits').add(41)
      await put(from, roomKey({ namespace: '' }, 'config', 'app'), '{"theme":"dark"}')
      const held = await createLock(from, 'invoice').acquire()
      const phases: CopyProgress[] = []
      const report = await copyPlane(from, to, { onProgress: (progress) => phases.push(progress) })
      assert.deepEqual(report.rooms, { kv: 302, counters: 1, config: 1 })
      assert.equal(report.written, 304)
      assert.equal(report.keys, 304)
      assert.ok(report.leased >= 2, 'the lock and the marker stay behind')
      assert.deepEqual([...new Set(phases.map(({ phase }) => phase))], ['compare', 'copy', 'verify'])
      assert.equal(phases.at(-1)!.keys, phases.at(-1)!.keysInAll)
      assert.equal(await createCounter(to, 'visits').increment(), 42)
      assert.equal(await textAt(to, '\xff\x00odd \xfe'), '\x00\xff\x01')
      assert.equal(await textAt(to, 'key/299'), 'value 299')
      assert.equal(await textAt(to, 'synod/floors/copy'), undefined)
      const moved = (await all(to)).filter(({ key }) => key.includes('/locks/'))
      assert.deepEqual(moved, [])
      await held.release()
    },
    ['', 'app/'],
  )
})

test('tokens and ids never go back: there, on, and back again', async () => {
  await withPlanes(3, async (...opened) => {
    const planes = opened.map((plane, index) => withClock(plane, [60_000, 0, -60_000][index]!))
    let token = 0
    let id = 0n
    let before: PlaneContext | undefined
    for (const plane of [...planes, planes[0]!, planes[1]!]) {
      if (before !== undefined) await copyPlane(before, plane, { overwrite: true })
      // An engine that is young, or that has come far since.
      for (let writes = 0; plane === planes[0] && writes < 50; writes++) await put(plane, 'filler', String(writes))
      const ids = createIds(plane, 'orders')
      for (let round = 0; round < 3; round++) {
        const held = await createLock(plane, 'invoice').acquire()
        assert.ok(held.fencingToken > token, `${held.fencingToken} after ${token}`)
        token = held.fencingToken
        await createFence(plane, 'ledger').guard(token)
        await held.release()
        const next = await ids.next()
        assert.ok(next > id)
        id = next
      }
      before = plane
    }
    await assert.rejects(createFence(planes[1]!, 'ledger').guard(token - 1), { code: 'FENCED' })
  })
})

test('jobs keep their places in the line', async () => {
  await withPlanes(2, async (from, to) => {
    const queue = createQueue(from, 'mail')
    const names = ['zoe', 'adam', 'mia', 'bob', 'eve']
    for (const id of names) await queue.enqueue(id, { id })
    const claimed = await queue.dequeue()
    assert.equal(claimed.id, 'zoe')
    await copyPlane(from, to)
    const order: string[] = []
    for (const _ of names) {
      const job = await createQueue(to, 'mail').dequeue({ waitMs: 5_000 })
      order.push(job.id)
      await job.ack()
    }
    assert.deepEqual(order, names)
  })
})

test('a dry run tells and changes nothing', async () => {
  await withPlanes(2, async (from, to) => {
    await put(from, 'same', '1')
    await put(from, 'other', '1')
    await put(from, 'new', '1')
    await put(to, 'same', '1')
    await put(to, 'other', '2')
    await put(to, 'extra', '1')
    const before = await all(to)
    const { dryRun, keys, written, equal, different, extra, tokenFloor } = await copyPlane(from, to, { dryRun: true })
    assert.deepEqual(
      { dryRun, keys, written, equal, different, extra },
      { dryRun: true, keys: 3, written: 2, equal: 1, different: 1, extra: 1 },
    )
    assert.equal(tokenFloor, (await from.driver.get('x')).revision)
    assert.deepEqual(await all(to), before)
    assert.equal(await readTokenFloor(to), 0)
  })
})

test('other values in the target end it before it begins, unless they are to be overwritten', async () => {
  await withPlanes(2, async (from, to) => {
    for (let index = 0; index < 100; index++) await put(from, `k${index}`, 'from')
    await put(to, 'k50', 'to')
    const before = await all(to)
    await assert.rejects(copyPlane(from, to), /CONFLICT|"k50"/)
    assert.deepEqual(await all(to), before)
    const report = await copyPlane(from, to, { overwrite: true })
    assert.equal(report.written, 100)
    assert.equal(await textAt(to, 'k50'), 'from')
    assert.equal((await copyPlane(from, to)).written, 0, 'again: nothing to do')
  })
})

test('only some prefixes', async () => {
  await withPlanes(2, async (from, to) => {
    for (const key of ['a/1', 'a/2', 'ab', 'b/1', 'c']) await put(from, key, key)
    await createCounter(from, 'n').increment()
    const report = await copyPlane(from, to, { prefixes: ['b/', 'a/', 'a/2', 'synod/counters/'] })
    assert.equal(report.keys, 4)
    assert.deepEqual(
      (await all(to)).map(({ key }) => key).filter((key) => !key.includes('floors')),
      ['a/1', 'a/2', 'b/1', 'synod/counters/n'],
    )
  })
})

test('a side is read from a key on, over all ranges', async () => {
  await withPlanes(1, async (from) => {
    for (const key of ['a/1', 'a/2', 'b', 'c/1']) await put(from, key, key)
    const keys: Key[] = []
    for await (const { key } of readSide(from, { prefixes: ['c/', 'a/'], after: 'a/1' })) keys.push(key)
    for await (const { key } of readSide(from, { prefixes: ['c/', 'a/'], after: 'b' })) keys.push(key)
    assert.deepEqual(keys, ['a/2', 'c/1', 'c/1'])
  })
})

test('broken off, it goes on where it ended', async () => {
  await withPlanes(2, async (from, to) => {
    for (let index = 100; index < 400; index++) await put(from, `k${index}`, `${index}`)
    let writesLeft = 4
    const breaking = altered(to, {
      transact: (transaction, options) => {
        const writes = transaction.success.filter(({ type }) => type === 'put').length
        if (writes > 1 && writesLeft-- <= 0) return Promise.reject(new SynodError('NO_SPACE', 'the target is full'))
        return to.driver.transact(transaction, options)
      },
    })
    await assert.rejects(copyPlane(from, breaking), { code: 'NO_SPACE' })
    await assert.rejects(copyPlane(from, to), /did not finish/)
    await assert.rejects(copyPlane(from, to, { resume: true, prefixes: ['k'] }), { code: 'INVALID_ARGUMENT' })
    let rewritten = 0
    const counting = altered(to, {
      transact: (transaction, options) => {
        for (const step of transaction.success) if (step.type === 'put' && /^k/.test(step.key)) rewritten++
        return to.driver.transact(transaction, options)
      },
    })
    const report = await copyPlane(from, counting, { resume: true })
    assert.equal(report.written, 60)
    assert.equal(rewritten, 60, 'what had been copied was not sent again')
    assert.equal(await textAt(to, 'k399'), '399')
    assert.equal((await copyPlane(from, to)).equal, 300)
  })
})

test('lost answers and refusals on the way', async () => {
  await withPlanes(2, async (from, to) => {
    for (let index = 0; index < 200; index++) await put(from, `k${index}`, `${index}`)
    let calls = 0
    const flaky = altered(to, {
      async transact(transaction, options) {
        calls++
        if (calls % 3 === 0) throw new SynodError('UNAVAILABLE', 'refused')
        const result = await to.driver.transact(transaction, options)
        if (calls % 3 === 1) throw new SynodError('UNAVAILABLE', 'the connection broke', { outcome: 'unknown' })
        return result
      },
    })
    const report = await copyPlane(from, flaky)
    assert.equal(report.keys, 200)
    assert.equal(await textAt(to, 'k199'), '199')
  })
})

test('what is written to the source meanwhile is found out', async () => {
  await withPlanes(2, async (from, to) => {
    for (let index = 0; index < 10; index++) await put(from, `k${index}`, `${index}`)
    const busy = altered(to, {
      async transact(transaction, options) {
        await put(from, 'k5', 'changed')
        return to.driver.transact(transaction, options)
      },
    })
    await assert.rejects(copyPlane(from, busy), /1 keys differ and 0 are missing/)
    await copyPlane(from, to, { overwrite: true })
    assert.equal(await textAt(to, 'k5'), 'changed')
  })
})

test('a key that hangs on a lease in the target is not taken for the copy', async () => {
  await withPlanes(2, async (from, to) => {
    await put(from, 'k', 'v')
    const { leaseId } = await to.driver.grantLease(60_000)
    const value = utf8Bytes('v')
    await to.driver.transact({ compares: [], success: [{ type: 'put', key: 'k', value, leaseId }] })
    await assert.rejects(copyPlane(from, to), { code: 'CONFLICT' })
    await copyPlane(from, to, { overwrite: true })
    await to.driver.revokeLease(leaseId)
    assert.equal(await textAt(to, 'k'), 'v')
  })
})

test('rounds of a double barrier stay: they are told by revisions, which are others in the target', async () => {
  await withPlanes(2, async (from, to) => {
    for (let write = 0; write < 100; write++) await put(from, 'k', `${write}`)
    const members = [1, 2].map(() => createDoubleBarrier(from, 'b', 2))
    await Promise.all(members.map((member) => member.enter()))
    await copyPlane(from, to)
    await assert.rejects(createDoubleBarrier(to, 'b', 2).enter({ timeoutMs: 200 }), { code: 'TIMEOUT' })
    const later = [1, 2].map(() => createDoubleBarrier(to, 'b', 2))
    await Promise.all(later.map((member) => member.enter()))
  })
})
