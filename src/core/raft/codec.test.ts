import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decodeConfiguration, encodeConfiguration } from '../consensus/index.ts'
import type { Entry } from '../replicated-log.ts'
import { decodeMessage, encodeMessage, messageSize, writeMessage } from './codec.ts'
import type { RaftMessage } from './message.ts'

const big = Number.MAX_SAFE_INTEGER
const id = 0xfedc_ba98_7654_3210n
const configuration = { voters: [1n, id], outgoing: [3n], learners: [] }

/** One message of each type with its bytes. */
const golden: readonly (readonly [RaftMessage, string])[] = [
  [
    {
      type: 'appendEntries',
      term: 3,
      prevLogIndex: 7,
      prevLogTerm: 2,
      commitIndex: 6,
      entries: [
        { index: 8, term: 2, kind: 'command', payload: Uint8Array.of(0xaa, 0xbb) },
        { index: 9, term: 3, kind: 'noop', payload: new Uint8Array(0) },
      ],
    },
    '01 0300000000000000 0700000000000000 0200000000000000 0600000000000000 02000000' +
      '01 0200000000000000 02000000 aabb 00 0300000000000000 00000000',
  ],
  [
    { type: 'appendEntriesResponse', term: 1, success: true, index: big, hintIndex: 0, hintTerm: 5 },
    '02 0100000000000000 01 ffffffffffff1f00 0000000000000000 0500000000000000',
  ],
  [{ type: 'heartbeat', term: 1, commitIndex: 2, context: 3 }, '03 0100000000000000 0200000000000000 0300000000000000'],
  [
    { type: 'heartbeatResponse', term: 1, context: 2 ** 32, receivedIndex: 5 },
    '04 0100000000000000 0000000001000000 0500000000000000',
  ],
  [
    { type: 'commitNotice', term: 9, commitIndex: 8, commitTerm: 7 },
    '05 0900000000000000 0800000000000000 0700000000000000',
  ],
  [
    { type: 'requestVote', term: 1, lastLogIndex: 2, lastLogTerm: 1, transfer: true, lostLeader: id },
    '06 0100000000000000 0200000000000000 0100000000000000 01 1032547698badcfe',
  ],
  [{ type: 'requestVoteResponse', term: 1, granted: false }, '07 0100000000000000 00'],
  [
    { type: 'preVote', term: 1, lastLogIndex: 0, lastLogTerm: 0, lostLeader: 0n },
    '08 0100000000000000 0000000000000000 0000000000000000 0000000000000000',
  ],
  [{ type: 'preVoteResponse', term: 1, granted: true }, '09 0100000000000000 01'],
  [
    { type: 'installSnapshot', term: 4, meta: { index: 3, term: 2, configuration } },
    '0a 0400000000000000 0300000000000000 0200000000000000' +
      '02000000 0100000000000000 1032547698badcfe 01000000 0300000000000000 00000000',
  ],
  [{ type: 'readIndex', term: 1, context: 6 }, '0b 0100000000000000 0600000000000000'],
  [
    { type: 'readIndexResponse', term: 1, context: 6, index: 9 },
    '0c 0100000000000000 0600000000000000 0900000000000000',
  ],
  [{ type: 'timeoutNow', term: 5 }, '0d 0500000000000000'],
]

test('each message has its bytes, both ways', () => {
  for (const [message, hex] of golden) {
    const bytes = Buffer.from(hex.replaceAll(' ', ''), 'hex')
    assert.equal(Buffer.from(encodeMessage(message)).toString('hex'), bytes.toString('hex'), message.type)
    assert.deepEqual(decodeMessage(bytes), message)
  }
})

test('messages are written and read in the middle of a buffer, and payloads are views of it', () => {
  const message = (golden[0] as readonly [RaftMessage, string])[0]
  const target = Buffer.alloc(messageSize(message) + 20)
  assert.equal(writeMessage(message, target, 7), 7 + messageSize(message))
  const decoded = decodeMessage(target, 7, messageSize(message))
  assert.deepEqual(decoded, message)
  assert.ok(decoded?.type === 'appendEntries')
  assert.equal((decoded.entries[0] as Entry).payload.buffer, target.buffer)
})

test('every shortened or lengthened message is refused', () => {
  for (const [message] of golden) {
    const bytes = Buffer.from(encodeMessage(message))
    for (let length = 0; length < bytes.length; length++) assert.equal(decodeMessage(bytes, 0, length), undefined)
    assert.equal(decodeMessage(Buffer.concat([bytes, Buffer.of(0)])), undefined)
    assert.equal(decodeMessage(bytes, 1, bytes.length), undefined)
  }
})

test('numbers beyond 2^53 - 1, unknown types, kinds and flags are refused', () => {
  const refuse = (hex: string) => assert.equal(decodeMessage(Buffer.from(hex.replaceAll(' ', ''), 'hex')), undefined)
  refuse('0d 0000000000002000')
  refuse('00 0500000000000000')
  refuse('0e 0500000000000000')
  refuse('07 0100000000000000 02')
  refuse('01 0100000000000000 0000000000000000 0000000000000000 0000000000000000 01000000 03 0100000000000000 00000000')
  refuse('01 0100000000000000 ffffffffffff1f00 0100000000000000 0000000000000000 01000000 00 0100000000000000 00000000')
  refuse('01 0100000000000000 0000000000000000 0000000000000000 0000000000000000 ffffffff')
})

test('random and damaged bytes decode to nothing or to a message that encodes again', () => {
  const survives = (bytes: Uint8Array) => {
    const message = decodeMessage(bytes)
    if (message !== undefined) assert.deepEqual(Buffer.from(encodeMessage(message)), Buffer.from(bytes))
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 120 }), survives))
  const someDamage = fc.tuple(fc.nat(golden.length - 1), fc.nat(200), fc.nat(255))
  fc.assert(
    fc.property(someDamage, ([which, at, value]) => {
      const bytes = encodeMessage((golden[which] as readonly [RaftMessage, string])[0]).slice()
      bytes[at % bytes.length] = value
      survives(bytes)
    }),
    { numRuns: 2000 },
  )
})

test('a configuration names each member once and nobody else', () => {
  assert.deepEqual(decodeConfiguration(encodeConfiguration(configuration)), configuration)
  const refused = [[0n], [1n, 1n]]
  for (const voters of refused) {
    assert.equal(decodeConfiguration(encodeConfiguration({ voters, outgoing: [], learners: [] })), undefined)
  }
  assert.equal(decodeConfiguration(Buffer.concat([encodeConfiguration(configuration), Buffer.of(0)])), undefined)
  const many = (count: number) => ({ ...configuration, voters: Array.from({ length: count }, (_, i) => BigInt(i + 1)) })
  assert.deepEqual(decodeConfiguration(encodeConfiguration(many(1000))), many(1000))
  assert.equal(decodeConfiguration(encodeConfiguration(many(1001))), undefined, 'more than any cluster has')
  assert.equal(decodeConfiguration(new Uint8Array(0)), undefined)
})
