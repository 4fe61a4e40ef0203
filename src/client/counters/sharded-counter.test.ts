import assert from 'node:assert/strict'
import { test } from 'node:test'
import { manyFaults } from '../once/testing/faulty-driver.ts'
import { planeWorld } from '../once/testing/plane-world.ts'
import { createCounter, createShardedCounter } from './index.ts'

test('the shards sum up to what was added, also of handles with other numbers of shards', async () => {
  for (let seed = 0; seed < 10; seed++) {
    const world = await planeWorld({ seed: `shards-${seed}`, clients: 4, faults: manyFaults, ttlMs: 60_000 })
    const shards = [1, 4, 16, 100]
    const counters = world.clients.map(({ context }, index) =>
      createShardedCounter(context, 'views', { shards: shards[index] }),
    )
    const limits = { timeoutMs: 120_000 }
    const add = async (index: number): Promise<void> => {
      for (let n = 1; n <= 20; n++) await counters[index]!.add(n % 5 === 0 ? -n : n, limits)
    }
    await world.run(Promise.all(counters.map((_, index) => add(index))))
    const sum = 4 * (210 - 2 * (5 + 10 + 15 + 20))
    for (const driver of [world.engine, withoutRevisions(world.engine)]) {
      const counter = createShardedCounter({ ...world.direct, driver }, 'views')
      assert.equal(await world.run(counter.get()), sum)
    }
    assert.equal(await world.run(createCounter(world.direct, 'views').get()), 0, 'a plain counter is another')
    await world.close()
  }
})

/** As on an engine whose lists are not of one moment. */
function withoutRevisions(driver: Parameters<typeof createCounter>[0]['driver']): typeof driver {
  return {
    ...driver,
    can: { ...driver.can, atRevision: false },
    list: (range, options) => driver.list(range, options),
    transact: (transaction, options) => driver.transact(transaction, options),
  }
}

test('what is no number of shards is refused', async () => {
  const world = await planeWorld({ seed: 'refused', clients: 0 })
  for (const shards of [0, 101, 1.5])
    assert.throws(() => createShardedCounter(world.direct, 'views', { shards }), { code: 'INVALID_ARGUMENT' })
  assert.equal(await world.run(createShardedCounter(world.direct, 'views').get()), 0)
  await world.close()
})
