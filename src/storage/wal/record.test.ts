import { deepEqual, equal, ok, throws } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Entry, EntryKind } from '../../core/index.ts'
import { WalError } from './errors.ts'
import { claimedLength, frameHeaderBytes, frameIntact, readFrameHeader } from './frame.ts'
import { FrameBuilder } from './frame-builder.ts'
import { sectorBytes, viewOf } from './layout.ts'
import { decodeRecords, type RecordSink, type RecordType, recordType } from './record.ts'

type Decoded = { type: RecordType; group: number; entry: Entry } | { type: 'restart'; group: number; index: number }

class Collector implements RecordSink {
  readonly records: Decoded[] = []
  wants(): boolean {
    return true
  }
  entry(type: RecordType, group: number, entry: Entry): void {
    const payload = Uint8Array.from(entry.payload)
    this.records.push({ type, group, entry: { ...entry, payload } })
  }
  restart(group: number, index: number): void {
    this.records.push({ type: 'restart', group, index })
  }
}

const uint53 = fc.oneof(fc.nat(300), fc.maxSafeNat(), fc.constantFrom(0xffff_ffff, 0x1_0000_0000, 2 ** 53 - 2))
const group = fc.oneof(fc.nat(5), fc.constant(0xffff_ffff))
const entries: fc.Arbitrary<Entry> = fc.record(
  {
    index: uint53.map((value) => Math.max(1, value)),
    term: uint53,
    kind: fc.constantFrom<EntryKind>('noop', 'command', 'configuration'),
    payload: fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ minLength: 400, maxLength: 2000 })),
  },
  { noNullPrototype: true },
)
const records: fc.Arbitrary<Decoded> = fc.oneof(
  fc.record(
    { type: fc.constantFrom(recordType.append, recordType.slot), group, entry: entries },
    { noNullPrototype: true },
  ),
  fc.record(
    { type: fc.constant('restart' as const), group, index: uint53.filter((index) => index > 0) },
    { noNullPrototype: true },
  ),
)

const header = { sequence: 2 ** 53 - 2, syncedSegment: 2 ** 32, syncedOffset: 4096 }

function build(list: readonly Decoded[], seed: number): { bytes: Uint8Array; length: number } {
  const builder = new FrameBuilder()
  for (const record of list) {
    if (record.type === 'restart') builder.addRestart(record.group, record.index)
    else builder.addEntries(record.type, record.group, [record.entry], 0, 1)
  }
  const { length } = builder
  return { bytes: builder.seal(header, seed), length }
}

function decode(bytes: Uint8Array, length: number, count: number): Decoded[] {
  const collector = new Collector()
  decodeRecords(bytes, viewOf(bytes), frameHeaderBytes, length, count, collector, () => 'frame')
  return collector.records
}

test('every record comes back from its frame', () => {
  fc.assert(
    fc.property(fc.array(records, { maxLength: 50 }), fc.nat(), (list, seed) => {
      const { bytes, length } = build(list, seed)
      const view = viewOf(bytes)
      equal(bytes.length % sectorBytes, 0)
      equal(claimedLength(view, 0, bytes.length), length)
      ok(frameIntact(bytes, view, 0, length, seed))
      deepEqual(readFrameHeader(view, 0), { ...header, length, recordCount: list.length })
      deepEqual(decode(bytes, length, list.length), list)
    }),
  )
})

test('every flipped bit and another seed make a frame invalid', () => {
  const one: Decoded = { type: 1, group: 1, entry: { index: 1, term: 1, kind: 'command', payload: new Uint8Array(9) } }
  const { bytes, length } = build([one], 77)
  const view = viewOf(bytes)
  ok(!frameIntact(bytes, view, 0, length, 78))
  for (let bit = 0; bit < length * 8; bit++) {
    bytes[bit >> 3]! ^= 1 << (bit & 7)
    const claimed = claimedLength(view, 0, bytes.length)
    ok(claimed === 0 || !frameIntact(bytes, view, 0, claimed, 77), `bit ${bit}`)
    bytes[bit >> 3]! ^= 1 << (bit & 7)
  }
})

test('bytes that are no records are refused with CORRUPT', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(6), (bytes, count) => {
      try {
        decodeRecords(bytes, viewOf(bytes), 0, bytes.length, count, new Collector(), () => 'frame')
      } catch (error) {
        ok(error instanceof WalError && error.code === 'CORRUPT', String(error))
      }
    }),
  )
  const { bytes, length } = build([{ type: 'restart', group: 1, index: 4 }], 0)
  throws(() => decode(bytes, length, 2), /runs past the end/)
  throws(() => decode(bytes, length, 0), /left over/)
  bytes[frameHeaderBytes] = 9
  throws(() => decode(bytes, length, 1), /unknown type/)
})
