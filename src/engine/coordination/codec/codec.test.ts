import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { assertDefined, binaryString, ProtobufReader } from '../../../base/index.ts'
import { compareResults, compareTargets, type Operation } from '../messages.ts'
import {
  compare,
  deleteRangeRequest,
  encodeRequest,
  putRequest,
  rangeRequest,
  txnRequest,
} from '../testing/encode-requests.ts'
import {
  commandTypes,
  decodeAlarmRequest,
  decodeCompactRequest,
  decodeDeleteRangeRequest,
  decodeLeaseGrantRequest,
  decodeLeaseRevokeRequest,
  decodePutRequest,
  decodeRangeRequest,
  decodeTxnRequest,
  encodeAlarmRequest,
  encodeCommand,
  encodeCompactRequest,
  encodeLeaseGrantCommand,
  encodeLeaseRevokeCommand,
  encodeLeaseRevokeRequest,
  leaseExpiredInTerm,
  leaseGrantChoice,
  payloadOffset,
} from './index.ts'

/** Messages as etcd itself encodes them, by name, in hexadecimal. */
const golden = new Map<string, string>()
for (const line of readFileSync(new URL('./testdata/golden.txt', import.meta.url), 'utf8').split('\n')) {
  const [name, bytes] = line.split(' ')
  if (name !== undefined && bytes !== undefined) golden.set(name, bytes)
}
const goldenHex = (name: string): string => assertDefined(golden.get(name), `golden.txt has ${name}`)
const goldenBytes = (name: string): Uint8Array => Buffer.from(goldenHex(name), 'hex')

function decode<T>(bytes: Uint8Array, decoder: (reader: ProtobufReader) => T): T {
  const reader = new ProtobufReader(bytes)
  const request = decoder(reader)
  assert.equal(reader.malformed, false)
  return request
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

describe('requests as etcd encodes them', () => {
  it('put', () => {
    const request = putRequest('k\xff\0', 'v', {
      lease: 0x7123456789abcdefn,
      previous: true,
      ignoreValue: true,
      ignoreLease: true,
    })
    const decoded = decode(goldenBytes('put-request'), decodePutRequest)
    assert.deepEqual({ ...decoded, value: Uint8Array.from(decoded.value) }, request)
    assert.equal(hex(encodeRequest(request)), goldenHex('put-request'))
  })

  it('range', () => {
    const request = rangeRequest('a', {
      end: '\0',
      limit: 300,
      revision: 2 ** 40,
      sortOrder: 2,
      sortTarget: 4,
      serializable: true,
      keysOnly: true,
      countOnly: true,
      minModRevision: 1,
      maxModRevision: 2,
      minCreateRevision: 3,
      maxCreateRevision: -4,
    })
    assert.deepEqual(decode(goldenBytes('range-request'), decodeRangeRequest), request)
    assert.equal(hex(encodeRequest(request)), goldenHex('range-request'))
  })

  it('delete range, compaction, leases, alarm', () => {
    const deletion = deleteRangeRequest('a', { end: 'b', previous: true })
    assert.deepEqual(decode(goldenBytes('delete-range-request'), decodeDeleteRangeRequest), deletion)
    const compaction = { revision: 99, physical: true }
    assert.deepEqual(decode(goldenBytes('compaction-request'), decodeCompactRequest), compaction)
    assert.equal(hex(encodeCompactRequest(compaction)), goldenHex('compaction-request'))
    const grant = { id: -2n, ttlSeconds: 60 }
    assert.deepEqual(decode(goldenBytes('lease-grant-request'), decodeLeaseGrantRequest), grant)
    assert.equal(decode(goldenBytes('lease-revoke-request'), decodeLeaseRevokeRequest), 0x7000000000000001n)
    assert.equal(hex(encodeLeaseRevokeRequest(0x7000000000000001n)), goldenHex('lease-revoke-request'))
    const alarm = { action: 2, memberId: 0xffffffffffffffffn, alarm: 2 }
    assert.deepEqual(decode(goldenBytes('alarm-request'), decodeAlarmRequest), alarm)
    assert.equal(hex(encodeAlarmRequest(alarm)), goldenHex('alarm-request'))
  })

  it('transaction, with an operand of another target left out', () => {
    const x = Uint8Array.of(0x78)
    const { version, create, mod, value, lease } = compareTargets
    const { greater, less, notEqual } = compareResults
    const expected = txnRequest({
      compares: [
        compare('a', { result: greater, target: version, number: 5 }),
        compare('b', { result: less, target: create, number: 6 }),
        compare('c', { result: notEqual, target: mod, end: 'd', number: 7 }),
        compare('d', { target: value, value: x }),
        compare('e', { target: lease, lease: -1n }),
        compare('f', { target: mod, number: 0 }),
      ],
      success: [putRequest('p', '1'), deleteRangeRequest('q'), txnRequest({ success: [rangeRequest('r')] })],
      failure: [rangeRequest('s', { end: 't' }), { type: 'empty' }],
    })
    const decoded = decode(goldenBytes('txn-request'), (reader) => decodeTxnRequest(reader))
    assert.deepEqual(plain(decoded), plain(expected))
  })
})

/** The same structure with bytes in hexadecimal: Buffers and Uint8Arrays made alike. */
function plain(request: unknown): unknown {
  if (request instanceof Uint8Array) return hex(request)
  if (Array.isArray(request)) return request.map(plain)
  if (typeof request !== 'object' || request === null) return request
  return Object.fromEntries(Object.entries(request).map(([name, value]) => [name, plain(value)]))
}

describe('decoding what was encoded', () => {
  const key = fc.uint8Array({ minLength: 0, maxLength: 4 }).map(binaryString)
  const end = fc.option(
    key.filter((text) => text !== ''),
    { nil: undefined },
  )
  const int64 = fc.maxSafeInteger()
  const operation = fc.letrec<{ operation: Operation }>((tie) => ({
    operation: fc.oneof(
      { depthSize: 'small' },
      fc.constant<Operation>({ type: 'empty' }),
      fc
        .record({ key, end, limit: int64, revision: int64, maxModRevision: int64, countOnly: fc.boolean() })
        .map(({ key, ...fields }) => rangeRequest(key, fields)),
      fc
        .record({ key, value: fc.uint8Array(), lease: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }) })
        .map(({ key, value, lease }) => putRequest(key, value, { lease, previous: true })),
      fc.record({ key, end }).map(({ key, end }) => deleteRangeRequest(key, { end })),
      fc.record({ success: fc.array(tie('operation')), failure: fc.array(tie('operation')) }).map(txnRequest),
    ),
  })).operation

  it('gives the same request', () => {
    fc.assert(
      fc.property(fc.array(operation), (success) => {
        const request = txnRequest({ success })
        assert.deepEqual(plain(decode(encodeRequest(request), (reader) => decodeTxnRequest(reader))), plain(request))
      }),
    )
  })
})

