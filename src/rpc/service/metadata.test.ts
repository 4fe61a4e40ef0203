import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  addOutcome,
  decodeErrorDetails,
  encodeErrorDetails,
  type MetadataValue,
  metadataFrom,
  outcomeOf,
} from './index.ts'

describe('metadata', () => {
  it('names are told in lower case', () => {
    assert.deepEqual([...metadataFrom({ 'X-A': 'b' })], [['x-a', 'b']])
  })

  it('too much of it is refused', () => {
    assert.throws(() => metadataFrom({ a: 'x'.repeat(40_000) }), { code: 'INVALID_ARGUMENT' })
  })
})

describe('what an error carries', () => {
  it('details are read as they were written, and bytes that are none give none', () => {
    const detail = fc.record(
      { typeUrl: fc.string({ unit: 'binary' }), value: fc.uint8Array() },
      { noNullPrototype: true },
    )
    fc.assert(
      fc.property(fc.array(detail, { maxLength: 5 }), fc.nat(16), fc.string(), (details, code, message) => {
        assert.deepEqual(decodeErrorDetails(encodeErrorDetails(code, message, details)), details)
      }),
    )
    fc.assert(fc.property(fc.uint8Array(), (bytes) => Array.isArray(decodeErrorDetails(bytes))))
  })

  it('an outcome travels only where the code says another', () => {
    const trailers = new Map<string, MetadataValue>()
    addOutcome(trailers, 'NOT_FOUND', 'not-applied')
    addOutcome(trailers, 'INTERNAL', 'unknown')
    assert.equal(trailers.size, 0)
    assert.deepEqual([outcomeOf('NOT_FOUND', trailers), outcomeOf('INTERNAL', trailers)], ['not-applied', 'unknown'])
    addOutcome(trailers, 'NOT_FOUND', 'unknown')
    assert.equal(outcomeOf('NOT_FOUND', trailers), 'unknown')
  })
})
