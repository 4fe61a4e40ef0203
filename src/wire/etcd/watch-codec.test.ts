import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ProtobufWriter } from '../../base/index.ts'
import { decodeWatchMessage } from './watch-codec.ts'

test('a create request with every field', () => {
  const inner = new ProtobufWriter()
    .text(1, 'k')
    .text(2, 'l')
    .int(3, 300)
    .bool(4, true)
    .bytes(5, Uint8Array.of(0, 1))
    .bool(6, true)
    .int64(7, -1n)
    .bool(8, true)
    .finish()
  const message = new ProtobufWriter().bytes(1, inner).finish()
  const expected = {
    type: 'create',
    key: 'k',
    rangeEnd: 'l',
    startRevision: 300,
    watchId: -1n,
    progressNotify: true,
    noPut: true,
    noDelete: true,
    previous: true,
    fragment: true,
  }
  assert.deepEqual(decodeWatchMessage(message), expected)
  assert.deepEqual(decodeWatchMessage(message.subarray(0, -1)), { type: 'malformed' })
})

test('filters also come one by one, and unknown ones are passed over', () => {
  const inner = new ProtobufWriter().text(1, 'k').presentInt(5, 1).presentInt(5, 9).finish()
  const message = decodeWatchMessage(new ProtobufWriter().bytes(1, inner).finish())
  assert.ok(message.type === 'create' && message.noDelete && !message.noPut)
})

test('cancel, progress, nothing, and of several the last', () => {
  const cancel = (writer: ProtobufWriter): ProtobufWriter => writer.message(2, (inner) => inner.int64(1, 2n ** 62n))
  const progress = (writer: ProtobufWriter): ProtobufWriter => writer.message(3, () => {})
  assert.deepEqual(decodeWatchMessage(cancel(new ProtobufWriter()).finish()), { type: 'cancel', watchId: 2n ** 62n })
  assert.deepEqual(decodeWatchMessage(progress(new ProtobufWriter()).finish()), { type: 'progress' })
  assert.deepEqual(decodeWatchMessage(progress(cancel(new ProtobufWriter())).finish()), { type: 'progress' })
  assert.deepEqual(decodeWatchMessage(new Uint8Array(0)), { type: 'none' })
})

test('any bytes are decoded or called malformed', () => {
  const types = new Set(['create', 'cancel', 'progress', 'none', 'malformed'])
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc
      .tuple(fc.constantFrom(10, 18, 26), fc.uint8Array({ maxLength: 40 }))
      .map(([tag, rest]) => Uint8Array.of(tag, rest.length, ...rest)),
  )
  fc.assert(
    fc.property(bytes, (message) => assert.ok(types.has(decodeWatchMessage(message).type))),
    { numRuns: 2000 },
  )
})
