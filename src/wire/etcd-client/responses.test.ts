import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { binaryString, ProtobufWriter, utf8Bytes } from '../../base/index.ts'
import { encodeLeaseFields, encodeWatchFields } from '../etcd/testing/server-codecs.ts'
import {
  decodeAuthenticateResponse,
  decodeDeleteRangeResponse,
  decodeHeaderOnly,
  decodeLeaseTime,
  decodeRangeResponse,
  decodeStatusResponse,
  decodeTxnResponse,
  decodeWatchResponse,
  type ReceivedKeyValue,
} from './index.ts'

/** Answers as etcd itself encodes them, by name. */
const golden = new Map<string, Uint8Array>()
const file = new URL('../etcd/testdata/kv-responses.txt', import.meta.url)
for (const line of readFileSync(file, 'utf8').split('\n')) {
  const [name = '', bytes] = line.split(' ')
  if (bytes !== undefined && name !== '#') golden.set(name, Buffer.from(bytes, 'hex'))
}

const decoders = {
  header: decodeHeaderOnly,
  range: decodeRangeResponse,
  deleteRange: decodeDeleteRangeResponse,
  txn: decodeTxnResponse,
  lease: decodeLeaseTime,
  watch: decodeWatchResponse,
  status: decodeStatusResponse,
  authenticate: decodeAuthenticateResponse,
}

function goldenBytes(name: string): Uint8Array {
  const bytes = golden.get(name)
  assert.ok(bytes, name)
  return bytes
}

const keyValue: fc.Arbitrary<ReceivedKeyValue> = fc.record(
  {
    key: fc.uint8Array({ minLength: 1, maxLength: 300 }).map(binaryString),
    value: fc.uint8Array({ maxLength: 300 }),
    createRevision: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    modRevision: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    version: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    leaseId: fc.oneof(fc.constant(0n), fc.bigInt({ min: 1n, max: 2n ** 63n - 1n })),
  },
  { noNullPrototype: true },
)

function writeKeyValue(writer: ProtobufWriter, entry: ReceivedKeyValue): void {
  writer.binaryString(1, entry.key).int(2, entry.createRevision).int(3, entry.modRevision).int(4, entry.version)
  writer.bytes(5, entry.value).int64(6, entry.leaseId)
}

function writeHeader(writer: ProtobufWriter, revision: number): ProtobufWriter {
  return writer.message(1, (header) =>
    header
      .int64(1, 2n ** 64n - 1n)
      .int64(2, 7n)
      .int(3, revision)
      .int(4, 9),
  )
}

