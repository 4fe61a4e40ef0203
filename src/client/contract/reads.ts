import assert from 'node:assert/strict'
import { bytesKey, type DefineTest, type DriverSubject, failsWith, type Ground, put, textOf } from './ground.ts'

/** Keys whose order as bytes is not their order as text, and that no text encoding knows. */
const oddKeys = [
  bytesKey(0),
  bytesKey(0, 0),
  'a',
  bytesKey(0x61, 0),
  'a%2Fb',
  'a/',
  'a//b',
  'aa',
  bytesKey(0x7f),
  bytesKey(0x80),
  bytesKey(0xc3, 0x28),
  bytesKey(0xed, 0xa0, 0x80),
  bytesKey(0xff),
  bytesKey(0xff, 0),
  bytesKey(0xff, 0xff),
]

export function describeReads(test: DefineTest): void {
  describeVersions(test)
  describeBytes(test)
  describeRanges(test)
  describeRevisions(test)
}

function describeVersions(test: DefineTest): void {
  test('a write is read back, with its revision and version', async (ground) => {
    const first = await ground.put('a', 'one')
    assert.equal(first.succeeded, true)
    const one = await ground.entry('a')
    assert.deepEqual(
      [one.key, textOf(one), one.createRevision, one.modRevision, one.version, one.leaseId],
      [ground.key('a'), 'one', first.revision, first.revision, 1, 0n],
    )
    const second = await ground.put('a', 'two')
    assert.ok(second.revision > first.revision)
    const two = await ground.entry('a')
    assert.deepEqual(
      [textOf(two), two.createRevision, two.modRevision, two.version],
      ['two', first.revision, second.revision, 2],
    )
  })

  test('what is not there is undefined, as of a revision that is not before the writes acknowledged', async (ground) => {
    const { revision } = await ground.put('other')
    const found = await ground.driver.get(ground.key('absent'))
    assert.equal(found.entry, undefined)
    assert.ok(found.revision >= revision)
  })

  test('a key made again has a greater createRevision, and version 1', async (ground) => {
    await ground.put('a', '1')
    await ground.put('a', '2')
    const before = await ground.entry('a')
    const removed = await ground.delete('a')
    assert.deepEqual(removed.results, [{ type: 'delete', deleted: 1 }])
    assert.equal(await ground.exists('a'), false)
    assert.deepEqual((await ground.delete('a')).results, [{ type: 'delete', deleted: 0 }])
    const made = await ground.put('a', '3')
    const after = await ground.entry('a')
    assert.ok(after.createRevision > before.modRevision)
    assert.ok(after.createRevision > removed.revision)
    assert.deepEqual([after.createRevision, after.modRevision, after.version], [made.revision, made.revision, 1])
  })

  test(
    'a read sees what another client was told is written',
    async (ground) => {
      const another = await ground.subject.another!()
      try {
        for (let i = 0; i < 20; i++) {
          await ground.put('a', String(i))
          assert.equal(textOf((await another.get(ground.key('a'))).entry), String(i))
          await another.transact({ compares: [], success: [put(ground.key('b'), String(i))] })
          assert.equal(textOf(await ground.entry('b')), String(i))
        }
      } finally {
        await another.close()
      }
    },
    { unless: ({ another }) => (another ? undefined : 'nobody else can reach this engine') },
  )

  test('a stale read answers, as of some revision', async (ground) => {
    await ground.put('a', '1')
    const found = await ground.driver.get(ground.key('a'), { stale: true })
    assert.ok(found.entry === undefined || textOf(found.entry) === '1')
    assert.ok((await ground.driver.list(ground.all, { stale: true })).entries.length <= 1)
  })
}

function describeBytes(test: DefineTest): void {
  test('keys and values are bytes', async (ground) => {
    const value = Uint8Array.from({ length: 256 }, (_, i) => i)
    for (const name of oddKeys) await ground.write(put(ground.key(name), value))
    for (const name of oddKeys) {
      const entry = await ground.entry(name)
      assert.equal(entry.key, ground.key(name))
      assert.deepEqual([...entry.value], [...value])
    }
  })

  test('a value may be empty', async (ground) => {
    await ground.put('a')
    assert.equal((await ground.entry('a')).value.length, 0)
    const { entries } = await ground.driver.list(ground.all)
    assert.equal(entries[0]?.value.length, 0)
  })

  test('nobody shares memory with the engine', async (ground) => {
    const value = Uint8Array.of(1, 2, 3)
    const written = ground.write(put(ground.key('a'), value))
    value.fill(9)
    await written
    const found = await ground.entry('a')
    assert.deepEqual([...found.value], [1, 2, 3])
    found.value.fill(7)
    assert.deepEqual([...(await ground.entry('a')).value], [1, 2, 3])
  })

  test('a large value arrives whole', async (ground) => {
    const value = Uint8Array.from({ length: 700_000 }, (_, i) => i % 251)
    await ground.write(put(ground.key('a'), value))
    assert.ok(Buffer.from((await ground.entry('a')).value).equals(value))
  })

  test('an empty key is refused', async (ground) => {
    await assert.rejects(ground.driver.get(''), failsWith('INVALID_ARGUMENT', 'not-applied'))
    await assert.rejects(ground.write(put('')), failsWith('INVALID_ARGUMENT', 'not-applied'))
    await assert.rejects(ground.write({ type: 'delete', key: '' }), failsWith('INVALID_ARGUMENT', 'not-applied'))
  })
}

