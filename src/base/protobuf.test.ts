import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { binaryString } from './bytes.ts'
import { bytesTag, ProtobufReader, varintTag } from './protobuf.ts'
import {
  bytesFieldSize,
  int64FieldSize,
  intFieldSize,
  ProtobufWriter,
  putBytesHead,
  putInt64Field,
  putIntField,
  putVarint,
  putVarint64,
  varint64Size,
  varintSize,
} from './protobuf-writer.ts'

const anyInt64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })

function reading(...bytes: number[]): ProtobufReader {
  return new ProtobufReader(Uint8Array.from(bytes))
}

describe('varints', () => {
  it('come back as they were put, in the size foretold', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), (value) => {
        const target = new Uint8Array(12)
        const end = putVarint(target, 1, value)
        assert.equal(end - 1, varintSize(value))
        assert.equal(new ProtobufReader(target, 1, end).int64Number(), value)
        assert.equal(new ProtobufReader(target, 1, end).int64(), BigInt(value))
      }),
    )
    fc.assert(
      fc.property(anyInt64, (value) => {
        const target = new Uint8Array(12)
        const end = putVarint64(target, 0, value)
        assert.equal(end, varint64Size(value))
        assert.equal(new ProtobufReader(target, 0, end).int64(), value)
        assert.equal(new ProtobufReader(target, 0, end).uint64(), BigInt.asUintN(64, value))
      }),
    )
  })

  it('at the edges of each length', () => {
    for (let bits = 0; bits <= 53; bits++) {
      for (const value of [2 ** bits - 1, 2 ** bits].filter(Number.isSafeInteger)) {
        const target = new Uint8Array(12)
        assert.equal(putVarint(target, 0, value), varintSize(value), String(value))
        assert.equal(reading(...target).number(), value)
      }
    }
  })

  it('beyond what a number can hold are cut to the limit', () => {
    const ones = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]
    assert.equal(reading(...ones).number(), Number.MAX_SAFE_INTEGER)
    assert.equal(reading(...ones).int64Number(), -1)
    const [max, min] = [new Uint8Array(10), new Uint8Array(10)]
    putVarint64(max, 0, 2n ** 63n - 1n)
    putVarint64(min, 0, -(2n ** 63n))
    assert.equal(reading(...max).int64Number(), Number.MAX_SAFE_INTEGER)
    assert.equal(reading(...min).int64Number(), -Number.MAX_SAFE_INTEGER)
    assert.equal(reading(...ones).int32(), -1)
  })

  it('that do not end, or are too long, are malformed', () => {
    for (const bytes of [[], [0x80], Array<number>(9).fill(0xff), Array<number>(11).fill(0xff)]) {
      const reader = reading(...bytes)
      assert.equal(reader.number(), 0)
      assert.equal(reader.malformed, true)
      assert.equal(reader.next(), false)
    }
  })
})

