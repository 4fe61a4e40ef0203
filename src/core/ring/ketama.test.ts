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
