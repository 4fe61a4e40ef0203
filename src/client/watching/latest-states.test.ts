import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { Prng } from '../../base/index.ts'
import { createNodeRuntime } from '../../runtime/node/index.ts'
import { prefixEnd } from '../context.ts'
import type { Entry, Operation } from '../driver/index.ts'
import { openEmbeddedDriver } from '../drivers/embedded/index.ts'
import { latestStates } from './latest-states.ts'
import { embeddedForSuite, freshPrefix, memoryEngine, put, remove } from './testing/embedded.ts'
import { FlakyDriver } from './testing/flaky-driver.ts'

function shown(entries: ReadonlyMap<string, Entry>): string[] {
  return [...entries.values()]
    .map(({ key, value, modRevision }) => `${key} ${Buffer.from(value)} ${modRevision}`)
    .sort()
}

suite('the latest states of a range', () => {
  const engine = embeddedForSuite()

  for (const withoutHistory of [false, true])
    test(`are each the state of their moment, and end at the newest; ${withoutHistory ? 'by lists' : 'by a watch'}`, async () => {
      const step = fc.record({ key: fc.nat(4), deletes: fc.boolean(), compacts: fc.nat(5).map((n) => n === 0) })
      const world = fc.record({ steps: fc.array(step, { minLength: 1, maxLength: 30 }), seed: fc.nat().map(String) })
      await fc.assert(
        fc.asyncProperty(world, async ({ steps, seed }) => {
          const { driver } = engine
          const prefix = freshPrefix()
          const range = { start: prefix, end: prefixEnd(prefix) }
          const prng = new Prng(seed)
          const flaky = new FlakyDriver(driver, { prng, endsOneIn: 3, readsFailOneIn: 4, withoutHistory })
          const write = async (): Promise<void> => {
            for (const [n, { key: k, deletes, compacts }] of steps.entries()) {
              const key = `${prefix}${k}`
              const operation: Operation = deletes
                ? { type: 'delete', key }
                : { type: 'put', key, value: Buffer.from(String(n)) }
              const { revision } = await driver.transact({ compares: [], success: [operation] })
              if (compacts) flaky.compactedBelow = revision
            }
            await put(driver, `${prefix}~`, 'end')
          }
          const writing = write()
          let followed = new Map<string, Entry>()
          let last = 0
          for await (const { entries, revision, changed } of latestStates(flaky, range)) {
            assert.ok(revision >= last)
            last = revision
            const then = await driver.list(range, { revision })
            if (!withoutHistory) assert.deepEqual(shown(entries), shown(new Map(then.entries.map((e) => [e.key, e]))))
            followed = new Map(followed)
            for (const [key, entry] of changed) {
              assert.notEqual(followed.get(key)?.modRevision, entry?.modRevision)
              if (entry === undefined) followed.delete(key)
              else followed.set(key, entry)
            }
            assert.deepEqual(shown(followed), shown(entries))
            if (entries.has(`${prefix}~`)) break
          }
          await writing
          const now = await driver.list(range)
          assert.deepEqual(shown(followed), shown(new Map(now.entries.map((e) => [e.key, e]))))
          assert.equal(flaky.openWatches, 0)
        }),
        { numRuns: 40 },
      )
    })

  test('a state that was given does not change any more, and what nobody took is told once', async () => {
    const { driver } = engine
    const prefix = freshPrefix()
    const states = latestStates(driver, { start: prefix, end: prefixEnd(prefix) })
    const first = (await states.next()).value!
    assert.equal(first.entries.size, 0)
    await put(driver, `${prefix}a`, '1')
    const second = (await states.next()).value!
    for (let n = 2; n <= 9; n++) await put(driver, `${prefix}a`, `${n}`)
    await put(driver, `${prefix}b`, 'x')
    const gone = await remove(driver, `${prefix}b`)
    let state = second
    let states_ = 0
    while (state.revision < gone - 2) {
      state = (await states.next()).value!
      states_++
    }
    assert.ok(states_ < 9, `${states_} states`)
    assert.equal(first.entries.size, 0)
    assert.equal(Buffer.from(second.entries.get(`${prefix}a`)!.value).toString(), '1')
    assert.equal(Buffer.from(state.entries.get(`${prefix}a`)!.value).toString(), '9')
    await states.return?.()
  })

  test('end when the driver is closed', async () => {
    const driver = await memoryEngine()
    const states = latestStates(driver, { start: 'a', end: 'b' })
    await states.next()
    const waiting = assert.rejects(states.next(), { code: 'CLOSED' })
    await driver.close()
    await waiting
  })

  test('more keys than a page', async () => {
    const { driver } = engine
    const prefix = freshPrefix()
    for (let from = 0; from < 1200; from += 100)
      await driver.transact({
        compares: [],
        success: Array.from({ length: 100 }, (_, n) => ({
          type: 'put',
          key: `${prefix}${from + n}`,
          value: Buffer.of(1),
        })),
      })
    for await (const { entries } of latestStates(driver, { start: prefix, end: prefixEnd(prefix) })) {
      assert.equal(entries.size, 1200)
      break
    }
  })

  test('revalidation tells how current it is, and repairs what a watch that stands still has missed', async () => {
    const { driver } = engine
    const { clock } = driver.outside
    const prefix = freshPrefix()
    const deaf = new FlakyDriver(driver, { prng: new Prng('1') })
    Object.assign(deaf, { watch: () => ({ cancel() {} }) })
    const states = latestStates(deaf, { start: prefix, end: prefixEnd(prefix) })
    await states.next()
    const asked = clock.monotonicMs()
    await states.revalidate()
    const current = (await states.next()).value!
    assert.ok(current.currentAsOfMs >= asked)
    assert.equal(current.changed.size, 0)
    await put(driver, `${prefix}a`, '1')
    await states.revalidate()
    assert.equal((await states.next()).value?.entries.size, 1)
    await states.return?.()
  })

  test('of two lists the one that was sent later counts, whichever is answered first', async () => {
    const { driver } = engine
    const prefix = freshPrefix()
    const range = { start: prefix, end: prefixEnd(prefix) }
    const slow = new FlakyDriver(driver, { prng: new Prng('1'), withoutHistory: true })
    const states = latestStates(slow, range)
    await states.next()
    let answered = false
    let release = (): void => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    const list = slow.list
    slow.list = async (...call) => {
      slow.list = list
      const old = await list(...call)
      answered = true
      await held
      return old
    }
    await put(driver, `${prefix}a`, 'old')
    while (!answered) await new Promise((resolve) => setImmediate(resolve))
    await put(driver, `${prefix}a`, 'new')
    await states.revalidate()
    const value = async (): Promise<string> =>
      Buffer.from((await states.next()).value!.entries.get(`${prefix}a`)!.value).toString()
    assert.equal(await value(), 'new')
    const after = value()
    release()
    await put(driver, `${prefix}b`, 'x')
    assert.equal(await after, 'new')
    await states.return?.()
  })
})

