import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { Prng } from '../../base/index.ts'
import { prefixEnd } from '../context.ts'
import type { ChangeEvent, Operation } from '../driver/index.ts'
import { historyOf } from './history.ts'
import { embeddedForSuite, freshPrefix, memoryEngine, put, remove } from './testing/embedded.ts'
import { FlakyDriver } from './testing/flaky-driver.ts'

function shown(event: ChangeEvent): string {
  return event.type === 'delete'
    ? `${event.revision} ${event.key} deleted`
    : `${event.revision} ${event.entry.key} ${event.entry.version} ${Buffer.from(event.entry.value)}`
}

suite('a history watch', () => {
  const engine = embeddedForSuite()

  test('tells every revision once and in order, whatever ends its connections and however slow its consumer', async () => {
    const step = fc.record({
      keys: fc.uniqueArray(fc.nat(4), { minLength: 1, maxLength: 3 }),
      deletes: fc.boolean(),
      pause: fc.integer({ min: 0, max: 9 }),
    })
    const world = fc.record({
      steps: fc.array(step, { minLength: 1, maxLength: 40 }),
      seed: fc.nat().map(String),
      eventsMax: fc.integer({ min: 0, max: 6 }),
    })
    await fc.assert(
      fc.asyncProperty(world, async ({ steps, seed, eventsMax }) => {
        const { driver } = engine
        const prefix = freshPrefix()
        const range = { start: prefix, end: prefixEnd(prefix) }
        const flaky = new FlakyDriver(driver, { prng: new Prng(seed), endsOneIn: 3, readsFailOneIn: 4 })
        const from = (await driver.get(prefix)).revision + 1
        const feed = historyOf(flaky, range, from, { bufferedEventsMax: eventsMax })
        const expected: string[] = []
        const there = new Map<string, number>()
        const write = async (): Promise<void> => {
          for (const [n, { keys, deletes }] of steps.entries()) {
            const success = keys.map((k): Operation => {
              const key = `${prefix}${k}`
              return deletes ? { type: 'delete', key } : { type: 'put', key, value: Buffer.from(String(n)) }
            })
            const { revision } = await driver.transact({ compares: [], success })
            for (const { key } of success as { key: string }[]) {
              if (deletes && there.delete(key)) expected.push(`${revision} ${key} deleted`)
              if (deletes) continue
              there.set(key, (there.get(key) ?? 0) + 1)
              expected.push(`${revision} ${key} ${there.get(key)} ${n}`)
            }
          }
          await put(driver, `${prefix}~`, 'end')
        }
        const writing = write()
        const told: string[] = []
        let last = from - 1
        for await (const { events, revision } of feed) {
          assert.ok(revision >= last)
          for (const event of events) assert.ok(event.revision > last && event.revision <= revision)
          last = revision
          told.push(...events.map(shown))
          if (told.at(-1)?.includes('~')) break
          if (eventsMax % 2 === 0) await new Promise((resolve) => setImmediate(resolve))
        }
        await writing
        assert.deepEqual(told.slice(0, -1), expected)
        assert.equal(flaky.openWatches, 0)
      }),
      { numRuns: 60 },
    )
  })

  test('a slow consumer stops the watch, and gets everything all the same', async () => {
    const { driver } = engine
    const prefix = freshPrefix()
    const flaky = new FlakyDriver(driver, { prng: new Prng('1') })
    const range = { start: prefix, end: prefixEnd(prefix) }
    const from = await put(driver, `${prefix}a`, '0')
    const feed = historyOf(flaky, range, from, { bufferedBytesMax: 10_000 })
    assert.equal((await feed.next()).value?.events.length, 1)
    for (let n = 1; n <= 200; n++) await put(driver, `${prefix}a`, `${n}`.padEnd(1000))
    while (flaky.openWatches > 0) await new Promise((resolve) => setImmediate(resolve))
    const told: number[] = []
    while (told.at(-1) !== 200) {
      const { value } = await feed.next()
      for (const event of value!.events)
        told.push(Number(Buffer.from((event as { entry: { value: Uint8Array } }).entry.value)))
    }
    assert.deepEqual(
      told,
      Array.from({ length: 200 }, (_, n) => n + 1),
    )
    assert.ok(flaky.watchedFrom.length > 1, `begun anew ${flaky.watchedFrom.length} times`)
    await feed.return?.()
  })

  test('compaction ends it, after what was told, with the oldest revision', async () => {
    const { driver } = engine
    const prefix = freshPrefix()
    const flaky = new FlakyDriver(driver, { prng: new Prng('1') })
    const from = await put(driver, `${prefix}a`, '1')
    flaky.compactedBelow = from + 10
    const feed = historyOf(flaky, { start: prefix, end: prefixEnd(prefix) }, from)
    await assert.rejects(feed.next(), { code: 'COMPACTED', compactRevision: from + 10, outcome: 'not-applied' })
    assert.deepEqual(await feed.next(), { done: true, value: undefined })
  })

  test('from now: what comes after the read', async () => {
    const { driver } = engine
    const prefix = freshPrefix()
    await put(driver, `${prefix}a`, 'before')
    const flaky = new FlakyDriver(driver, { prng: new Prng('2'), readsFailOneIn: 2 })
    const feed = historyOf(flaky, { start: prefix, end: prefixEnd(prefix) }, 'now')
    const first = feed.next()
    while (flaky.watchedFrom.length === 0) await new Promise((resolve) => setImmediate(resolve))
    await put(driver, `${prefix}a`, 'after')
    assert.deepEqual(
      (await first).value?.events.map((e: ChangeEvent) => shown(e).split(' ').at(-1)),
      ['after'],
    )
    await feed.return?.()
  })

  test('ends at once by its signal, its deadline and by leaving, also while it waits', async () => {
    const { driver } = engine
    const prefix = freshPrefix()
    const range = { start: prefix, end: prefixEnd(prefix) }
    const abort = new AbortController()
    const cancelled = historyOf(driver, range, 'now', { signal: abort.signal })
    const waiting = assert.rejects(cancelled.next(), { code: 'CANCELLED' })
    abort.abort()
    await waiting
    assert.deepEqual(await cancelled.next(), { done: true, value: undefined })
    const already = historyOf(driver, range, 'now', { signal: abort.signal })
    await assert.rejects(already.next(), { code: 'CANCELLED' })
    const late = historyOf(driver, range, 'now', { deadlineMs: driver.outside.clock.monotonicMs() + 5 })
    await assert.rejects(late.next(), { code: 'TIMEOUT' })
    const left = historyOf(driver, range, 'now')
    const both = [left.next(), left.next()]
    await left.return?.()
    assert.deepEqual(await Promise.all(both), [
      { done: true, value: undefined },
      { done: true, value: undefined },
    ])
  })

  test('ends when the driver is closed', async () => {
    const driver = await memoryEngine()
    const feed = historyOf(driver, { start: 'a', end: 'b' }, 'now')
    await put(driver, 'a', '1')
    const waiting = assert.rejects(feed.next(), { code: 'CLOSED' })
    await driver.close()
    await waiting
  })

  test('an engine without history says so', () => {
    const flaky = new FlakyDriver(engine.driver, { prng: new Prng('1'), withoutHistory: true })
    assert.throws(() => historyOf(flaky, { start: 'a', end: 'b' }, 1), { code: 'NOT_SUPPORTED' })
  })

  test('deletions are told', async () => {
    const { driver } = engine
    const prefix = freshPrefix()
    const from = await put(driver, `${prefix}a`, '1')
    const gone = await remove(driver, `${prefix}a`)
    const told: string[] = []
    for await (const { events } of historyOf(driver, { start: prefix, end: prefixEnd(prefix) }, from)) {
      told.push(...events.map(shown))
      if (told.length === 2) break
    }
    assert.deepEqual(told, [`${from} ${prefix}a 1 1`, `${gone} ${prefix}a deleted`])
  })
})
