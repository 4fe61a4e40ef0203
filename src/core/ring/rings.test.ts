/** What consistent placements promise, for all of them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ConsistentHashRing } from './consistent-hash-ring.ts'
import { mixPair, murmur3 } from './hash.ts'
import { MaglevTable } from './maglev.ts'
import type { IsExcluded, RingNode } from './node.ts'
import { Rendezvous } from './rendezvous.ts'
import { chiSquaredSigmas, countChoices, someKeys } from './testing.ts'

interface Placing {
  get(key: string): string | undefined
  find(hash: number, isExcluded?: IsExcluded): number
}

interface Kind {
  readonly name: string
  readonly make: (nodes: readonly RingNode[]) => Placing
  /** How far a share may be from its weight's, relatively. */
  readonly tolerance: number
  /** Beyond those of the node that comes or goes, so many of 100 keys may move. */
  readonly othersMovedPercentMax: number
}

const kinds: readonly Kind[] = [
  {
    name: 'ConsistentHashRing',
    make: (nodes) => new ConsistentHashRing(nodes),
    // Three standard deviations of 1/sqrt(160).
    tolerance: 0.24,
    othersMovedPercentMax: 0,
  },
  // Eisenbud et al. §5.3: with tables a hundred times as large as there are nodes, few others move.
  { name: 'MaglevTable', make: (nodes) => new MaglevTable(nodes), tolerance: 0.08, othersMovedPercentMax: 2 },
  { name: 'Rendezvous', make: (nodes) => new Rendezvous(nodes), tolerance: 0.08, othersMovedPercentMax: 0 },
]

const keys = someKeys(20_000)
const ten: readonly RingNode[] = Array.from({ length: 10 }, (_, i) => ({ id: `10.1.0.${i}:8080` }))
const weighted: readonly (RingNode & { readonly weight: number })[] = [1, 2, 3, 4, 10].map((weight, i) => ({
  id: `node-${i}`,
  weight,
}))

for (const { name, make, tolerance, othersMovedPercentMax } of kinds) {
  test(`${name}: shares follow the weights`, () => {
    for (const nodes of [ten, weighted]) {
      const placing = make(nodes)
      const counts = countChoices(keys, (key) => placing.get(key)!)
      const weightSum = nodes.reduce((sum, node) => sum + (node.weight ?? 1), 0)
      for (const node of nodes) {
        const expected = (keys.length * (node.weight ?? 1)) / weightSum
        const off = Math.abs((counts.get(node.id) ?? 0) / expected - 1)
        // A lighter node has fewer virtual nodes and keys, so chance shows more.
        const allowed = tolerance * Math.sqrt(Math.max(1, keys.length / nodes.length / expected))
        assert.ok(off < allowed, `${node.id}: ${counts.get(node.id)} of ${expected}`)
      }
    }
  })

  test(`${name}: a node that leaves or comes moves its own keys only, and few others`, () => {
    for (const gone of [0, 4, 9]) {
      const before = make(ten)
      const after = make(ten.filter((_, i) => i !== gone))
      let own = 0
      let others = 0
      for (const key of keys) {
        const old = before.get(key)
        const now = after.get(key)
        if (old === ten[gone]!.id) {
          own++
          assert.notEqual(now, old)
        } else if (now !== old) others++
      }
      assert.ok(own < keys.length * 0.1 * (1 + tolerance), `${own} were its own`)
      assert.ok(others <= (keys.length * othersMovedPercentMax) / 100, `${others} others moved`)
    }
  })

  test(`${name}: a weight that grows only draws keys to its node`, () => {
    const before = make(weighted)
    const after = make(weighted.map((node) => (node.id === 'node-2' ? { ...node, weight: 6 } : node)))
    const astray = keys.filter((key) => after.get(key) !== before.get(key) && after.get(key) !== 'node-2')
    assert.ok(astray.length <= (keys.length * othersMovedPercentMax * 4) / 100, `${astray.length} moved elsewhere`)
    assert.ok(keys.some((key) => before.get(key) !== 'node-2' && after.get(key) === 'node-2'))
  })

  test(`${name}: the keys of an excluded node spread over the others`, () => {
    const placing = make(ten)
    const orphans = keys.filter((key) => placing.get(key) === ten[5]!.id)
    const counts = countChoices(orphans, (key) => placing.find(murmur3(key), (i) => i === 5))
    assert.equal(counts.has(5), false)
    assert.equal(counts.size, 9)
    const most = Math.max(...counts.values())
    assert.ok(most < orphans.length / 3, `${most} of ${orphans.length} went to one node`)
  })

  test(`${name}: the order of the list does not matter, and exclusion is respected`, () => {
    const node = fc.record({ id: fc.string({ maxLength: 8 }), weight: fc.integer({ min: 1, max: 9 }) })
    const lists = fc.uniqueArray(node, { selector: ({ id }) => id, maxLength: 12 })
    fc.assert(
      fc.property(lists, fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }), fc.string(), (nodes, mask, key) => {
        const placing = make(nodes)
        const reversed = make([...nodes].reverse())
        assert.equal(placing.get(key), reversed.get(key))
        const found = placing.find(murmur3(key), (i) => mask[i]!)
        const allowed = nodes.flatMap((_, i) => (mask[i] ? [] : [i]))
        if (allowed.length === 0) assert.equal(found, -1)
        else assert.ok(allowed.includes(found))
        const first = placing.find(murmur3(key))
        if (first !== -1 && !mask[first]) assert.equal(found, first)
      }),
      // Maglev fills 65,537 slots each time.
      { seed: 3, numRuns: name === 'MaglevTable' ? 40 : 300 },
    )
  })

  test(`${name}: refuses equal ids and weights that are none`, () => {
    assert.throws(() => make([{ id: 'a' }, { id: 'a' }]), /two nodes are called a/)
    for (const weight of [0, -1, Number.NaN, Number.POSITIVE_INFINITY])
      assert.throws(() => make([{ id: 'a', weight }]), /give a finite number above 0/)
    assert.equal(make([]).get('key'), undefined)
  })
}

