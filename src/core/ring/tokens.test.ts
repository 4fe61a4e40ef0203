import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { KetamaRing } from './ketama.ts'
import { someKeys } from './testing.ts'
import { TokenRing } from './token-ring.ts'
import { runSteps, sortingTokens, tokensPerStep } from './tokens.ts'

function naive(values: readonly number[]): readonly (readonly [value: number, owner: number])[] {
  return values.map((value, owner) => [value, owner] as const).sort(([a], [b]) => a - b)
}

describe('sorting tokens', () => {
  it('is what a stable sort gives, spread or crowded', () => {
    const spread = fc.array(fc.nat(0xffff_ffff), { maxLength: 3_000, size: 'max' })
    // Few values in few buckets: crowds of equal ones, and of neighbours.
    const crowded = fc.array(fc.integer({ min: 0x1000_0000, max: 0x1000_0040 }), { maxLength: 600, size: 'max' })
    fc.assert(
      fc.property(fc.oneof(spread, crowded), (values) => {
        const tokens = { values: Uint32Array.from(values), owners: Uint32Array.from(values, (_, at) => at) }
        const sorted = runSteps(sortingTokens(tokens))
        assert.deepEqual(
          Array.from(sorted.values, (value, at) => [value, sorted.owners[at]]),
          naive(values),
        )
      }),
      { numRuns: 60 },
    )
  })
})

describe('a ring that changes', () => {
  it('has the tokens of those that stay and of those that come, equal ones by owner', () => {
    // Few values, so that many are equal.
    const token = fc.integer({ min: 0, max: 6 })
    const owned = fc.record({ owner: fc.nat(5), token, isFresh: fc.boolean() })
    fc.assert(
      fc.property(fc.array(owned, { maxLength: 60 }), fc.uniqueArray(fc.nat(5), { maxLength: 3 }), (all, leaving) => {
        const names = [0, 1, 2, 3, 4, 5]
        const staying = names.filter((name) => !leaving.includes(name))
        const ownerNow = Int32Array.from(names, (name) => staying.indexOf(name))
        const sorted = (list: readonly { readonly owner: number; readonly token: number }[]) =>
          [...list].sort((a, b) => a.token - b.token || a.owner - b.owner)
        const tokens = (list: readonly { readonly owner: number; readonly token: number }[]) => ({
          values: Uint32Array.from(list, (each) => each.token),
          owners: Uint32Array.from(list, (each) => each.owner),
        })
        const before = tokens(sorted(all.filter(({ isFresh }) => !isFresh)))
        const renamed = all.filter(({ owner }) => ownerNow[owner]! >= 0)
        const now = renamed.map((each) => ({ ...each, owner: ownerNow[each.owner]! }))
        const fresh = tokens(sorted(now.filter(({ isFresh }) => isFresh)))
        const expected = tokens(sorted(now))
        const old = new TokenRing(before.values, before.owners, names.length)
        const none = tokens([])
        const ring = runSteps(old.changing(ownerNow, fresh, none, staying.length, now.length))
        assert.deepEqual({ values: ring.tokens, owners: ring.owners }, expected)
        // And back: what came goes again, token by token.
        const goes = runSteps(
          ring.changing(
            Int32Array.from(staying, (_, at) => at),
            none,
            fresh,
            staying.length,
            now.length - fresh.values.length,
          ),
        )
        assert.deepEqual(
          { values: goes.tokens, owners: goes.owners },
          tokens(sorted(now.filter(({ isFresh }) => !isFresh))),
        )
      }),
    )
  })
})

describe('a ketama ring in steps', () => {
  const all = Array.from({ length: 10_000 }, (_, at) => ({ host: `10.0.${at >> 8}.${at & 255}`, port: 80 }))
  const pointCount = 160 * all.length

  it('is the ring that is made at once, also out of another one', () => {
    let ring = new KetamaRing([])
    for (const servers of [all.slice(0, 300), all.slice(20, 310), [...all.slice(0, 300)].reverse(), []]) {
      const anew = new KetamaRing(servers)
      ring = KetamaRing.building(servers, ring).finish()
      assert.deepEqual([ring.size, ring.servers], [anew.size, servers])
      for (const key of someKeys(1_000)) assert.equal(ring.get(key), anew.get(key))
    }
  })

  it('does no more in one step than its share', () => {
    const first = KetamaRing.building(all)
    let steps = 1
    while (!first.step()) steps++
    // Names are hashed 2,048 at a time, and tokens are counted, laid out, and put in order.
    assert.ok(steps >= pointCount / 4 / 2_100 + (3 * pointCount) / (1.1 * tokensPerStep), `${steps} steps`)
    const update = KetamaRing.building(all.slice(1), first.finish())
    steps = 1
    while (!update.step()) steps++
    assert.ok(steps >= pointCount / tokensPerStep, `${steps} steps`)
  })

  it('tells of a weight that is none', () => {
    assert.throws(() => KetamaRing.building([{ host: 'a', port: 1, weight: -1 }]).finish(), /weight -1/)
  })
})