describe('answers', () => {
  it('of etcd are read: its own bytes', () => {
    assert.deepEqual(decodeHeaderOnly(goldenBytes('put-response')), { revision: 2, term: 3 })
    const range = decodeRangeResponse(goldenBytes('range-response'))!
    assert.deepEqual(
      range.entries.map(({ key, value, createRevision, modRevision, version, leaseId }) => [
        ...[key, Buffer.from(value).toString(), createRevision, modRevision, version, leaseId],
      ]),
      [
        ['x', 'three', 2, 4, 2, 0n],
        ['y', 'two', 3, 3, 1, 5n],
      ],
    )
    assert.deepEqual([range.revision, range.term, range.more], [4, 3, false])
    assert.equal(decodeRangeResponse(goldenBytes('range-response-keys-only'))?.more, true)
    assert.deepEqual(decodeRangeResponse(goldenBytes('range-response-empty'))?.entries, [])
    const deleted = decodeDeleteRangeResponse(goldenBytes('delete-range-response'))
    assert.deepEqual(deleted, { revision: 6, term: 3, deleted: 1 })
  })

  it('to a transaction that holds a transaction are refused: nobody asked for one', () => {
    assert.equal(decodeTxnResponse(goldenBytes('txn-response')), undefined)
  })

  it('to ranges come as they were written', () => {
    fc.assert(
      fc.property(fc.array(keyValue, { maxLength: 5 }), fc.boolean(), (entries, more) => {
        const writer = writeHeader(new ProtobufWriter(), 300)
        for (const entry of entries) writer.message(2, (inner) => writeKeyValue(inner, entry))
        const bytes = writer.bool(3, more).int(4, 12).finish()
        assert.deepEqual(decodeRangeResponse(bytes), { revision: 300, term: 9, entries, more })
      }),
    )
  })

  it('to transactions come as they were written', () => {
    fc.assert(
      fc.property(keyValue, fc.boolean(), fc.nat(), (entry, succeeded, deleted) => {
        const writer = writeHeader(new ProtobufWriter(), 300).bool(2, succeeded)
        const short = (inner: ProtobufWriter) => inner.message(1, (header) => header.int(3, 300))
        writer.message(3, (op) => op.message(1, (inner) => short(inner).message(2, (kv) => writeKeyValue(kv, entry))))
        writer.message(3, (op) => op.message(2, short))
        writer.message(3, (op) => op.message(3, (inner) => short(inner).int(2, deleted)))
        assert.deepEqual(decodeTxnResponse(writer.finish()), {
          ...{ revision: 300, term: 9, succeeded },
          answers: [
            { type: 'range', revision: 300, term: 0, entries: [entry], more: false },
            { type: 'put', revision: 300, term: 0 },
            { type: 'delete', revision: 300, term: 0, deleted },
          ],
        })
      }),
    )
  })

  it('of watches come as the server writes them', () => {
    fc.assert(
      fc.property(fc.array(keyValue, { maxLength: 5 }), fc.boolean(), fc.boolean(), (entries, deletions, fragment) => {
        const event = new ProtobufWriter()
        for (const entry of entries)
          event.message(11, (inner) => inner.int(1, deletions ? 1 : 0).message(2, (kv) => writeKeyValue(kv, entry)))
        const fields = encodeWatchFields({ watchId: 7n, fragment })
        const header = writeHeader(new ProtobufWriter(), 300).finish()
        const answer = decodeWatchResponse(Buffer.concat([header, fields, event.finish()]))
        assert.deepEqual(answer, {
          ...{ revision: 300, term: 9, watchId: 7, created: false, canceled: false, compactRevision: 0 },
          ...{ cancelReason: '', fragment },
          events: entries.map((entry) =>
            deletions
              ? { type: 'delete', key: entry.key, revision: entry.modRevision }
              : { type: 'put', entry, revision: entry.modRevision },
          ),
        })
      }),
    )
    const refusal = encodeWatchFields({ watchId: -1n, created: true, canceled: true, cancelReason: 'no' })
    assert.deepEqual(decodeWatchResponse(refusal), {
      ...{ revision: 0, term: 0, watchId: -1, created: true, canceled: true, compactRevision: 0 },
      ...{ cancelReason: 'no', fragment: false, events: [] },
    })
  })

  it('about leases come as the server writes them', () => {
    const answer = decodeLeaseTime(encodeLeaseFields(2n ** 62n, 60))
    assert.deepEqual(answer, { revision: 0, term: 0, leaseId: 2n ** 62n, ttlSeconds: 60 })
    assert.equal(decodeLeaseTime(encodeLeaseFields(5n, 0))?.ttlSeconds, 0)
  })

  it('keep their values when the received memory is used again', () => {
    const bytes = Uint8Array.from(goldenBytes('range-response'))
    const range = decodeRangeResponse(bytes)!
    bytes.fill(0)
    assert.deepEqual(range.entries[0]!.value, utf8Bytes('three'))
  })
})

describe('bytes of any kind', () => {
  const some = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    // Close to the real thing: one byte of a real answer is another, or its end is missing.
    fc.tuple(fc.constantFrom(...golden.values()), fc.nat(), fc.nat(255), fc.nat()).map(([bytes, at, byte, length]) => {
      const changed = Uint8Array.from(bytes)
      changed[at % changed.length] = byte
      return changed.subarray(0, length % (changed.length + 1))
    }),
  )

  for (const [name, decode] of Object.entries(decoders)) {
    it(`are read as ${name} or refused, never more`, () => {
      fc.assert(
        fc.property(some, (bytes) => {
          const answer = decode(bytes)
          assert.ok(answer === undefined || answer.revision !== undefined)
        }),
        { numRuns: 3000 },
      )
    })
  }

  it('that end too early are refused', () => {
    const bytes = goldenBytes('range-response')
    assert.equal(decodeRangeResponse(bytes.subarray(0, bytes.length - 3)), undefined)
    assert.equal(decodeTxnResponse(goldenBytes('txn-response').subarray(0, 30)), undefined)
  })

  it('that claim key-values without a key or a revision are refused', () => {
    assert.equal(decodeRangeResponse(Uint8Array.of(0x12, 0)), undefined)
    const noRevision = new ProtobufWriter().message(2, (kv) => kv.text(1, 'key')).finish()
    assert.equal(decodeRangeResponse(noRevision), undefined)
    assert.equal(decodeWatchResponse(Uint8Array.of(0x5a, 0)), undefined)
  })
})