test('a state of many pages that history was compacted under is read anew', async () => {
  const driver = await openEmbeddedDriver({}, createNodeRuntime({ logLevel: 'error' }))
  const value = new Uint8Array(0)
  for (let n = 0; n < 600; n++)
    await driver.transact({ compares: [], success: [{ type: 'put', key: `k/${n}`, value }] })
  const list = driver.list.bind(driver)
  let lists = 0
  driver.list = async (range, options) => {
    if (++lists === 2) {
      const { revision } = await driver.transact({ compares: [], success: [{ type: 'put', key: 'k/new', value }] })
      await driver.compact(revision)
    }
    return list(range, options)
  }
  try {
    for await (const { entries } of latestStates(driver, { start: 'k/', end: 'k0' })) {
      assert.equal(entries.size, 601)
      break
    }
  } finally {
    await driver.close()
  }
})

test('a revalidation is told, also when a watch event overtakes the read that it makes', async () => {
  const driver = await memoryEngine()
  const range = { start: 'k/', end: 'k0' }
  // Events wait until they are let through; the revalidation finds the change by itself, and while it reads, they come.
  let letThrough = (): void => {}
  let holds = false
  const watch = driver.watch!.bind(driver)
  Object.assign(driver, {
    watch: (...[watched, from, sink]: Parameters<typeof watch>) =>
      watch(watched, from, {
        ...sink,
        onEvents(events, revision) {
          if (!holds) sink.onEvents(events, revision)
          else letThrough = () => sink.onEvents(events, revision)
        },
      }),
  })
  const list = driver.list.bind(driver)
  try {
    const states = latestStates(driver, range)
    assert.equal((await states.next()).value!.entries.size, 0)
    holds = true
    await put(driver, 'k/a', '1')
    driver.list = async (...call) => {
      const answer = await list(...call)
      if (call[1]?.keysOnly !== true) letThrough()
      return answer
    }
    const calledAtMs = driver.outside.clock.monotonicMs()
    const told: number[] = []
    const follow = (async () => {
      while (told.every((atMs) => atMs < calledAtMs)) told.push((await states.next()).value!.currentAsOfMs)
    })()
    await states.revalidate()
    // What the revalidation has to tell it told before it resolved: one more look is all it takes to be heard.
    await Promise.race([follow, new Promise((resolve) => setImmediate(resolve))])
    assert.equal(told.filter((atMs) => atMs >= calledAtMs).length, 1, `told: ${told}, called at ${calledAtMs}`)
    await states.return?.()
  } finally {
    await driver.close()
  }
})
