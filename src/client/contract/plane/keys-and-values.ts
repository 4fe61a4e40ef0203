import assert from 'node:assert/strict'
import { failsWith, listed, PromiseList, sizeSchema, upTo } from './ground.ts'

const list = new PromiseList('Keys and values')
export const keyAndValuePromises = list.promises

list.onCoordination('a put is read back, with the revisions that made it', async (ground) => {
  const { kv } = ground.plane
  const key = ground.name()
  assert.equal(await kv.get(key), undefined)
  const first = await kv.put(key, 'one')
  const second = await kv.put(key, 'two')
  assert.ok(second.revision > first.revision, 'revisions rise')
  const entry = await kv.get(key)
  assert.deepEqual(
    [entry?.key, entry?.text(), entry?.createRevision, entry?.modRevision, entry?.version],
    [key, 'two', first.revision, second.revision, 2],
  )
  assert.deepEqual([(await kv.delete(key)).deleted, (await kv.delete(key)).deleted], [true, false])
  assert.equal(await kv.get(key), undefined)
  const again = await kv.put(key, 'three')
  assert.deepEqual([(await kv.get(key))?.version, (await kv.get(key))?.createRevision], [1, again.revision])
})

list.onCoordination('a read sees every write that was acknowledged before it, to anyone', async (ground) => {
  const [writer, reader] = await ground.programs(2)
  const key = ground.name()
  for (const i of upTo(30)) {
    await writer!.kv.put(key, String(i))
    assert.equal((await reader!.kv.get(key))?.text(), String(i))
  }
})

list.onCoordination('keys and values are any bytes, and keys have the order of bytes', async (ground) => {
  const { kv } = ground.plane
  const prefix = Buffer.from(ground.name('bytes/'))
  const key = (...bytes: number[]) => Uint8Array.from([...prefix, ...bytes])
  const value = Uint8Array.from(upTo(256))
  for (const bytes of [[255], [0], [128, 1], [97], [47]]) await kv.put(key(...bytes), value)
  assert.deepEqual((await kv.get(key(128, 1)))?.value, value)
  const entries = await listed(kv.list({ prefix }))
  assert.deepEqual(
    entries.map((entry) => [...entry.keyBytes.subarray(prefix.length)]),
    [[0], [47], [97], [128, 1], [255]],
  )
})

list.onCoordination('a list streams its pages in order, up to its limit', async (ground) => {
  const { kv } = ground.plane
  const prefix = ground.name('')
  await Promise.all(upTo(25).map((i) => kv.put(`${prefix}${String(i).padStart(2, '0')}`, `v${i}`)))
  const all = await listed(kv.list({ prefix, pageSize: 7 }))
  assert.deepEqual(
    all.map((entry) => entry.text()),
    upTo(25).map((i) => `v${i}`),
  )
  const some = await listed(kv.list({ prefix, pageSize: 7, limit: 9, keysOnly: true }))
  assert.deepEqual(
    some.map((entry) => [entry.key.slice(prefix.length), entry.value.length]),
    upTo(9).map((i) => [`0${i}`, 0]),
  )
  await kv.deleteAll({ start: `${prefix}05`, end: `${prefix}20` })
  assert.equal((await listed(kv.list({ prefix }))).length, 10)
  assert.equal((await kv.deleteAll({ prefix })).deleted, 10)
})

list.onHistory('all pages of a list are of one revision, whatever is written meanwhile', async (ground) => {
  const { kv } = ground.plane
  const prefix = ground.name('')
  for (const i of upTo(9)) await kv.put(`${prefix}${i}`, 'old')
  const seen: string[] = []
  for await (const entry of kv.list({ prefix, pageSize: 2 })) {
    if (seen.length === 0) {
      await kv.put(`${prefix}8`, 'new')
      await kv.delete(`${prefix}7`)
      await kv.put(`${prefix}9`, 'new')
    }
    seen.push(entry.text())
  }
  assert.deepEqual(
    seen,
    upTo(9).map(() => 'old'),
  )
})

list.onHistory('reads as of a revision', async (ground) => {
  const { kv } = ground.plane
  const key = ground.name()
  const { revision } = await kv.put(key, 'then')
  await kv.put(key, 'now')
  assert.equal((await kv.get(key, { revision }))?.text(), 'then')
  assert.equal(await kv.get(key, { revision: revision - 1 }), undefined)
  await assert.rejects(kv.get(key, { revision: revision + 1_000_000 }), failsWith('FUTURE_REVISION', 'not-applied'))
})

list.onCoordination('of many compare-and-swaps on one state, exactly one swaps', async (ground) => {
  const programs = await ground.programs(3)
  const key = ground.name()
  const race = (expected: { absent: true } | { modRevision: number } | { value: string }) =>
    Promise.all(upTo(9).map((i) => programs[i % 3]!.kv.compareAndSwap(key, expected, `${Object.keys(expected)}-${i}`)))
  for (const state of ['absent', 'modRevision', 'value'] as const) {
    const before = await ground.plane.kv.get(key)
    const results = await race(
      state === 'absent'
        ? { absent: true }
        : state === 'value'
          ? { value: before!.text() }
          : { modRevision: before!.modRevision },
    )
    assert.equal(results.filter(({ swapped }) => swapped).length, 1, state)
    const winner = `${state}-${results.findIndex(({ swapped }) => swapped)}`
    for (const { swapped, current } of results) if (!swapped) assert.equal(current?.text(), winner)
    assert.equal((await ground.plane.kv.get(key))?.text(), winner)
  }
})

list.onCoordination('a typed view refuses what its schema refuses, before it is written', async (ground) => {
  const { kv } = ground.plane
  const key = ground.name()
  const sizes = kv.as(sizeSchema)
  await sizes.put(key, {})
  assert.deepEqual((await sizes.get(key))?.value, { size: 0 })
  await assert.rejects(sizes.put(key, { size: 'big' } as never), failsWith('VALIDATION_FAILED', 'not-applied'))
  assert.equal((await kv.get(key))?.version, 1)
  await kv.put(key, '{"size":"big"}')
  await assert.rejects(sizes.get(key), failsWith('VALIDATION_FAILED'))
})