test('Maglev: slots differ by at most one between nodes of equal weight (§3.4)', () => {
  for (const tableSize of [251, 65_537]) {
    const { table } = new MaglevTable(ten, { tableSize })
    const counts = new Array<number>(10).fill(0)
    for (const node of table) counts[node]!++
    assert.ok(Math.max(...counts) - Math.min(...counts) <= 1, `${counts}`)
  }
  assert.throws(() => new MaglevTable(ten, { tableSize: 65_536 }), /prime/)
})

test('Maglev: finds the nodes even where they have no slot', () => {
  const many = Array.from({ length: 20 }, (_, i) => ({ id: `n${i}` }))
  const table = new MaglevTable(many, { tableSize: 7 })
  for (let only = 0; only < 20; only++)
    assert.equal(
      table.find(12_345, (i) => i !== only),
      only,
    )
})

test('ConsistentHashRing: its choice is that of a naive search among all tokens', () => {
  const nodes = weighted.map((node) => ({ ...node, weight: node.weight / 10 }))
  const tokens = nodes.flatMap(({ id, weight }) =>
    Array.from({ length: Math.max(1, Math.round(weight * 160)) }, (_, vnode) => ({
      id,
      token: mixPair(murmur3(id), mixPair(murmur3(id, 0x9747b28c), vnode)),
    })),
  )
  const ring = new ConsistentHashRing(nodes)
  assert.equal(ring.size, tokens.length)
  const hashes = keys.slice(0, 2000).map((key) => murmur3(key))
  for (const hash of [...hashes, ...tokens.map(({ token }) => token), 0, 0xffff_ffff]) {
    const distance = (token: number): number => (token - hash + 2 ** 32) % 2 ** 32
    const nearest = tokens.reduce((best, each) => (distance(each.token) < distance(best.token) ? each : best))
    assert.equal(nodes[ring.find(hash)]!.id, nearest.id)
  }
})

test('ConsistentHashRing: tokens are bounded, and replicas are different nodes in a stable order', () => {
  const heavy = Array.from({ length: 50 }, (_, i) => ({ id: `n${i}`, weight: 1000 }))
  const ring = new ConsistentHashRing(heavy)
  assert.ok(ring.size <= 2 ** 17, `${ring.size} tokens`)
  for (const key of keys.slice(0, 100)) {
    const three = ring.getMany(key, 3)
    assert.equal(new Set(three).size, 3)
    assert.equal(three[0], ring.get(key))
    assert.deepEqual(ring.getMany(key, 2), three.slice(0, 2))
  }
  assert.equal(ring.getMany('x', 99).length, 50)
})

test('Rendezvous: shares are what chance alone makes of the weights', () => {
  const rendezvous = new Rendezvous(weighted)
  const counts = countChoices(keys, (key) => rendezvous.get(key)!)
  const sigmas = chiSquaredSigmas(
    weighted.map(({ id }) => counts.get(id)!),
    weighted.map(({ weight }) => weight),
  )
  assert.ok(sigmas < 4, `${sigmas}`)
  for (const key of keys.slice(0, 100)) {
    const all = rendezvous.getMany(key, 5)
    assert.equal(all[0], rendezvous.get(key))
    assert.deepEqual(new Rendezvous(weighted.filter(({ id }) => id !== all[0])).get(key), all[1])
  }
})
