import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { Prng } from '../../base/index.ts'
import { SynodError } from '../errors.ts'
import { createKv } from '../kv/index.ts'
import { leastDriver, planeOn } from '../kv/testing/plane.ts'
import { manyFaults } from '../once/testing/faulty-driver.ts'
import { planeWorld } from '../once/testing/plane-world.ts'
import { embeddedForSuite, freshPrefix } from '../watching/testing/embedded.ts'
import { FlakyDriver } from '../watching/testing/flaky-driver.ts'
import { createVersioned, type HistoryItem } from './index.ts'

function shown(item: HistoryItem): string {
  return item.deleted ? `${item.revision} deleted` : `${item.revision} ${item.version} ${item.text()}`
}

suite('versioned data', () => {
  const engine = embeddedForSuite()

  test('is written only if it is as it was seen', async () => {
    const context = planeOn(engine.driver, freshPrefix())
    const accounts = createVersioned(context, 'accounts/')
    assert.equal(await accounts.read('7'), undefined)
    const first = await accounts.write('7', 'a', { ifVersion: 0 })
    assert.equal(first.version, 1)
    const second = await accounts.write('7', 'b', { ifVersion: 1 })
    assert.deepEqual([second.version, second.revision > first.revision], [2, true])
    await assert.rejects(accounts.write('7', 'c', { ifVersion: 1 }), (error: Error) => {
      assert.ok(error instanceof SynodError && 'current' in error)
      assert.deepEqual([error.code, error.outcome, error.retryable], ['CONFLICT', 'not-applied', false])
      const { current } = error as { current?: { text(): string; version: number } }
      return current?.text() === 'b' && current.version === 2
    })
    await assert.rejects(accounts.write('7', 'c', { ifVersion: 0 }), { code: 'CONFLICT' })
    await assert.rejects(accounts.write('8', 'c', { ifVersion: 3 }), { code: 'CONFLICT', current: undefined })
    await assert.rejects(accounts.write('8', 'c', { ifVersion: -1 }), { code: 'INVALID_ARGUMENT' })
    await assert.rejects(accounts.write('8', 'c', {} as never), { code: 'INVALID_ARGUMENT' })
    assert.equal((await createKv(context).get('accounts/7'))?.text(), 'b')
  })

  test('a revision tells apart what a version does not', async () => {
    const data = createVersioned(planeOn(engine.driver, freshPrefix()))
    const { revision } = await data.write('a', '1', { ifVersion: 0 })
    await data.remove('a', { ifVersion: 1 })
    await data.write('a', '2', { ifVersion: 0 })
    await assert.rejects(data.write('a', '3', { ifRevision: revision }), { code: 'CONFLICT' })
    await assert.rejects(data.remove('a', { ifRevision: revision }), { code: 'CONFLICT' })
    assert.equal((await data.write('a', '3', { ifVersion: 1 })).version, 2)
  })

  test('history: what a key has been, the newest first, as a naive record says', async () => {
    const steps = fc.array(fc.constantFrom('put', 'delete', 'other'), { minLength: 1, maxLength: 25 })
    const limits = fc.option(fc.integer({ min: 1, max: 12 }), { nil: undefined })
    await fc.assert(
      fc.asyncProperty(steps, limits, fc.boolean(), fc.nat(), async (writes, limit, isCompacted, seed) => {
        const { driver } = engine
        const flaky = new FlakyDriver(driver, { prng: new Prng(String(seed)), endsOneIn: 3 })
        const prefix = freshPrefix()
        const kv = createKv(planeOn(driver, prefix))
        const expected: string[] = []
        let version = 0
        const record = async (step: string, value: string): Promise<void> => {
          if (step === 'other') await kv.put('b', value)
          else if (step === 'put') expected.push(`${(await kv.put('a', value)).revision} ${++version} ${value}`)
          else {
            const { deleted, revision } = await kv.delete('a')
            if (deleted) expected.push(`${revision} deleted`)
            version = 0
          }
        }
        for (const [n, step] of writes.entries()) await record(step, String(n))
        await record('put', 'last')
        const items = (): AsyncIterable<HistoryItem> => createVersioned(planeOn(flaky, prefix)).history('a', { limit })
        const first = Number(expected[0]!.split(' ')[0])
        flaky.compactedBelow = isCompacted ? first : 0
        const found: string[] = []
        for await (const item of items()) found.push(shown(item))
        assert.deepEqual(found, expected.reverse().slice(0, limit))
      }),
      { numRuns: 40 },
    )
  })

  test('an engine without history has none', () => {
    const data = createVersioned(planeOn(leastDriver(engine.driver)))
    assert.throws(() => data.history('a'), { code: 'NOT_SUPPORTED' })
  })

  test('update runs until nobody was faster, and leaves alone what it is told to', async () => {
    const data = createVersioned(planeOn(engine.driver, freshPrefix()))
    const slowly = async (text: string): Promise<string> => {
      await new Promise((resolve) => setImmediate(resolve))
      return text
    }
    const increments = Array.from({ length: 20 }, () =>
      data.update('n', (seen) => slowly(String(Number(seen?.text() ?? 0) + 1))),
    )
    const results = (await Promise.all(increments)).map((stored) => Number(stored?.text()))
    assert.deepEqual(
      results.sort((a, b) => a - b),
      Array.from({ length: 20 }, (_, n) => n + 1),
    )
    assert.equal((await data.update('n', () => undefined))?.text(), '20')
    assert.equal((await data.read('n'))?.version, 20)
    await assert.rejects(
      data.update('n', () => {
        throw new RangeError('no')
      }),
      RangeError,
    )
  })

  test('an update is applied once, whatever happens to requests and answers', async () => {
    for (const seed of ['a', 'b', 'c', 'd', 'e', 'f']) {
      const world = await planeWorld({ seed: `versioned/${seed}`, clients: 3, faults: manyFaults })
      try {
        let applied = 0
        let unknown = 0
        const each = async (index: number): Promise<void> => {
          const data = createVersioned(world.clients[index]!.context)
          for (let n = 0; n < 15; n++) {
            try {
              await data.update('n', async (seen) => String(Number(seen?.text() ?? 0) + 1))
              applied++
            } catch (error) {
              assert.ok(error instanceof SynodError, String(error))
              if (error.outcome === 'unknown') unknown++
            }
          }
        }
        await world.run(Promise.all([each(0), each(1), each(2)]))
        const stored = await world.run(createVersioned(world.direct).read('n'))
        const total = Number(stored?.text())
        assert.ok(total >= applied && total <= applied + unknown, `${applied} to ${applied + unknown}, not ${total}`)
        assert.ok(applied >= 30, `${applied} of 45`)
      } finally {
        await world.close()
      }
    }
  })
})
