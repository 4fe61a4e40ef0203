import assert from 'node:assert/strict'
import { test } from 'node:test'
import { utf8Bytes } from '../../base/index.ts'
import { SynodError } from '../errors.ts'
import { createLock, type HeldLock, tokenBytes, tokenFloorKey } from './index.ts'
import { type Client, LockWorld } from './testing/lock-world.ts'

const withoutRanges = { rangeInTransaction: false, history: false }

function lockOf(client: Client, name = 'x') {
  return createLock(client.context, name)
}

const code = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'none',
    (error: unknown) => (error instanceof SynodError ? error.code : String(error)),
  )

test('uncontended, it is granted in one round trip, and a release leaves nothing', async () => {
  const at = await LockWorld.open({ seed: 1, clients: 1 })
  const client = at.clients[0]!
  await at.run(client.context.sessions.shared())
  const before = client.driver.callsOf()
  const held = await at.run(lockOf(client).acquire())
  assert.equal(client.driver.callsOf() - before, 1)
  held.assertHeld()
  assert(held.remainingMs() > 1_000)
  assert.equal((await at.keys()).length, 1)
  await at.run(held.release())
  assert.deepEqual(await at.keys(), [])
  assert.equal(held.remainingMs(), 0)
  assert.throws(() => held.assertHeld(), { code: 'LOCK_LOST' })
  assert(held.signal.aborted)
  await at.run(held.release())
})

test('grants are in the order of the requests, with rising tokens', async () => {
  for (const can of [{}, withoutRanges]) {
    const at = await LockWorld.open({ seed: 2, clients: 8, can })
    const order: number[] = []
    const tokens: number[] = []
    const first = await at.run(lockOf(at.clients[0]!).acquire())
    const work: Promise<void>[] = []
    for (const [i, client] of at.clients.entries()) {
      work.push(
        lockOf(client).run({}, async (held) => {
          order.push(i)
          tokens.push(held.fencingToken)
        }),
      )
      await at.advance(20)
    }
    await at.run(first.release())
    await at.run(Promise.all(work))
    assert.deepEqual(order, [0, 1, 2, 3, 4, 5, 6, 7])
    assert.deepEqual(
      tokens,
      [...tokens].sort((a, b) => a - b),
    )
    assert(tokens[0]! > first.fencingToken)
    await at.advance(50)
    assert.deepEqual(await at.keys(), [])
  }
})

test('no herd: a release costs as much with 20 waiters as with one', async () => {
  const costs: number[] = []
  for (const waiters of [1, 20]) {
    const at = await LockWorld.open({ seed: 3, clients: waiters + 1, ttlMs: 60_000 })
    const held = await at.run(lockOf(at.clients[0]!).acquire())
    let granted = 0
    for (const client of at.clients.slice(1)) {
      void lockOf(client)
        .acquire()
        .then(() => granted++)
    }
    await at.advance(1_000)
    const calls = (): number => at.clients.reduce((sum, client) => sum + client.driver.callsOf(), 0)
    const before = calls()
    await at.run(held.release())
    await at.advance(300)
    assert.equal(granted, 1)
    costs.push(calls() - before)
  }
  assert.deepEqual(costs, [2, 2])
})

test('tries and timed waits that fail leave no key, and say so', async () => {
  const at = await LockWorld.open({ seed: 4, clients: 2 })
  const [a, b] = at.clients as [Client, Client]
  const held = await at.run(lockOf(a).acquire())
  assert.equal(await at.run(lockOf(b).tryAcquire()), undefined)
  assert.equal((await at.keys()).length, 1)
  const beganMs = at.simulation.nowMs
  await assert.rejects(at.run(lockOf(b).acquire({ waitMs: 700 })), { code: 'TIMEOUT', outcome: 'not-applied' })
  assert(at.simulation.nowMs - beganMs >= 700 && at.simulation.nowMs - beganMs < 720)
  await assert.rejects(at.run(lockOf(b).acquire({ waitMs: 0 })), { code: 'TIMEOUT' })
  const stop = new AbortController()
  const waiting = code(lockOf(b).acquire({ signal: stop.signal }))
  await at.advance(100)
  stop.abort()
  assert.equal(await at.run(waiting), 'CANCELLED')
  await assert.rejects(at.run(lockOf(b).acquire({ waitMs: -1 })), { code: 'INVALID_ARGUMENT' })
  await at.advance(100)
  assert.equal((await at.keys()).length, 1)
  held.assertHeld()
  await at.run(held.release())
  assert((await at.run(lockOf(b).tryAcquire())) !== undefined)
})

