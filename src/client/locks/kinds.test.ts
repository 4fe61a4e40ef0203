import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SynodError } from '../errors.ts'
import { pause } from '../watching/index.ts'
import {
  createFence,
  createLock,
  createMultiLock,
  createRwLock,
  createSemaphore,
  type HeldPermit,
  tokenBytes,
  tokenFloorKey,
} from './index.ts'
import { type Client, LockWorld, memoryPlane } from './testing/lock-world.ts'

const withoutRanges = { rangeInTransaction: false, history: false }

async function settled<T>(at: LockWorld, work: Promise<T>, ms: number): Promise<T | undefined> {
  let result: T | undefined
  void work.then((value) => {
    result = value
  })
  await at.advance(ms)
  return result
}

test('readers share; a writer waits for those before it and keeps out those after it', async () => {
  for (const can of [{}, withoutRanges]) {
    const at = await LockWorld.open({ seed: 1, clients: 5, can, ttlMs: 30_000 })
    const locks = at.clients.map(({ context }) => createRwLock(context, 'r'))
    const r0 = await at.run(locks[0]!.read.acquire())
    const r1 = await at.run(locks[1]!.read.acquire())
    assert.equal(r0.generation, 0)
    assert.equal(await at.run(locks[2]!.write.tryAcquire()), undefined)
    const writing = locks[2]!.write.acquire()
    await at.advance(50)
    assert.equal(await at.run(locks[3]!.read.tryAcquire()), undefined, 'a reader after a waiting writer waits')
    const [reading3, reading4] = [locks[3]!.read.acquire(), locks[4]!.read.acquire()]
    assert.equal(await settled(at, writing, 200), undefined)
    await at.run(r0.release())
    assert.equal(await settled(at, writing, 200), undefined)
    await at.run(r1.release())
    const writer = await at.run(writing)
    assert.equal(await settled(at, reading3, 200), undefined)
    await at.run(writer.release())
    const [r3, r4] = await at.run(Promise.all([reading3, reading4]))
    assert.equal(r3.generation, writer.fencingToken)
    assert.equal(r4.generation, writer.fencingToken)
    await at.run(Promise.all([r3.release(), r4.release()]))
    const again = await at.run(locks[0]!.write.acquire())
    assert(again.fencingToken > writer.fencingToken)
  }
})

test('a generation stands on the floor that a copy left', async () => {
  const at = await LockWorld.open({ seed: 2, clients: 1 })
  const { context } = at.clients[0]!
  const floor = { type: 'put', key: tokenFloorKey(context), value: tokenBytes(5_000) } as const
  await at.run(at.engine.transact({ compares: [], success: [floor] }))
  const lock = createRwLock(context, 'r')
  const reader = await at.run(lock.read.acquire())
  assert.equal(reader.generation, 5_000)
  await at.run(reader.release())
  const writer = await at.run(lock.write.acquire())
  assert(writer.fencingToken > 5_000)
})

