import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { Prng } from '../../base/index.ts'
import { jumpHash } from './jump-hash.ts'
import { chiSquaredSigmas } from './testing.ts'

test("gives the buckets of the paper's C++ code", () => {
  const lines = readFileSync(join(import.meta.dirname, 'testdata', 'jump-hash.txt'), 'utf8')
    .trimEnd()
    .split('\n')
  assert.equal(lines.length, 300)
  for (const line of lines) {
    const [key, buckets, bucket] = line.split(' ')
    const wide = BigInt(key!)
    assert.equal(jumpHash(Number(wide >> 32n), Number(wide & 0xffff_ffffn), Number(buckets)), Number(bucket), line)
  }
})

test('from n to n + 1 buckets a key stays or moves to the new one (§2)', () => {
  fc.assert(
    fc.property(
      fc.nat({ max: 0xffff_ffff }),
      fc.nat({ max: 0xffff_ffff }),
      fc.integer({ min: 1, max: 5000 }),
      (high, low, buckets) => {
        const before = jumpHash(high, low, buckets)
        const after = jumpHash(high, low, buckets + 1)
        assert.ok(after === before || after === buckets)
      },
    ),
    { seed: 2, numRuns: 3000 },
  )
})

/** Figure 1 in bigints. */
function wideJump(key: bigint, buckets: number): number {
  let [bucket, next, state] = [-1, 0, key]
  while (next < buckets) {
    bucket = next
    state = (state * 2862933555777941757n + 1n) & 0xffff_ffff_ffff_ffffn
    next = Math.floor((bucket + 1) * (2 ** 31 / (Number(state >> 33n) + 1)))
  }
  return bucket
}

test('its halves carry as 64 bits do, also where the low half overflows by the last 1', () => {
  let inverse = 1n
  for (let i = 0; i < 6; i++) inverse = (inverse * (2n - 0x87b0b0fdn * inverse)) & 0xffff_ffffn
  const overflowing = (0xffff_ffffn * inverse) & 0xffff_ffffn
  assert.equal((overflowing * 0x87b0b0fdn) & 0xffff_ffffn, 0xffff_ffffn)
  const random = new Prng('halves')
  const keys = Array.from({ length: 500 }, () => (BigInt(random.uint32()) << 32n) | BigInt(random.uint32()))
  for (let i = 0; i < 50; i++) keys.push((BigInt(random.uint32()) << 32n) | overflowing)
  for (const key of keys) {
    const ours = jumpHash(Number(key >> 32n), Number(key & 0xffff_ffffn), 0x7fff_ffff)
    assert.equal(ours, wideJump(key, 0x7fff_ffff), `${key}`)
  }
})

test('is even over the buckets', () => {
  const random = new Prng('jump')
  const counts = new Array<number>(37).fill(0)
  for (let i = 0; i < 100_000; i++) counts[jumpHash(random.uint32(), random.uint32(), 37)]!++
  assert.ok(
    chiSquaredSigmas(
      counts,
      counts.map(() => 1),
    ) < 4,
  )
})

test('refuses numbers of buckets that are none', () => {
  for (const buckets of [0, -1, 1.5, Number.NaN, 2 ** 31]) assert.throws(() => jumpHash(0, 1, buckets), RangeError)
})
