import assert from 'node:assert/strict'
import { failsWith, PromiseList } from './ground.ts'

const list = new PromiseList('Calls')
export const callPromises = list.promises

list.onEvery('a signal that has fired ends a call before anything is done', async (ground) => {
  const { plane } = ground
  const signal = AbortSignal.abort()
  const name = ground.name()
  await assert.rejects(plane.counter(name).increment({ signal }), failsWith('CANCELLED', 'not-applied'))
  await assert.rejects(plane.lock(name).acquire({ signal }), failsWith('CANCELLED', 'not-applied'))
  await assert.rejects(plane.semaphore(name, 2).acquire({ signal }), failsWith('CANCELLED', 'not-applied'))
  assert.equal(await plane.counter(name).get(), 0)
  const held = await plane.lock(name).tryAcquire()
  assert.ok(held !== undefined)
  await held.release()
})

list.onEvery('times and names that cannot be are refused at once', async (ground) => {
  const { plane } = ground
  await assert.rejects(plane.counter(ground.name()).get({ timeoutMs: -1 }), failsWith('INVALID_ARGUMENT'))
  await assert.rejects(plane.lock(ground.name()).acquire({ waitMs: -1 }), failsWith('INVALID_ARGUMENT'))
  for (const use of [
    async () => plane.lock('').acquire(),
    async () => plane.counter('').increment(),
    async () => plane.counter('x'.repeat(600)).increment(),
    async () => plane.semaphore(ground.name(), 0).acquire(),
  ])
    await assert.rejects(use, failsWith('INVALID_ARGUMENT', 'not-applied'))
})

list.onEvery('names share nothing, whatever is in them', async (ground) => {
  const { plane } = ground
  const names = ['a', 'a/b', 'a%2Fb', 'a/', '/a', 'ä', 'a b', '%'].map((name) => ground.name(name))
  await Promise.all(names.map((name, i) => plane.counter(name).add(i + 1)))
  assert.deepEqual(
    await Promise.all(names.map((name) => plane.counter(name).get())),
    names.map((_, i) => i + 1),
  )
  const held = await Promise.all(names.map((name) => plane.lock(name).acquire({ waitMs: 10_000 })))
  await Promise.all(held.map((each) => each.release()))
})

list.onEvery(
  'after the connection is closed, calls say so, and what it held is free',
  async (ground) => {
    const connection = await ground.anotherConnection()
    const name = ground.name()
    const held = await connection.lock(name).acquire()
    await connection.close()
    await connection.close()
    assert.equal(held.signal.aborted, true)
    await assert.rejects(connection.counter(name).increment(), failsWith('CLOSED', 'not-applied'))
    const next = await ground.plane.lock(name).acquire({ waitMs: 10_000 })
    assert.ok(next.fencingToken > held.fencingToken)
    await next.release()
  },
  'programs',
)
