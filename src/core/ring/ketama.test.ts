import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { KetamaRing, type KetamaServer } from './ketama.ts'
import { someKeys } from './testing.ts'

interface Golden {
  readonly title: string
  readonly servers: readonly KetamaServer[]
  readonly choices: readonly (readonly [key: string, index: number])[]
}

/** Written by `testdata/ketama-libmemcached.c`. */
function readGolden(): Golden[] {
  const text = readFileSync(join(import.meta.dirname, 'testdata', 'ketama-libmemcached.txt'), 'utf8')
  const [version, ...groups] = text.trimEnd().split(/\n(?=servers )/)
  assert.equal(version, 'version 1.1.4')
  return groups.map((group) => {
    const [head, ...lines] = group.split('\n')
    const [, title, ...servers] = head!.split(' ')
    return {
      title: title!,
      servers: servers.map((server) => {
        const [host, port, weight] = server.split(',')
        return { host: host!, port: Number(port), weight: Number(weight) }
      }),
      choices: lines.map((line) => {
        const [key, index] = line.split(' ')
        return [key!, Number(index)]
      }),
    }
  })
}

test('chooses the servers that libmemcached chooses', async (t) => {
  const golden = readGolden()
  assert.deepEqual(
    golden.map(({ title }) => title),
    ['equal', 'weighted', 'odd', 'many', 'lopsided'],
  )
  for (const { title, servers, choices } of golden) {
    await t.test(title, () => {
      assert.equal(choices.length, 160)
      const ring = new KetamaRing(servers)
      const ours = choices.map(([key]) => [key, ring.get(key)])
      assert.deepEqual(ours, choices)
    })
  }
})

test('servers of equal weight have 160 points each, and one that leaves moves only its own keys', () => {
  const servers = Array.from({ length: 10 }, (_, i) => ({ host: `10.0.0.${i}`, port: 11211 }))
  const all = new KetamaRing(servers)
  assert.equal(all.size, 1600)
  const fewer = new KetamaRing(servers.filter((_, i) => i !== 3))
  let moved = 0
  for (const key of someKeys(20_000)) {
    const before = all.get(key)
    const after = fewer.get(key)
    if (before === 3) moved++
    else assert.equal(after < 3 ? after : after + 1, before)
  }
  assert.ok(moved > 1000 && moved < 3000, `${moved} moved`)
})

test('goes on past excluded servers, and finds none when all are', () => {
  const ring = new KetamaRing([
    { host: 'a', port: 1 },
    { host: 'b', port: 2 },
    { host: 'c', port: 3 },
  ])
  for (const key of someKeys(200)) {
    const hash = KetamaRing.hash(key)
    assert.equal(
      ring.find(hash, (i) => i !== 1),
      1,
    )
    assert.notEqual(
      ring.find(hash, (i) => i === ring.get(key)),
      ring.get(key),
    )
    assert.equal(
      ring.find(hash, () => true),
      -1,
    )
  }
  assert.equal(new KetamaRing([]).get('x'), -1)
  assert.throws(() => new KetamaRing([{ host: 'a', port: 1, weight: 0 }]), /weight 0/)
})

test('an update takes over what it can, and places as if it were made anew', () => {
  const server = (at: number, weight = 1) => ({ host: `10.0.${at >> 8}.${at & 255}`, port: 11_211 + (at % 2), weight })
  const all = Array.from({ length: 300 }, (_, at) => server(at))
  const steps = [
    all,
    all.filter((_, at) => at !== 7),
    all.filter((_, at) => at % 3 !== 0),
    all.map((each, at) => (at === 5 ? server(5, 2) : each)),
    [...all].reverse(),
    [...all, all[0]!],
    all.slice(0, 1),
    [],
    all,
  ]
  let ring = new KetamaRing([])
  const hashed = steps.map((servers) => {
    ring = new KetamaRing(servers, ring)
    const anew = new KetamaRing(servers)
    assert.equal(ring.size, anew.size)
    for (const key of someKeys(2_000)) assert.equal(ring.get(key), anew.get(key))
    return ring.namesHashed
  })
  // All; one goes: nothing but the quarter that is rounded; others are as many as come.
  assert.equal(hashed[0], new KetamaRing(all).size / 4)
  assert.ok(hashed[1]! <= 300 && hashed[2]! <= 300 && hashed[3]! <= 100 * 40 + 400, String(hashed))
  assert.equal(hashed[7], 0)
})

test('of ten thousand servers that leave and come back one by one, only those are hashed', () => {
  const all = Array.from({ length: 10_000 }, (_, at) => ({ host: `10.0.${at >> 8}.${at & 255}`, port: 80 }))
  let ring = new KetamaRing(all.slice(0, 9_990))
  let hashed = 0
  for (let at = 0; at < 5; at++) {
    ring = new KetamaRing(
      all.slice(0, 9_990).filter((_, index) => index !== at * 1_000),
      ring,
    )
    hashed += ring.namesHashed
  }
  assert.ok(hashed <= 5 * 40, `${hashed} names`)
})
