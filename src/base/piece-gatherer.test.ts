import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { PieceGatherer } from './index.ts'

test('pieces of one octet become few, and every byte stays in its place', () => {
  const list: Uint8Array[] = []
  const gatherer = new PieceGatherer()
  for (let i = 0; i < 100_000; i++) gatherer.append(list, Uint8Array.of(i & 0xff))
  assert.ok(list.length < 100, `${list.length} pieces`)
  const all = Buffer.concat(list)
  assert.equal(all.length, 100_000)
  assert.ok(all.every((octet, i) => octet === (i & 0xff)))
})

test('whatever is appended, and taken off the front, comes out in order; what was seen never changes', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: 1, max: 600 }), fc.integer({ min: 0, max: 3 })), { maxLength: 300 }),
      (steps) => {
        const list: Uint8Array[] = []
        const gatherer = new PieceGatherer()
        const taken: Uint8Array[] = []
        const seen: { readonly piece: Uint8Array; readonly copy: Buffer }[] = []
        let next = 0
        for (const [length, take] of steps) {
          gatherer.append(
            list,
            Uint8Array.from({ length }, () => next++ & 0xff),
          )
          for (const piece of list) seen.push({ piece, copy: Buffer.from(piece) })
          // Leaves enough for the gathering to go on.
          if (list.length > 36) taken.push(...list.splice(0, take))
        }
        const all = Buffer.concat([...taken, ...list])
        assert.ok(all.every((octet, i) => octet === (i & 0xff)))
        assert.equal(all.length, next)
        for (const { piece, copy } of seen) assert.ok(copy.equals(piece))
      },
    ),
    { numRuns: 50 },
  )
})