test('readers and writers under faults never share by the clock', async () => {
  let all = 0
  for (let seed = 1; seed <= 8; seed++) {
    const at = await LockWorld.open({ seed, clients: 5, ttlMs: 1_500, can: seed % 2 === 0 ? withoutRanges : {} })
    const { random } = at.simulation
    // Who holds, by the looks they take at their clocks: a look of one may not lie between two of another that excludes it.
    const holding = new Map<number, { write: boolean; remainingMs: () => number }>()
    let writes = 0
    let over = false
    const contend = async (client: Client, index: number): Promise<void> => {
      const { outside } = client.driver
      const lock = createRwLock(client.context, 'r')
      while (!over) {
        const write = outside.random.below(3) === 0
        try {
          const held = await lock[write ? 'write' : 'read'].acquire({ waitMs: 3_000 })
          holding.set(index, { write, remainingMs: () => held.remainingMs() })
          if (write) writes++
          for (const [other, { write: otherWrites, remainingMs }] of holding)
            if (other !== index && (write || otherWrites) && held.remainingMs() > 0)
              assert.equal(remainingMs(), 0, `seed ${seed}: ${index} and ${other}`)
          await pause(outside, outside.random.below(400))
          await held.release()
        } catch (error) {
          if (!(error instanceof SynodError)) throw error
          await pause(outside, 50)
        } finally {
          holding.delete(index)
        }
      }
    }
    const work = at.clients.map((client, i) => {
      Object.assign(client.driver.way, { loseAnswer: 0.03, loseRequest: 0.03, late: 0.03, lateMs: 2_000 })
      return contend(client, i)
    })
    for (let i = 0; i < 8; i++) {
      const { driver } = at.clients[random.below(5)]!
      driver.cut()
      await at.advance(500 + random.below(2_500))
      driver.mend()
    }
    over = true
    await at.run(Promise.all(work))
    all += writes
  }
  assert(all > 40, `${all}`)
})

test('a semaphore gives so many permits and no more, each in a slot of its own, in order', async () => {
  for (const can of [{}, withoutRanges]) {
    const at = await LockWorld.open({ seed: 3, clients: 6, can, ttlMs: 30_000 })
    const semaphores = at.clients.map(({ context }) => createSemaphore(context, 's', 2))
    await at.run(at.clients[0]!.context.sessions.shared())
    const before = at.clients[0]!.driver.callsOf()
    const p0 = await at.run(semaphores[0]!.acquire())
    if (can === withoutRanges) assert(at.clients[0]!.driver.callsOf() - before < 10)
    else assert.equal(at.clients[0]!.driver.callsOf() - before, 2)
    const p1 = await at.run(semaphores[1]!.acquire())
    assert.deepEqual([p0.slot, p1.slot], [0, 1])
    assert.equal(await at.run(semaphores[2]!.tryAcquire()), undefined)
    const order: number[] = []
    const waiting: Promise<HeldPermit>[] = []
    for (const i of [2, 3, 4, 5]) {
      const wait = semaphores[i]!.acquire()
      void wait.then(() => order.push(i))
      waiting.push(wait)
      await at.advance(30)
    }
    await at.run(p1.release())
    const p2 = await at.run(waiting[0]!)
    assert.equal(p2.slot, 1)
    assert(p2.fencingToken > p1.fencingToken)
    await at.advance(300)
    assert.deepEqual(order, [2])
    await at.run(Promise.all([p0.release(), p2.release()]))
    const [p3, p4] = await at.run(Promise.all([waiting[1]!, waiting[2]!]))
    assert.deepEqual(new Set([p3.slot, p4.slot]), new Set([0, 1]))
    assert.deepEqual(order, [2, 3, 4])
    await at.run(p3.release())
    await at.run((await at.run(waiting[3]!)).release())
    await at.run(p4.release())
    await at.advance(100)
    assert.deepEqual(await at.keys(), ['synod/semaphores/s/permits'])
  }
})

test('a semaphore of another size is refused, and leaves nothing', async () => {
  const at = await LockWorld.open({ seed: 4, clients: 1 })
  const { context } = at.clients[0]!
  const held = await at.run(createSemaphore(context, 's', 2).acquire())
  await assert.rejects(at.run(createSemaphore(context, 's', 3).acquire()), { code: 'CONFLICT', retryable: false })
  await assert.rejects(at.run(createSemaphore(context, 's', 3).tryAcquire()), { code: 'CONFLICT' })
  await at.run(held.release())
  await at.advance(100)
  assert.deepEqual(await at.keys(), ['synod/semaphores/s/permits'])
  assert.throws(() => createSemaphore(context, 's', 0), { code: 'INVALID_ARGUMENT' })
})

