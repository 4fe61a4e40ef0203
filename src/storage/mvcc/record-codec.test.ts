import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  compareKey,
  hasKey,
  keyAt,
  putLength,
  RecordReader,
  tombstoneLength,
  varintLength,
  writePut,
  writeTombstone,
  writeVarint,
} from './record-codec.ts'

const anyKey = fc.uint8Array({ maxLength: 200, size: 'max' }).map((bytes) => Buffer.from(bytes).toString('latin1'))
const anyRevision = fc.oneof(
  fc.constantFrom(1, 127, 128, 2 ** 28 - 1, 2 ** 28, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 49, 2 ** 53 - 1),
  fc.maxSafeNat().map((value) => value || 1),
)
const anyLease = fc.oneof(
  fc.constantFrom(0n, 1n, -1n, 2n ** 63n - 1n, -(2n ** 63n)),
  fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
)

describe('record codec', () => {
  it('reads what it wrote, and takes the length it said', () => {
    const arbitraries = [
      anyKey,
      anyRevision,
      anyRevision,
      anyRevision,
      fc.uint8Array({ maxLength: 300, size: 'max' }),
      anyLease,
    ] as const
    fc.assert(
      fc.property(...arbitraries, (key, create, mod, version, value, lease) => {
        const target = Buffer.alloc(1000, 0xee)
        const end = writePut(target, 3, key, create, mod, version, value, lease)
        assert.equal(end - 3, putLength(key, create, mod, version, value, lease))
        assert.equal(target[end], 0xee)
        const reader = new RecordReader()
        assert.equal(reader.read(target, 3, end), true)
        assert.deepEqual([reader.createRevision, reader.modRevision, reader.version], [create, mod, version])
        assert.equal(reader.lease(), lease)
        assert.deepEqual(new Uint8Array(target.subarray(reader.valueStart, reader.valueEnd)), value)
        assert.equal(target.latin1Slice(reader.keyStart, reader.keyEnd), key)
        assert.equal(keyAt(target, 3), key)
        for (let cut = 3; cut < end; cut++) {
          const isRecord = reader.read(target, 3, cut)
          assert.ok(!isRecord || cut === reader.valueFieldStart || cut === reader.valueEnd || reader.version === 0)
        }
      }),
    )
  })

  it('writes tombstones as key and modification revision', () => {
    fc.assert(
      fc.property(anyKey, anyRevision, (key, mod) => {
        const target = Buffer.alloc(300)
        const end = writeTombstone(target, 0, key, mod)
        assert.equal(end, tombstoneLength(key, mod))
        const reader = new RecordReader()
        assert.equal(reader.read(target, 0, end), true)
        assert.deepEqual([reader.modRevision, reader.version, reader.createRevision, reader.lease()], [mod, 0, 0, 0n])
      }),
    )
  })

  it('compares keys in place as byte strings', () => {
    const target = Buffer.alloc(300)
    fc.assert(
      fc.property(anyKey, anyKey, (key, other) => {
        writeTombstone(target, 0, key, 5)
        assert.equal(hasKey(target, 0, other), key === other)
        assert.equal(hasKey(target, 0, key), true)
        assert.equal(compareKey(target, 0, key), 0)
        assert.equal(Math.sign(compareKey(target, 0, other)), key < other ? -1 : key > other ? 1 : 0)
      }),
    )
  })

  it('counts varint bytes right at every border', () => {
    const target = Buffer.alloc(20)
    for (let bits = 0; bits <= 52; bits++) {
      for (const value of [2 ** bits - 1, 2 ** bits, 2 ** bits + 1]) {
        assert.equal(writeVarint(target, 0, value), varintLength(value), String(value))
      }
    }
    assert.equal(varintLength(Number.MAX_SAFE_INTEGER), 8)
  })

  it('never fails on bytes from outside', () => {
    const reader = new RecordReader()
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        assert.equal(typeof reader.read(bytes, 0, bytes.length), 'boolean')
      }),
      { numRuns: 2000 },
    )
    assert.equal(reader.read(Buffer.from('18ffffffffffffffffff01', 'hex'), 0, 11), false)
  })
})
