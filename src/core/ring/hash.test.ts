import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { fnv1a, mix32, mixPair, murmur3, xxhash32 } from './hash.ts'
import { md5Words } from './md5.ts'
import { chiSquaredSigmas, someKeys } from './testing.ts'

interface Vector {
  readonly key: string
  readonly murmur3: number
  readonly murmur3Seeded: number
  readonly xxhash32: number
  readonly xxhash32Seeded: number
  readonly fnv1a: number
  readonly md5: string
}

const vectors = JSON.parse(readFileSync(join(import.meta.dirname, 'testdata', 'hashes.json'), 'utf8')) as Vector[]

function md5Hex(key: string): string {
  const bytes = Buffer.alloc(16)
  md5Words(key).forEach((word, i) => {
    bytes.writeUInt32LE(word, i * 4)
  })
  return bytes.toString('hex')
}

test("the hashes are those of Python's mmh3, xxhash and hashlib", () => {
  assert.ok(vectors.length >= 15)
  for (const vector of vectors) {
    const { key } = vector
    const ours = {
      key,
      murmur3: murmur3(key),
      murmur3Seeded: murmur3(key, 0x9747b28c),
      xxhash32: xxhash32(key),
      xxhash32Seeded: xxhash32(key, 0x9e3779b1),
      fnv1a: fnv1a(key),
      md5: md5Hex(key),
    }
    assert.deepEqual(ours, vector)
  }
})

test("MD5 is node:crypto's, for any text", () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 500 }), (key) => {
      assert.equal(md5Hex(key), createHash('md5').update(key, 'utf8').digest('hex'))
    }),
    { seed: 1, numRuns: 500 },
  )
  // Around what the kept buffer holds, one to three bytes a character.
  for (const unit of ['k', 'é', '€']) {
    for (const length of [340, 341, 342, 512, 600, 1024, 1025]) {
      const key = unit.repeat(length)
      assert.equal(md5Hex(key), createHash('md5').update(key).digest('hex'), `${length} times ${unit}`)
    }
  }
  for (let length = 50; length < 140; length++) {
    const key = 'z'.repeat(length)
    assert.equal(md5Hex(key), createHash('md5').update(key).digest('hex'), `${length} bytes`)
  }
})

test('halves of surrogate pairs hash as the replacement character does', () => {
  assert.equal(murmur3('a\ud800b'), murmur3('a\ufffdb'))
  assert.equal(md5Hex('\udc00'.repeat(600)), md5Hex('\ufffd'.repeat(600)))
})

test('mix32 is a bijection on what is tried, and mixPair depends on both', () => {
  assert.equal(new Set(Array.from({ length: 100_000 }, (_, i) => mix32(i))).size, 100_000)
  const buckets = new Array<number>(64).fill(0)
  for (let a = 0; a < 300; a++) for (let b = 0; b < 300; b++) buckets[mixPair(a, b) >>> 26]!++
  assert.ok(
    Math.abs(
      chiSquaredSigmas(
        buckets,
        buckets.map(() => 1),
      ),
    ) < 4,
  )
})

test('the low and the high bits of each hash are even over short keys', () => {
  const keys = someKeys(50_000, 'even')
  for (const hash of [murmur3, xxhash32, fnv1a]) {
    const low = new Array<number>(100).fill(0)
    for (const key of keys) low[hash(key) % 100]!++
    assert.ok(
      chiSquaredSigmas(
        low,
        low.map(() => 1),
      ) < 4,
      hash.name,
    )
  }
  for (const hash of [murmur3, xxhash32]) {
    const high = new Array<number>(128).fill(0)
    for (const key of keys) high[hash(key) >>> 25]!++
    assert.ok(
      chiSquaredSigmas(
        high,
        high.map(() => 1),
      ) < 4,
      hash.name,
    )
  }
})