function describeRanges(test: DefineTest): void {
  const fill = async (ground: Ground): Promise<void> => {
    for (const name of [...oddKeys].reverse()) await ground.put(name, name)
  }

  test('a range is in the order of unsigned bytes', async (ground) => {
    await fill(ground)
    assert.deepEqual(await ground.names(), oddKeys)
  })

  test('a range has its start and not its end', async (ground) => {
    await fill(ground)
    const between = (from: string, to: string) => ground.names({ start: ground.key(from), end: ground.key(to) })
    assert.deepEqual(await between('a', 'aa'), ['a', 'a\0', 'a%2Fb', 'a/', 'a//b'])
    assert.deepEqual(await between('b', 'c'), [])
    assert.deepEqual(await between('c', 'a'), [])
    assert.deepEqual(await between('a', 'a'), [])
    assert.deepEqual(await ground.names({ start: ground.key('a'), end: undefined }), ['a'])
    assert.deepEqual(await ground.names({ start: ground.key('nothing'), end: undefined }), [])
  })

  test('an empty end is that of all keys, an empty start their beginning', async (ground) => {
    const last = `${bytesKey(0xff, 0xff)}${ground.prefix}`
    await ground.write(put(`${last}a`), put(`${last}b`))
    try {
      const found = (await ground.driver.list({ start: last, end: '' })).entries.map(({ key }) => key)
      assert.deepEqual(
        found.filter((key) => key.startsWith(last)),
        [`${last}a`, `${last}b`],
      )
      const all = await ground.driver.list({ start: '', end: '' }, { keysOnly: true })
      assert.equal(all.entries.filter(({ key }) => key.startsWith(last)).length, 2)
      assert.deepEqual((await ground.driver.list({ start: '', end: bytesKey(0) })).entries, [])
    } finally {
      await ground.write({ type: 'delete', key: `${last}a` }, { type: 'delete', key: `${last}b` })
    }
  })

  test('a limit leaves out the rest, and says so', async (ground) => {
    await fill(ground)
    const some = await ground.driver.list(ground.all, { limit: 3 })
    assert.deepEqual(
      some.entries.map(({ key }) => key),
      oddKeys.slice(0, 3).map((name) => ground.key(name)),
    )
    assert.equal(some.more, true)
    const exact = await ground.driver.list(ground.all, { limit: oddKeys.length })
    assert.deepEqual([exact.entries.length, exact.more], [oddKeys.length, false])
  })

  test('keys only: everything but the values', async (ground) => {
    await ground.put('a', 'one')
    const { entries } = await ground.driver.list(ground.all, { keysOnly: true })
    const { value: _, ...rest } = await ground.entry('a')
    assert.deepEqual(entries, [{ ...rest, value: entries[0]!.value }])
    assert.equal(entries[0]!.value.length, 0)
  })

  test('a long range arrives whole', async (ground) => {
    const count = 1500
    const name = (i: number) => String(i).padStart(5, '0')
    for (let from = 0; from < count; from += 100) {
      const keys = Array.from({ length: 100 }, (_, i) => ground.key(name(from + i)))
      await ground.write(...keys.map((key) => put(key, key)))
    }
    const { entries, more } = await ground.driver.list(ground.all)
    assert.deepEqual(
      entries.map((entry) => [entry.key, textOf(entry)]),
      Array.from({ length: count }, (_, i) => [ground.key(name(i)), ground.key(name(i))]),
    )
    assert.equal(more, false)
  })
}

function describeRevisions(test: DefineTest): void {
  const atRevision = {
    unless: ({ driver: { can, engine } }: DriverSubject) =>
      can.atRevision ? undefined : `${engine} keeps no earlier versions: there is nothing to read as of a revision`,
  }

  test(
    'reads as of a revision find what was there then',
    async (ground) => {
      const one = await ground.put('a', '1')
      const two = await ground.write(put(ground.key('a'), '2'), put(ground.key('b'), '2'))
      const three = await ground.delete('a')
      const at = async (revision: number) => {
        const { entries } = await ground.driver.list(ground.all, { revision })
        const { entry } = await ground.driver.get(ground.key('a'), { revision })
        return [entries.map(textOf).join(), textOf(entry)]
      }
      assert.deepEqual(await at(one.revision), ['1', '1'])
      assert.deepEqual(await at(two.revision), ['2,2', '2'])
      assert.deepEqual(await at(three.revision), ['2', undefined])
    },
    atRevision,
  )

  test(
    'a revision that does not exist yet is FUTURE_REVISION',
    async (ground) => {
      const { revision } = await ground.put('a')
      const later = { revision: revision + 1_000_000 }
      await assert.rejects(ground.driver.get(ground.key('a'), later), failsWith('FUTURE_REVISION', 'not-applied'))
      await assert.rejects(ground.driver.list(ground.all, later), failsWith('FUTURE_REVISION', 'not-applied'))
    },
    atRevision,
  )
}