test('a semaphore under faults: never more than the permits by the clock, and all come back', async () => {
  let grants = 0
  for (let seed = 1; seed <= 12; seed++) {
    const at = await LockWorld.open({ seed, clients: 6, ttlMs: 1_500, can: seed % 2 === 0 ? withoutRanges : {} })
    const { random } = at.simulation
    const held = new Map<number, HeldPermit>()
    const tokens = new Map<number, number>()
    let over = false
    const contend = async (client: Client, index: number): Promise<void> => {
      const { outside } = client.driver
      const semaphore = createSemaphore(client.context, 's', 2)
      while (!over) {
        try {
          const permit = await semaphore.acquire({ waitMs: 3_000 })
          grants++
          held.set(index, permit)
          const alive = [...held.values()].filter((one) => one.remainingMs() > 0)
          assert(alive.length <= 2, `seed ${seed}: ${alive.length} at once`)
          assert.equal(new Set(alive.map((one) => one.slot)).size, alive.length, `seed ${seed}: a slot twice`)
          if (permit.remainingMs() > 0) {
            assert((tokens.get(permit.slot) ?? 0) < permit.fencingToken, `seed ${seed}: a token went back`)
            tokens.set(permit.slot, permit.fencingToken)
          }
          await pause(outside, outside.random.below(500))
          await permit.release()
        } catch (error) {
          if (!(error instanceof SynodError)) throw error
          await pause(outside, 50)
        } finally {
          held.delete(index)
        }
      }
    }
    const work = at.clients.map((client, i) => {
      Object.assign(client.driver.way, { loseAnswer: 0.05, loseRequest: 0.05, late: 0.05, lateMs: 2_000 })
      return contend(client, i)
    })
    for (let i = 0; i < 6; i++) {
      const { driver } = at.clients[random.below(6)]!
      driver.cut()
      await at.advance(500 + random.below(2_500))
      driver.mend()
    }
    over = true
    await at.run(Promise.all(work))
    for (const { driver } of at.clients) Object.assign(driver.way, { loseAnswer: 0, loseRequest: 0, late: 0 })
    await at.advance(30_000)
    const left = (await at.keys()).filter((key) => /\/(queue|slots)\//.test(key))
    assert.deepEqual(left, [], `seed ${seed}`)
  }
  assert(grants > 100, `${grants}`)
})

test('a multi-lock is all or nothing, without circles, with one token a lock', async () => {
  const at = await LockWorld.open({ seed: 5, clients: 4, ttlMs: 30_000 })
  const contexts = at.clients.map(({ context }) => context)
  const both = await at.run(createMultiLock(contexts[0]!, ['b', 'a', 'b']).acquire())
  assert.deepEqual(
    both.locks.map((lock) => lock.name),
    ['a', 'b'],
  )
  assert.deepEqual(Object.keys(both.tokens), ['a', 'b'])
  assert.equal(both.tokens['a'], both.locks[0]!.fencingToken)
  both.assertHeld()
  assert(both.remainingMs() > 0)
  assert.equal(await at.run(createLock(contexts[1]!, 'b').tryAcquire()), undefined)
  assert.equal(await at.run(createMultiLock(contexts[1]!, ['0', 'b']).tryAcquire()), undefined)
  await assert.rejects(at.run(createMultiLock(contexts[1]!, ['0', 'b']).acquire({ waitMs: 300 })), { code: 'TIMEOUT' })
  await at.advance(100)
  assert.equal((await at.keys()).length, 2, 'what it had was let go')
  await at.run(both.release())
  assert(both.signal.aborted)
  assert.deepEqual(await at.keys(), [])
  let done = 0
  const circle = contexts.map((context, i) =>
    createMultiLock(context, [`n${i}`, `n${(i + 1) % 4}`]).run({}, async () => {
      await pause(context.driver.outside, 20)
      done++
    }),
  )
  await at.run(Promise.all(circle))
  assert.equal(done, 4)
})

test('lock-delay: after a holder that did not let go the lock stays taken; a release ends it at once', async () => {
  for (const can of [{}, withoutRanges]) {
    const at = await LockWorld.open({ seed: 6, clients: 3, can })
    const [a, b, c] = at.clients as [Client, Client, Client]
    const clean = await at.run(createLock(a.context, 'd', { lockDelayMs: 5_000 }).acquire())
    await at.run(clean.release())
    assert.deepEqual(await at.keys(), [])
    const held = await at.run(createLock(a.context, 'd', { lockDelayMs: 5_000 }).acquire())
    const waiting = createLock(b.context, 'd').acquire()
    await at.advance(100)
    a.driver.cut()
    await at.simulation.run({ until: () => held.signal.aborted })
    const lostAtMs = at.simulation.nowMs
    assert.equal(await settled(at, waiting, 4_900), undefined)
    assert.equal(await at.run(createLock(c.context, 'd').tryAcquire()), undefined)
    const next = await at.run(waiting)
    assert(at.simulation.nowMs - lostAtMs >= 5_000)
    await at.run(next.release())
    const after = await at.run(createLock(c.context, 'd', { lockDelayMs: 1_000 }).acquire({ waitMs: 200 }))
    assert(after.fencingToken > next.fencingToken)
    assert.throws(() => createLock(c.context, 'd', { lockDelayMs: 61_000 }), { code: 'INVALID_ARGUMENT' })
  }
})

test('lock-delay: who waits it out and is gone leaves it to the next one', async () => {
  const at = await LockWorld.open({ seed: 7, clients: 3 })
  const [a, b, c] = at.clients as [Client, Client, Client]
  const held = await at.run(createLock(a.context, 'd', { lockDelayMs: 3_000 }).acquire())
  await at.run((await at.run(a.context.sessions.shared())).close())
  assert(held.signal.aborted)
  const stop = new AbortController()
  const left = createLock(b.context, 'd')
    .acquire({ signal: stop.signal })
    .catch((error: SynodError) => error.code)
  await at.advance(2_000)
  stop.abort()
  assert.equal(await at.run(left), 'CANCELLED')
  const next = createLock(c.context, 'd').acquire()
  assert.equal(await settled(at, next, 2_900), undefined)
  await at.run(next)
})

test('a fence takes writes in the order of tokens', async () => {
  const plane = await memoryPlane()
  try {
    const { context } = plane
    const fence = createFence(context, 'ledger')
    await fence.check(1)
    const { revision } = await fence.put('row', 'one', 3)
    assert(revision > 0)
    await fence.put('row', 'two', 3)
    await fence.put('row', 'three', 7)
    await assert.rejects(fence.put('row', 'late', 6), { code: 'FENCED', outcome: 'not-applied', retryable: false })
    await assert.rejects(fence.check(6), { code: 'FENCED' })
    await assert.rejects(fence.delete('row', 6), { code: 'FENCED' })
    await fence.guard(9)
    await assert.rejects(fence.put('row', 'late', 7), { code: 'FENCED' })
    await assert.rejects(fence.guard(8), { code: 'FENCED' })
    await fence.guard(9)
    const { entry } = await context.driver.get('row')
    assert.equal(Buffer.from(entry!.value).toString(), 'three')
    await fence.delete(new Uint8Array([0x72, 0x6f, 0x77]), 9)
    assert.equal((await context.driver.get('row')).entry, undefined)
    await assert.rejects(fence.put('row', 'x', Number.NaN), { code: 'INVALID_ARGUMENT' })
    const tokens = Array.from({ length: 30 }, (_, i) => 10 + ((i * 7) % 30))
    const outcomes = await Promise.allSettled(tokens.map((token) => fence.put('row', String(token), token)))
    assert(outcomes.some((outcome) => outcome.status === 'fulfilled'))
    assert.equal(Buffer.from((await context.driver.get('row')).entry!.value).toString(), '39')
  } finally {
    await plane.close()
  }
})
