import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import type { Driver } from '../driver/index.ts'
import { SynodError } from '../errors.ts'
import { embeddedForSuite, freshPrefix } from '../watching/testing/embedded.ts'
import { type Change, createKv, type KvEntry, type KvWithHistory } from './index.ts'
import { leastDriver, planeOn } from './testing/plane.ts'

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}

function shown({ key, text }: KvEntry, entry: KvEntry): string {
  return `${key}=${text.call(entry)}`
}

const engines: [name: string, of: (driver: Driver) => Driver][] = [
  ['with history', (driver) => driver],
  ['without history', leastDriver],
]

for (const [name, of] of engines)
  suite(`kv on an engine ${name}`, () => {
    const engine = embeddedForSuite()
    const fresh = (): KvWithHistory => createKv(planeOn(of(engine.driver), freshPrefix()))

    test('puts, gets and deletes', async () => {
      const kv = fresh()
      assert.equal(await kv.get('a'), undefined)
      const { revision } = await kv.put('a', 'ä☃')
      const entry = (await kv.get('a'))!
      assert.deepEqual([entry.key, entry.text(), entry.version], ['a', 'ä☃', 1])
      assert.deepEqual([entry.createRevision, entry.modRevision, entry.leaseId], [revision, revision, 0n])
      await kv.put('a', Uint8Array.of(0xff, 0))
      assert.deepEqual([...(await kv.get('a', { consistency: 'stale' }))!.value], [0xff, 0])
      assert.equal((await kv.delete('a')).deleted, true)
      assert.equal((await kv.delete('a')).deleted, false)
      await kv.put('j', '{"b":[1]}')
      assert.deepEqual((await kv.get('j'))!.json<{ b: number[] }>().b, [1])
      await kv.put('j', '{')
      const broken = (await kv.get('j'))!
      assert.throws(() => broken.json(), { code: 'VALIDATION_FAILED', message: /key "j" is no JSON/ })
    })

    test('keys are bytes, in the namespace and nowhere else', async () => {
      const { driver } = engine
      const prefix = freshPrefix()
      const kv = createKv(planeOn(of(driver), `${prefix}in/`))
      const outside = createKv(planeOn(of(driver), prefix))
      await outside.put('in.', 'x')
      await outside.put('in0', 'x')
      const bytes = Uint8Array.of(0xff, 0x80, 0)
      await kv.put(bytes, 'odd')
      assert.equal((await kv.get(bytes))?.text(), 'odd')
      await assert.rejects(kv.put('\ud800', 'half of a pair, as any other would be'), { code: 'INVALID_ARGUMENT' })
      await kv.put('ÿ', 'text')
      const entries = await all(kv.list({ prefix: '' }))
      assert.deepEqual(
        entries.map(({ keyBytes }) => [...keyBytes]),
        [[0xc3, 0xbf], [...bytes]],
      )
      assert.deepEqual((await all(kv.list({ start: '' }))).length, 2)
      assert.deepEqual((await all(kv.list({ start: 'ÿ', end: bytes }))).length, 1)
      assert.equal((await kv.deleteAll({ prefix: '' })).deleted, 2)
      assert.equal((await all(outside.list({ prefix: '' }))).length, 2)
    })

    test('what makes no sense is refused by name', async () => {
      const kv = fresh()
      const refused = { code: 'INVALID_ARGUMENT', outcome: 'not-applied' }
      await assert.rejects(kv.get(''), refused)
      await assert.rejects(kv.get('a', { timeoutMs: 0 }), refused)
      await assert.rejects(async () => kv.put('', 'x'), refused)
      await assert.rejects(kv.compareAndSwap('a', { absent: true }, undefined), refused)
      assert.throws(() => kv.list({ prefix: 'a', limit: 0 }), refused)
      assert.throws(() => kv.list({ start: 'b', end: 'a' }), refused)
      assert.throws(() => kv.list({} as never), refused)
      assert.throws(() => kv.watch({ prefix: 'a', mode: 'latest', fromRevision: 1 } as never), refused)
    })

    test('lists page by page what fits the range, in order', async () => {
      const kv = fresh()
      const names = fc.uniqueArray(
        fc.string({ unit: fc.constantFrom('a', 'b', 'ÿ', '\0'), minLength: 1, maxLength: 3 }),
      )
      const options = fc.record({
        pageSize: fc.integer({ min: 1, max: 5 }),
        limit: fc.option(fc.integer({ min: 1, max: 9 })),
      })
      await fc.assert(
        fc.asyncProperty(
          names,
          fc.constantFrom('', 'a', 'ÿ', 'ab'),
          options,
          async (keys, prefix, { pageSize, limit }) => {
            await kv.deleteAll({ prefix: '' })
            for (const key of keys) await kv.put(key, `of ${key}`)
            const found = await all(kv.list({ prefix, pageSize, limit: limit ?? undefined }))
            const expected = keys
              .filter((key) => key.startsWith(prefix))
              .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
              .slice(0, limit ?? undefined)
            assert.deepEqual(
              found.map((entry) => shown(entry, entry)),
              expected.map((key) => `${key}=of ${key}`),
            )
          },
        ),
        { numRuns: 60 },
      )
      const [first] = await all(kv.list({ prefix: '', keysOnly: true, limit: 1 }))
      assert.ok(first === undefined || first.value.length === 0)
    })

    test('compares and swaps', async () => {
      const kv = fresh()
      const made = await kv.compareAndSwap('a', { absent: true }, '1')
      assert.equal(made.swapped, true)
      const again = await kv.compareAndSwap('a', { absent: true }, '2')
      assert.deepEqual([again.swapped, again.current?.text()], [false, '1'])
      assert.equal((await kv.compareAndSwap('a', { value: '1' }, '2')).swapped, true)
      assert.equal((await kv.compareAndSwap('a', { modRevision: made.revision }, '3')).swapped, false)
      assert.equal((await kv.compareAndSwap('a', { value: '2' }, undefined)).swapped, true)
      const gone = await kv.compareAndSwap('a', { value: '2' }, 'x')
      assert.deepEqual([gone.swapped, gone.current], [false, undefined])
    })

    test('keys of a session go with it, and are not put under one that is over', async () => {
      const { driver } = engine
      const context = planeOn(of(driver), freshPrefix())
      const kv = createKv(context)
      const session = await context.sessions.open({ ttlMs: 60_000 })
      await kv.put('a', 'x', { session })
      assert.equal((await kv.get('a'))?.leaseId, session.leaseId)
      await session.close()
      assert.equal(await kv.get('a'), undefined)
      await assert.rejects(async () => kv.put('a', 'x', { session }), { code: 'SESSION_LOST', outcome: 'not-applied' })
    })

    test('a watch of the latest begins with what there is, and follows', async () => {
      const kv = fresh()
      await kv.put('a', '1')
      const told: string[] = []
      for await (const change of kv.watch({ prefix: '', mode: 'latest' })) {
        told.push(`${change.type} ${change.key}`)
        if (told.length === 1) await kv.put('b', '2')
        if (told.length === 2) await kv.delete('a')
        if (told.length === 3) break
      }
      assert.deepEqual(told, ['put a', 'put b', 'delete a'])
    })

    test('ends with its signal', async () => {
      const kv = fresh()
      const abort = new AbortController()
      const watch = all<Change>(kv.watch({ key: 'a', mode: 'latest', signal: abort.signal }))
      abort.abort()
      await assert.rejects(watch, { code: 'CANCELLED' })
      await assert.rejects(kv.get('a', { signal: abort.signal }), { code: 'CANCELLED' })
    })
  })

