import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { Prng } from '../../base/index.ts'
import { awaitGone } from './await-gone.ts'
import { embeddedForSuite, freshPrefix, memoryEngine, put, remove } from './testing/embedded.ts'
import { FlakyDriver } from './testing/flaky-driver.ts'

suite('waiting until a key is gone', () => {
  const engine = embeddedForSuite()

  test('resolves when it goes, whatever ends the connections, and not before', async () => {
    const world = fc.record({
      seed: fc.nat().map(String),
      puts: fc.nat(5),
      remade: fc.boolean(),
      withoutHistory: fc.boolean(),
      seen: fc.boolean(),
      compacted: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(world, async ({ seed, puts, remade, withoutHistory, seen, compacted }) => {
        const { driver } = engine
        const key = `${freshPrefix()}k`
        const made = await put(driver, key, '0')
        const prng = new Prng(seed)
        const flaky = new FlakyDriver(driver, { prng, endsOneIn: 3, readsFailOneIn: 3, withoutHistory })
        if (compacted) flaky.compactedBelow = made + 2
        let gone = false
        const wait = awaitGone(flaky, key, made, { seenAtRevision: seen ? made : undefined }).then(() =>
          assert.ok(gone),
        )
        for (let n = 0; n < puts; n++) await put(driver, key, String(n))
        gone = true
        await remove(driver, key)
        if (remade) await put(driver, key, 'again')
        await wait
        assert.equal(flaky.openWatches, 0)
      }),
      { numRuns: 100 },
    )
  })

  test('another one in its place counts as gone', async () => {
    const { driver } = engine
    const key = `${freshPrefix()}k`
    const made = await put(driver, key, '0')
    await remove(driver, key)
    await put(driver, key, '1')
    await awaitGone(driver, key, made)
    await awaitGone(driver, `${key}never`, made)
  })

  test('one read and one watch, or none when it was just seen', async () => {
    const { driver } = engine
    const key = `${freshPrefix()}k`
    const made = await put(driver, key, '0')
    const counted = new FlakyDriver(driver, { prng: new Prng('1') })
    const waits = [awaitGone(counted, key, made), awaitGone(counted, key, made, { seenAtRevision: made })]
    while (counted.openWatches < 2) await new Promise((resolve) => setImmediate(resolve))
    for (let n = 0; n < 10; n++) await put(driver, key, String(n))
    await remove(driver, key)
    await Promise.all(waits)
    assert.deepEqual([counted.gets, counted.lists, counted.watchedFrom.length], [1, 0, 2])
  })

  test('ends by its signal, its deadline and the end of the driver', async () => {
    const { driver } = engine
    const key = `${freshPrefix()}k`
    const made = await put(driver, key, '0')
    const abort = new AbortController()
    const cancelled = assert.rejects(awaitGone(driver, key, made, { signal: abort.signal }), { code: 'CANCELLED' })
    setImmediate(() => abort.abort())
    await cancelled
    const deadlineMs = driver.outside.clock.monotonicMs() + 10
    await assert.rejects(awaitGone(driver, key, made, { deadlineMs }), { code: 'TIMEOUT' })
    const other = await memoryEngine()
    const there = await put(other, key, '0')
    const closed = assert.rejects(awaitGone(other, key, there, { seenAtRevision: there }), { code: 'CLOSED' })
    await other.close()
    await closed
  })
})