describe('hostile bytes', () => {
  const decoders = [
    decodePutRequest,
    decodeRangeRequest,
    decodeDeleteRangeRequest,
    (reader: ProtobufReader) => decodeTxnRequest(reader),
    decodeCompactRequest,
    decodeLeaseGrantRequest,
    decodeLeaseRevokeRequest,
    decodeAlarmRequest,
  ]

  it('never make a decoder throw or read past the end', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.nat(8), (bytes, inset) => {
        for (const decoder of decoders) {
          const reader = new ProtobufReader(bytes, Math.min(inset, bytes.length))
          decoder(reader)
          assert.equal(reader.offset, bytes.length)
        }
      }),
      { numRuns: 5000 },
    )
  })

  it('with one byte of a real message changed, still only decode or are malformed', () => {
    const message = goldenBytes('txn-request')
    for (let at = 0; at < message.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const changed = Uint8Array.from(message)
        changed[at]! ^= 1 << bit
        decodeTxnRequest(new ProtobufReader(changed))
      }
    }
  })

  it('nested without end are malformed, not a stack overflow', () => {
    let message: Uint8Array = new Uint8Array(0)
    for (let depth = 0; depth < 1000; depth++) {
      message = encodeRequestOp(message)
    }
    const reader = new ProtobufReader(message)
    decodeTxnRequest(reader)
    assert.equal(reader.malformed, true)
  })
})

/** A TxnRequest whose one success operation is the TxnRequest `inner`. */
function encodeRequestOp(inner: Uint8Array): Uint8Array {
  const length = (bytes: Uint8Array): number[] => {
    const out: number[] = []
    let rest = bytes.length
    for (; rest >= 0x80; rest >>>= 7) out.push((rest & 0x7f) | 0x80)
    return [...out, rest]
  }
  const operation = Uint8Array.from([0x22, ...length(inner), ...inner])
  return Uint8Array.from([0x12, ...length(operation), ...operation])
}

describe('commands', () => {
  it('carry the request unchanged after their header', () => {
    const payload = goldenBytes('put-request')
    const command = encodeCommand(commandTypes.put, 1_700_000_000_123, payload)
    assert.equal(hex(command), `01087b68e5cf8b01${goldenHex('put-request')}`)
    assert.equal(hex(command.subarray(payloadOffset(command))), goldenHex('put-request'))
  })

  it('carry what the proposer chose for a lease', () => {
    const command = encodeLeaseGrantCommand(0, -3n, 9_000_000_000, goldenBytes('lease-grant-request'))
    assert.deepEqual(leaseGrantChoice(command), { id: -3n, ttlSeconds: 9_000_000_000 })
    assert.equal(hex(command.subarray(payloadOffset(command))), goldenHex('lease-grant-request'))
    const revoke = encodeLeaseRevokeCommand(0, 7, encodeLeaseRevokeRequest(1n))
    assert.equal(leaseExpiredInTerm(revoke), 7)
  })

  it('with a short or damaged header have no payload', () => {
    assert.equal(payloadOffset(new Uint8Array(0)), -1)
    assert.equal(payloadOffset(Uint8Array.of(commandTypes.put)), -1)
    assert.equal(payloadOffset(Uint8Array.of(commandTypes.put, 8, 0, 0)), -1)
    assert.equal(payloadOffset(Uint8Array.of(commandTypes.leaseGrant, 8, 0, 0, 0, 0, 0, 0)), -1)
    assert.equal(payloadOffset(Uint8Array.of(commandTypes.put, 8, 0, 0, 0, 0, 0, 0)), 8)
  })

  it('with a longer header, from a later version, are still understood', () => {
    const later = Uint8Array.of(commandTypes.put, 10, 0, 0, 0, 0, 0, 0, 0xaa, 0xbb, 0x0a, 1, 0x6b)
    assert.equal(payloadOffset(later), 10)
  })
})
