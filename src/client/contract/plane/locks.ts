import assert from 'node:assert/strict'
import { failsWith, PromiseList, throwsWith, upTo } from './ground.ts'

const list = new PromiseList('Locks')
export const lockPromises = list.promises

list.onEvery('one holds it at a time, and every grant has a greater token than all before', async (ground) => {
  const programs = await ground.programs(3)
  const name = ground.name()
  let holders = 0
  const tokens: number[] = []
  await Promise.all(
    upTo(6).map(async (worker) => {
      for (const _ of upTo(4))
        await programs[worker % 3]!.lock(name).run({ waitMs: 20_000 }, async (held) => {
          assert.equal(++holders, 1)
          held.assertHeld()
          assert.ok(held.remainingMs() > 0)
          tokens.push(held.fencingToken)
          await ground.pause(1)
          holders--
        })
    }),
  )
  assert.equal(tokens.length, 24)
  for (const [i, token] of tokens.entries()) if (i > 0) assert.ok(token > tokens[i - 1]!, `${tokens}`)
})

list.onEvery('who only tries gets it when it is free, and does not wait when it is not', async (ground) => {
  const [first, second] = await ground.programs(2)
  const name = ground.name()
  const held = await first!.lock(name).tryAcquire()
  assert.ok(held !== undefined)
  assert.ok((await second!.lock(name).tryAcquire()) === undefined, 'it is not free')
  await held.release()
  let next = await second!.lock(name).tryAcquire()
  await ground.until('it is free', async () => (next ??= await second!.lock(name).tryAcquire()) !== undefined)
  assert.ok(next!.fencingToken > held.fencingToken)
  await next!.release()
})

list.onEvery('who gives up waiting, by time or by signal, leaves nothing behind', async (ground) => {
  const [first, second] = await ground.programs(2)
  const name = ground.name()
  const held = await first!.lock(name).acquire()
  await assert.rejects(second!.lock(name).acquire({ waitMs: 30 }), failsWith('TIMEOUT', 'not-applied'))
  const giving = new AbortController()
  const waiting = second!.lock(name).acquire({ signal: giving.signal })
  giving.abort()
  await assert.rejects(waiting, failsWith('CANCELLED', 'not-applied'))
  held.assertHeld()
  await held.release()
  const next = await first!.lock(name).acquire({ waitMs: 10_000 })
  await next.release()
})

list.onEvery('a release is told at once to whoever asks the handle, and may be repeated', async (ground) => {
  const held = await ground.plane.lock(ground.name()).acquire()
  assert.equal(held.signal.aborted, false)
  await held.release()
  await held.release()
  assert.equal(held.signal.aborted, true)
  assert.equal(held.remainingMs(), 0)
  assert.throws(() => held.assertHeld(), throwsWith('LOCK_LOST'))
})

list.onEvery('work that throws lets go', async (ground) => {
  const [first, second] = await ground.programs(2)
  const name = ground.name()
  await assert.rejects(
    first!.lock(name).run({}, () => Promise.reject(new Error('mine'))),
    /mine/,
  )
  assert.equal(await second!.lock(name).run({ waitMs: 10_000 }, () => 'held'), 'held')
})

list.onEvery('waiters are granted in the order in which they came, and nothing stays behind', async (ground) => {
  const programs = await ground.programs(3)
  const name = ground.name()
  const held = await programs[0]!.lock(name).acquire()
  const order: number[] = []
  const waiting: Promise<void>[] = []
  for (const i of upTo(6)) {
    const before = await ground.inLine(name)
    waiting.push(
      programs[i % 3]!.lock(name).run({ waitMs: 20_000 }, () => {
        order.push(i)
      }),
    )
    await ground.until('it stands in line', async () => (await ground.inLine(name)) > before)
  }
  await held.release()
  await Promise.all(waiting)
  assert.deepEqual(order, upTo(6))
  await ground.until('nothing stays behind', async () => (await ground.inLine(name)) === 0)
})

list.onEvery(
  'what a closed connection held passes on, after the lock delay that it asked for',
  async (ground) => {
    const [name, delayed] = [ground.name('plain'), ground.name('delayed')]
    const connection = await ground.anotherConnection()
    const held = await connection.lock(name).acquire()
    const beforeDelay = await connection.lock(delayed, { lockDelayMs: 700 }).acquire()
    const afterDelay = ground.plane.lock(delayed).acquire({ waitMs: 20_000 })
    const closingMs = ground.nowMs
    await connection.close()
    assert.equal(held.signal.aborted, true)
    const next = await ground.plane.lock(name).acquire({ waitMs: 20_000 })
    assert.ok(next.fencingToken > held.fencingToken)
    const late = await afterDelay
    assert.ok(ground.nowMs - closingMs >= 690, 'not before the delay is over')
    assert.ok(late.fencingToken > beforeDelay.fencingToken)
    await Promise.all([next.release(), late.release()])
  },
  'programs',
)

list.onCoordination('it is free when the holder’s session ends, and the holder knows', async (ground) => {
  const [first, second] = await ground.programs(2)
  const name = ground.name()
  const session = await ground.session(first!)
  const held = await first!.lock(name, { session }).acquire()
  const waiting = second!.lock(name).acquire({ waitMs: 20_000 })
  await session.close()
  assert.equal(held.signal.aborted, true)
  assert.throws(() => held.assertHeld(), throwsWith('LOCK_LOST'))
  const next = await waiting
  assert.ok(next.fencingToken > held.fencingToken)
  await next.release()
})

list.onCoordination('with a lock delay it stays taken for a time after a session that ended', async (ground) => {
  const [first, second] = await ground.programs(2)
  const name = ground.name()
  const session = await ground.session(first!)
  const delayed = { lockDelayMs: 1_000 }
  const held = await first!.lock(name, { ...delayed, session }).acquire()
  await session.close()
  const closedMs = ground.nowMs
  assert.ok((await second!.lock(name, delayed).tryAcquire()) === undefined, 'it is not free')
  const next = await second!.lock(name, delayed).acquire({ waitMs: 20_000 })
  assert.ok(ground.nowMs - closedMs >= 900, 'not before the delay is over')
  assert.ok(next.fencingToken > held.fencingToken)
  await next.release()
  const soon = await first!.lock(name, delayed).acquire({ waitMs: 10_000 })
  await soon.release()
})