suite('kv with history', () => {
  const engine = embeddedForSuite()

  test('reads as of a revision; a list stays at the revision of its first page', async () => {
    const kv = createKv(planeOn(engine.driver, freshPrefix()))
    const { revision } = await kv.put('a', '1')
    await kv.put('b', '1')
    await kv.put('c', '1')
    await kv.put('a', '2')
    assert.equal((await kv.get('a', { revision }))?.text(), '1')
    const found: string[] = []
    for await (const entry of kv.list({ prefix: '', pageSize: 1 })) {
      found.push(shown(entry, entry))
      await kv.put('c', 'later')
      await kv.delete('b')
    }
    assert.deepEqual(found, ['a=2', 'b=1', 'c=1'])
    assert.equal((await all(kv.list({ prefix: '', revision }))).length, 1)
    await assert.rejects(kv.get('a', { revision: revision + 1_000_000 }), { code: 'FUTURE_REVISION' })
  })

  test('a history watch tells every change from the revision it is given', async () => {
    const kv = createKv(planeOn(engine.driver, freshPrefix()))
    const { revision } = await kv.put('a', '1')
    await kv.put('a', '2')
    await kv.put('b', '1')
    const { revision: end } = await kv.delete('a')
    const told: string[] = []
    for await (const change of kv.watch({ key: 'a', fromRevision: revision })) {
      told.push(change.type === 'put' ? shown(change.entry, change.entry) : `${change.key} deleted`)
      if (change.revision === end) break
    }
    assert.deepEqual(told, ['a=1', 'a=2', 'a deleted'])
  })
})

suite('kv without history', () => {
  const engine = embeddedForSuite()

  test('says what the engine cannot keep', async () => {
    const kv = createKv(planeOn(leastDriver(engine.driver), freshPrefix()))
    const refused = { name: 'SynodError', code: 'NOT_SUPPORTED', message: /zookeeper/ }
    await assert.rejects(kv.get('a', { revision: 5 }), refused)
    assert.throws(() => kv.list({ prefix: '', revision: 5 }), refused)
    assert.throws(() => kv.watch({ prefix: '', mode: 'history' }), refused)
  })

  test('a failed write tells what is known of it', async () => {
    const inner = leastDriver(engine.driver)
    const broken = new SynodError('UNAVAILABLE', 'the connection broke', { outcome: 'unknown' })
    const kv = createKv(planeOn({ ...inner, transact: () => Promise.reject(broken) }, freshPrefix()))
    await assert.rejects(kv.put('a', '1'), { code: 'UNAVAILABLE', outcome: 'unknown' })
    await assert.rejects(kv.compareAndSwap('a', { absent: true }, '1'), { outcome: 'unknown' })
  })
})
