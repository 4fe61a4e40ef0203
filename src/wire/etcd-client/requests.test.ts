import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { binaryString, ProtobufReader } from '../../base/index.ts'
import {
  decodeDeleteRangeRequest,
  decodeLeaseGrantRequest,
  decodeLeaseRevokeRequest,
  decodePutRequest,
  decodeRangeRequest,
  decodeTxnRequest,
} from '../../engine/coordination/index.ts'
import { deleteRangeRequest, putRequest, rangeRequest } from '../../engine/coordination/testing/encode-requests.ts'
import { decodeWatchMessage } from '../etcd/testing/server-codecs.ts'
import {
  encodeDeleteRangeRequest,
  encodeLeaseGrantRequest,
  encodeLeaseIdRequest,
  encodePutRequest,
  encodeRangeRequest,
  encodeTxnRequest,
  encodeWatchCancellation,
  encodeWatchCreation,
  encodeWatchProgressRequest,
  type RangeQuery,
  type SentCompare,
  type SentOperation,
} from './index.ts'

const key = fc.uint8Array({ minLength: 1, maxLength: 300 }).map(binaryString)
const end = fc.oneof(fc.constant(''), fc.constant('\0'), key)
const value = fc.uint8Array({ maxLength: 300 })
const leaseId = fc.oneof(fc.constant(0n), fc.bigInt({ min: 1n, max: 2n ** 63n - 1n }))
const revision = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }))
const query: fc.Arbitrary<RangeQuery> = fc.record(
  { end, limit: fc.nat(), revision, serializable: fc.boolean(), keysOnly: fc.boolean() },
  { requiredKeys: [] },
)
const operation: fc.Arbitrary<SentOperation> = fc.oneof(
  fc.record({ type: fc.constant('range' as const), key, query }),
  fc.record({ type: fc.constant('put' as const), key, value, leaseId }),
  fc.record({ type: fc.constant('delete' as const), key, end }),
)
const compare: fc.Arbitrary<SentCompare> = fc.oneof(
  fc.record({
    key,
    target: fc.constantFrom('version' as const, 'createRevision' as const, 'modRevision' as const),
    is: fc.constantFrom('=' as const, '!=' as const, '<' as const, '>' as const),
    number: revision,
  }),
  fc.record({
    key,
    target: fc.constant('value' as const),
    is: fc.constantFrom('=' as const, '!=' as const),
    value,
  }),
)

function decoded<T>(bytes: Uint8Array, decode: (reader: ProtobufReader) => T): T {
  const reader = new ProtobufReader(bytes)
  const message = decode(reader)
  assert.equal(reader.malformed, false)
  assert.equal(reader.offset, bytes.length)
  return message
}

/** As the server sees it. */
function received(sent: SentOperation) {
  switch (sent.type) {
    case 'range':
      return rangeRequest(sent.key, { ...receivedQuery(sent.query) })
    case 'put':
      return putRequest(sent.key, Buffer.from(sent.value), { lease: sent.leaseId })
    case 'delete':
      return deleteRangeRequest(sent.key, { end: sent.end === '' ? undefined : sent.end })
  }
}

function receivedQuery({ end = '', limit = 0, revision = 0, serializable = false, keysOnly = false }: RangeQuery) {
  return { end: end === '' ? undefined : end, limit, revision, serializable, keysOnly }
}

const results = { '=': 0, '>': 1, '<': 2, '!=': 3 }
const targets = { version: 0, createRevision: 1, modRevision: 2, value: 3 }

function receivedCompare(sent: SentCompare) {
  return {
    key: sent.key,
    end: undefined,
    result: results[sent.is],
    target: targets[sent.target],
    number: sent.target === 'value' ? 0 : sent.number,
    lease: 0n,
    value: sent.target === 'value' ? Buffer.from(sent.value) : Buffer.alloc(0),
  }
}

/** Buffers and plain arrays of the same bytes are equal, as are objects of the same fields. */
function plain(message: unknown): unknown {
  if (message instanceof Uint8Array) return Buffer.from(message).toString('hex')
  if (Array.isArray(message)) return message.map(plain)
  if (typeof message !== 'object' || message === null) return message
  return Object.fromEntries(Object.entries(message).map(([name, field]) => [name, plain(field)]))
}

test('the server reads what the client wrote: ranges, puts, deletions', () => {
  fc.assert(
    fc.property(operation, (sent) => {
      if (sent.type === 'range')
        assert.deepEqual(decoded(encodeRangeRequest(sent.key, sent.query), decodeRangeRequest), received(sent))
      else if (sent.type === 'put')
        assert.deepEqual(
          plain(decoded(encodePutRequest(sent.key, sent.value, sent.leaseId), decodePutRequest)),
          plain(received(sent)),
        )
      else
        assert.deepEqual(
          decoded(encodeDeleteRangeRequest(sent.key, sent.end), decodeDeleteRangeRequest),
          received(sent),
        )
    }),
    { numRuns: 500 },
  )
})

test('the server reads what the client wrote: transactions', () => {
  const some = fc.array(operation, { maxLength: 4 })
  fc.assert(
    fc.property(fc.array(compare, { maxLength: 4 }), some, some, (compares, success, failure) => {
      const request = encodeTxnRequest(compares, success, failure)
      assert.deepEqual(
        plain(decoded(request, (reader) => decodeTxnRequest(reader))),
        plain({
          type: 'txn',
          compares: compares.map(receivedCompare),
          success: success.map(received),
          failure: failure.map(received),
        }),
      )
    }),
    { numRuns: 500 },
  )
})

test('the server reads what the client wrote: leases', () => {
  fc.assert(
    fc.property(leaseId, fc.nat(), (id, ttlSeconds) => {
      assert.deepEqual(decoded(encodeLeaseGrantRequest(id, ttlSeconds), decodeLeaseGrantRequest), { id, ttlSeconds })
      assert.equal(decoded(encodeLeaseIdRequest(id), decodeLeaseRevokeRequest), id)
    }),
  )
})

test('the server reads what the client wrote: watches', () => {
  fc.assert(
    fc.property(key, end, revision, fc.integer({ min: 1, max: 2 ** 40 }), (key, end, fromRevision, watchId) => {
      assert.deepEqual(decodeWatchMessage(encodeWatchCreation({ watchId, key, end, fromRevision })), {
        ...{ type: 'create', key, rangeEnd: end, startRevision: fromRevision, watchId: BigInt(watchId) },
        ...{ progressNotify: true, noPut: false, noDelete: false, previous: false, fragment: true },
      })
      const cancellation = decodeWatchMessage(encodeWatchCancellation(watchId))
      assert.deepEqual(cancellation, { type: 'cancel', watchId: BigInt(watchId) })
    }),
  )
  assert.deepEqual(decodeWatchMessage(encodeWatchProgressRequest()), { type: 'progress' })
})
