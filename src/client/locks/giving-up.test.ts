/** What a request that comes to nothing leaves behind: nothing. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SynodError } from '../errors.ts'
import { createLock, createMultiLock } from './index.ts'
import { LockWorld } from './testing/lock-world.ts'

test('a multi-lock that lost one of its locks while it waited for the next keeps none', async () => {
  const at = await LockWorld.open({ seed: 41, clients: 2, ttlMs: 30_000 })
  const [one, two] = at.clients.map(({ context }) => context)
  const blocker = await at.run(createLock(one!, 'b').acquire())
  const acquiring = createMultiLock(two!, ['a', 'b']).acquire()
  const refused = assert.rejects(acquiring, { code: 'LOCK_LOST' })
  await at.advance(1_000)
  const [ofA] = (await at.keys()).filter((key) => key.startsWith('synod/locks/a/queue/'))
  await at.run(at.engine.transact({ compares: [], success: [{ type: 'delete', key: ofA! }] }))
  await at.advance(1_000)
  await at.run(blocker.release())
  await at.run(refused)
  await at.advance(1_000)
  assert.deepEqual(
    (await at.keys()).filter((key) => key.startsWith('synod/locks/')),
    [],
  )
})

test('a lock-delay that was not acquired after all delays nobody', async () => {
  const at = await LockWorld.open({ seed: 42, clients: 2, ttlMs: 30_000 })
  const [one, two] = at.clients
  const stop = new AbortController()
  const lock = createLock(one!.context, 'a', { lockDelayMs: 60_000 })
  const { driver } = one!
  const real = driver.transact.bind(driver)
  driver.transact = async (transaction, options) => {
    const result = await real(transaction, options)
    const {
      success: [step],
    } = transaction
    if (step?.type === 'put' && step.key === 'synod/locks/a/holder') {
      stop.abort()
      throw new SynodError('CANCELLED', 'cancelled on its way back', { outcome: 'unknown' })
    }
    return result
  }
  await at.run(assert.rejects(lock.acquire({ signal: stop.signal }), { code: 'CANCELLED' }))
  await at.advance(1000)
  const held = await at.run(createLock(two!.context, 'a').acquire({ waitMs: 5_000 }))
  await at.run(held.release())
})