test('a waiter that gives up from the middle lets nobody pass who is not first', async () => {
  const at = await LockWorld.open({ seed: 5, clients: 3 })
  const [a, b, c] = at.clients as [Client, Client, Client]
  const held = await at.run(lockOf(a).acquire())
  const stop = new AbortController()
  const middle = code(lockOf(b).acquire({ signal: stop.signal }))
  await at.advance(50)
  let last: HeldLock | undefined
  void lockOf(c)
    .acquire()
    .then((granted) => {
      last = granted
    })
  await at.advance(50)
  stop.abort()
  await at.run(middle)
  await at.advance(200)
  assert.equal(last, undefined)
  await at.run(held.release())
  await at.advance(100)
  assert(last!.fencingToken > held.fencingToken)
})

test('a session that ends takes its locks along: the holder hears of it, the next one gets it', async () => {
  const at = await LockWorld.open({ seed: 6, clients: 2 })
  const [a, b] = at.clients as [Client, Client]
  const held = await at.run(lockOf(a).acquire())
  const next = lockOf(b).acquire()
  await at.advance(100)
  a.driver.cut()
  const granted = await at.run(next)
  assert(held.signal.aborted, 'the holder knew before the next one was told')
  assert.equal((held.signal.reason as SynodError).code, 'LOCK_LOST')
  assert(granted.fencingToken > held.fencingToken)
  await at.run(held.release())
})

test('a key that somebody deletes is noticed by its holder', async () => {
  const at = await LockWorld.open({ seed: 7, clients: 1 })
  const held = await at.run(lockOf(at.clients[0]!).acquire())
  await at.advance(1_000)
  const key = (await at.keys())[0]!
  await at.run(at.engine.transact({ compares: [], success: [{ type: 'delete', key }] }))
  await at.advance(50)
  assert(held.signal.aborted)
  assert.throws(() => held.assertHeld(), { code: 'LOCK_LOST' })
})

test('a session that ends while waiting rejects the wait', async () => {
  const at = await LockWorld.open({ seed: 8, clients: 2 })
  const [a, b] = at.clients as [Client, Client]
  await at.run(lockOf(a).acquire())
  const waiting = code(lockOf(b).acquire())
  await at.advance(100)
  b.driver.cut()
  assert.equal(await at.run(waiting), 'SESSION_LOST')
})

test('run lets go in any case, and tells of a loss', async () => {
  const at = await LockWorld.open({ seed: 9, clients: 1 })
  const client = at.clients[0]!
  assert.equal(await at.run(lockOf(client).run({}, () => 5)), 5)
  const broken = lockOf(client).run({}, () => {
    throw new Error('mine')
  })
  await assert.rejects(at.run(broken), /mine/)
  assert.deepEqual(await at.keys(), [])
  const session = await at.run(client.context.sessions.open())
  const lost = lockOf(client).run({ session }, () => session.close())
  await assert.rejects(at.run(lost), { code: 'LOCK_LOST', outcome: 'unknown' })
})