describe('a reader', () => {
  it('walks fields and skips those it does not know, groups too', () => {
    const bytes = [
      ...[0x08, 0x05], // 1: 5
      ...[0x13, 0x18, 0x01, 0x1b, 0x1c, 0x14], // 2: group { 3: 1, group 3 {} }
      ...[0x21, 1, 2, 3, 4, 5, 6, 7, 8], // 4: 64 bits
      ...[0x2d, 1, 2, 3, 4], // 5: 32 bits
      ...[0x32, 2, 0x61, 0x62], // 6: "ab"
    ]
    const reader = reading(...bytes)
    const seen: (string | number)[] = []
    while (reader.next()) {
      if (reader.tag === varintTag(1)) seen.push(reader.number())
      else if (reader.tag === bytesTag(6)) {
        reader.bytes()
        seen.push(reader.binaryString())
      } else reader.skip()
    }
    assert.deepEqual(seen, [5, 'ab'])
    assert.equal(reader.malformed, false)
  })

  it('refuses field 0, unknown wire types, ends without groups, and lengths past the end', () => {
    const bad = [[0x00, 0x01], [0x0e], [0x0f], [0x0c], [0x0a, 0x05, 0x61], [0x0b, 0x08, 0x01], [0x09, 1, 2]]
    for (const bytes of bad) {
      const reader = reading(...bytes)
      while (reader.next()) reader.skip()
      assert.equal(reader.malformed, true, bytes.join())
    }
  })

  it('refuses groups that are nested without end', () => {
    const reader = reading(...Array<number>(10_000).fill(0x0b))
    while (reader.next()) reader.skip()
    assert.equal(reader.malformed, true)
  })

  it('reads a sub-message and goes on after it, whatever is left unread in it', () => {
    const reader = reading(0x0a, 4, 0x08, 0x07, 0x10, 0x09, 0x10, 0x03)
    assert.equal(reader.next(), true)
    const outerEnd = reader.enter()
    assert.equal(reader.next() && reader.number(), 7)
    reader.leave(outerEnd)
    assert.equal(reader.next() && reader.number(), 3)
    assert.equal(reader.malformed, false)
  })

  it('never leaves its part of the buffer, whatever bytes it reads and however it is asked', () => {
    const ask: ((reader: ProtobufReader) => unknown)[] = [
      (reader) => reader.number(),
      (reader) => reader.int64(),
      (reader) => reader.bool(),
      (reader) => reader.skip(),
      (reader) => {
        reader.bytes()
        assert.ok(reader.start <= reader.stop && reader.stop <= reader.end)
        return reader.view().length + reader.text().length
      },
    ]
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.array(fc.nat(4)), fc.nat(10), (bytes, asks, cut) => {
        const end = Math.max(0, bytes.length - cut)
        const reader = new ProtobufReader(bytes, 0, end)
        for (const which of asks) {
          if (!reader.next()) break
          ask[which]?.(reader)
          assert.ok(reader.offset <= end)
        }
      }),
      { numRuns: 5000 },
    )
  })
})

describe('a writer', () => {
  it('leaves out defaults and writes sub-messages of any length', () => {
    const writer = new ProtobufWriter(1)
    writer.int(1, 0).int64(2, 0n).bool(3, false).bytes(4, new Uint8Array(0)).text(5, '').binaryString(6, '')
    assert.equal(writer.length, 0)
    for (const length of [0, 1, 127, 128, 300, 20_000]) {
      writer.clear()
      const inner = new Uint8Array(length).fill(0x61)
      writer.message(1, (message) => message.bytes(2, inner)).int(3, 1)
      const reader = new ProtobufReader(writer.finish())
      assert.equal(reader.next() && reader.tag, bytesTag(1))
      const outerEnd = reader.enter()
      if (length > 0) {
        assert.equal(reader.next() && reader.tag, bytesTag(2))
        reader.bytes()
        assert.equal(reader.stop - reader.start, length)
      }
      assert.equal(reader.next(), false)
      reader.leave(outerEnd)
      assert.equal(reader.next() && reader.tag === varintTag(3) && reader.number(), 1)
      assert.equal(reader.malformed, false)
    }
  })

  it('and the functions for sized buffers write the same, in the size foretold', () => {
    const anyField = fc.integer({ min: 1, max: 5000 })
    fc.assert(
      fc.property(anyField, fc.maxSafeInteger(), anyInt64, fc.uint8Array(), (field, int, int64, bytes) => {
        const size = intFieldSize(field, int) + int64FieldSize(field, int64) + bytesFieldSize(field, bytes.length)
        const sized = new Uint8Array(size)
        const at = putBytesHead(
          sized,
          putInt64Field(sized, putIntField(sized, 0, field, int), field, int64),
          field,
          bytes.length,
        )
        sized.set(bytes, at)
        assert.equal(at + bytes.length, size)
        const grown = new ProtobufWriter(1).int(field, int).int64(field, int64).presentBytes(field, bytes).finish()
        assert.equal(binaryString(grown), binaryString(sized))
      }),
    )
  })
})