test('an answer that was lost is found out; a request that comes late takes nothing', async () => {
  for (let seed = 1; seed <= 30; seed++) {
    const at = await LockWorld.open({ seed, clients: 1, ttlMs: 60_000, can: seed % 3 === 0 ? withoutRanges : {} })
    const client = at.clients[0]!
    await at.run(client.context.sessions.shared())
    const { way } = client.driver
    way.loseAnswer = 0.25
    way.loseRequest = 0.1
    way.late = 0.5
    way.lateMs = 5_000
    const held = await at.run(lockOf(client).acquire())
    held.assertHeld()
    await at.run(held.release())
    way.loseAnswer = 0
    way.loseRequest = 0
    way.late = 0
    const gone = (await at.keys()).filter((key) => key.includes('/queue/'))
    assert.deepEqual(gone, [], `seed ${seed}: released`)
    await at.advance(10_000)
    const left = (await at.keys()).filter((key) => key.includes('/queue/'))
    assert.deepEqual(left, [], `seed ${seed}: and nothing came back`)
    assert((await at.run(lockOf(client).tryAcquire())) !== undefined)
  }
})

test('a request that was given up takes nothing, whenever it arrives', async () => {
  for (let seed = 1; seed <= 30; seed++) {
    const at = await LockWorld.open({ seed, clients: 1, ttlMs: 60_000 })
    const client = at.clients[0]!
    await at.run(client.context.sessions.shared())
    const { way } = client.driver
    way.late = 0.7
    way.lateMs = 3_000
    const stop = new AbortController()
    const waiting = code(lockOf(client).acquire({ signal: stop.signal }))
    await at.advance(seed * 50)
    stop.abort()
    await at.run(waiting)
    way.late = 0
    await at.advance(20_000)
    const left = (await at.keys()).filter((key) => key.includes('/queue/'))
    // Granted before the signal fired: then the caller holds it.
    assert.equal(left.length, (await waiting) === 'none' ? 1 : 0, `seed ${seed}`)
  }
})

test('tokens stand on the floor that a copy left', async () => {
  const at = await LockWorld.open({ seed: 10, clients: 2 })
  const [a, b] = at.clients as [Client, Client]
  const held = await at.run(lockOf(a).acquire())
  assert(held.fencingToken < 1_000)
  const next = lockOf(b).acquire()
  await at.advance(100)
  const floor = { type: 'put', key: tokenFloorKey(a.context), value: tokenBytes(1_000_000) } as const
  await at.run(at.engine.transact({ compares: [], success: [floor] }))
  await at.run(held.release())
  assert((await at.run(next)).fencingToken > 1_000_000)
  const broken = { ...floor, value: utf8Bytes('x') }
  await at.run(at.engine.transact({ compares: [], success: [broken] }))
  await assert.rejects(at.run(lockOf(a, 'y').acquire()), { code: 'CORRUPT' })
})

test('a session uses a name again once it is clean, so that a busy lock stays quick, and never two at once', async () => {
  const at = await LockWorld.open({ seed: 11, clients: 1, ttlMs: 60_000 })
  const client = at.clients[0]!
  const names = new Set<string>()
  const note = async (): Promise<void> => {
    for (const key of await at.keys()) names.add(key)
  }
  for (let i = 0; i < 10; i++) {
    const held = await at.run(lockOf(client).acquire())
    assert.equal(await at.run(lockOf(client).tryAcquire()), undefined)
    await note()
    await at.run(held.release())
    await at.run(held.release())
  }
  assert.equal(names.size, 1)
  const [a, b] = await at.run(Promise.all([lockOf(client, 'a').acquire(), lockOf(client, 'b').acquire()]))
  const parts = (await at.keys()).map((key) => key.split('/').at(-1))
  assert.equal(new Set(parts).size, 2)
  await at.run(Promise.all([a.release(), b.release()]))
  client.driver.way.late = 1
  client.driver.way.lateMs = 4_000
  const held = await at.run(lockOf(client, 'a').acquire())
  client.driver.way.late = 0
  await at.run(held.release())
  await note()
  const marked = (await at.keys()).filter((key) => key.includes('/left/')).map((key) => key.split('/').at(-1))
  assert(marked.length > 0, 'the place was made by an attempt after one whose fate was open')
  for (let i = 0; i < 4; i++) {
    const next = await at.run(lockOf(client, 'a').acquire())
    for (const key of await at.keys()) if (key.includes('/queue/')) assert(!marked.includes(key.split('/').at(-1)))
    await at.run(next.release())
  }
})
