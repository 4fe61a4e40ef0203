import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Entry } from '../replicated-log.ts'
import { decodeMessage, encodeMessage, messageSize, writeMessage } from './codec.ts'
import type { PaxosMessage } from './message.ts'

const big = Number.MAX_SAFE_INTEGER
const id = 0xfedc_ba98_7654_3210n
const configuration = { voters: [1n, id], outgoing: [3n], learners: [] }
const value = { index: 8, term: 2, kind: 'command', payload: Uint8Array.of(0xaa, 0xbb) } as const
const noop = { index: 9, term: 3, kind: 'noop', payload: new Uint8Array(0) } as const
const nothing = { granted: false, fromSlot: 0, nextSlot: 0, complete: false, chosenIndex: 0, slots: [] }

/** Messages of each type with their bytes. */
const golden: readonly (readonly [PaxosMessage, string])[] = [
  [
    { type: 'prepare', round: 3, fromSlot: 7, transfer: true, lostLeader: id },
    '01 0300000000000000 0700000000000000 01 1032547698badcfe',
  ],
  [
    {
      type: 'promise',
      round: 5,
      granted: true,
      fromSlot: 7,
      nextSlot: 10,
      complete: true,
      chosenIndex: 6,
      slots: [
        { ballot: 4, value },
        { ballot: 3, value: { ...noop, index: 9 } },
      ],
    },
    '02 0500000000000000 01 0700000000000000 0a00000000000000 01 0600000000000000 02000000' +
      '0800000000000000 0400000000000000 01 0200000000000000 02000000 aabb' +
      '0900000000000000 0300000000000000 00 0300000000000000 00000000',
  ],
  [
    { type: 'promise', round: 1, ...nothing },
    '02 0100000000000000 00 0000000000000000 0000000000000000 00 0000000000000000 00000000',
  ],
  [
    { type: 'accept', round: 3, firstSlot: 8, chosenIndex: 6, entries: [value, noop] },
    '03 0300000000000000 0800000000000000 0600000000000000 02000000' +
      '01 0200000000000000 02000000 aabb 00 0300000000000000 00000000',
  ],
  [
    { type: 'accepted', round: 1, firstSlot: 2, lastSlot: 5, throughSlot: big },
    '04 0100000000000000 0200000000000000 0500000000000000 ffffffffffff1f00',
  ],
  [{ type: 'rejected', round: 9 }, '05 0900000000000000'],
  [
    { type: 'heartbeat', round: 1, chosenIndex: 2, context: 3 },
    '06 0100000000000000 0200000000000000 0300000000000000',
  ],
  [
    { type: 'heartbeatResponse', round: 1, context: 2 ** 32, receivedThrough: 5 },
    '07 0100000000000000 0000000001000000 0500000000000000',
  ],
  [{ type: 'chosenNotice', round: 9, chosenIndex: 8 }, '08 0900000000000000 0800000000000000'],
  [
    { type: 'preVote', round: 1, fromSlot: 1, lastSlot: 4, lostLeader: 0n },
    '09 0100000000000000 0100000000000000 0400000000000000 0000000000000000',
  ],
  [{ type: 'preVoteResponse', round: 1, granted: true }, '0a 0100000000000000 01'],
  [
    { type: 'installSnapshot', round: 4, meta: { index: 3, term: 2, configuration } },
    '0b 0400000000000000 0300000000000000 0200000000000000' +
      '02000000 0100000000000000 1032547698badcfe 01000000 0300000000000000 00000000',
  ],
  [{ type: 'readIndex', round: 1, context: 6 }, '0c 0100000000000000 0600000000000000'],
  [
    { type: 'readIndexResponse', round: 1, context: 6, index: 9 },
    '0d 0100000000000000 0600000000000000 0900000000000000',
  ],
  [{ type: 'timeoutNow', round: 5, chosenIndex: 4 }, '0e 0500000000000000 0400000000000000'],
]

test('each message has its bytes, both ways', () => {
  for (const [message, hex] of golden) {
    const bytes = Buffer.from(hex.replaceAll(' ', ''), 'hex')
    assert.equal(Buffer.from(encodeMessage(message)).toString('hex'), bytes.toString('hex'), message.type)
    assert.deepEqual(decodeMessage(bytes), message)
  }
})

test('messages are written and read in the middle of a buffer, and payloads are views of it', () => {
  const message = golden.find(([{ type }]) => type === 'accept')?.[0] as PaxosMessage
  const target = Buffer.alloc(messageSize(message) + 20)
  assert.equal(writeMessage(message, target, 7), 7 + messageSize(message))
  const decoded = decodeMessage(target, 7, messageSize(message))
  assert.deepEqual(decoded, message)
  assert.ok(decoded?.type === 'accept')
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

test('numbers beyond 2^53 - 1, unknown types, kinds and flags, and counts without content are refused', () => {
  const refuse = (hex: string) => assert.equal(decodeMessage(Buffer.from(hex.replaceAll(' ', ''), 'hex')), undefined)
  refuse('05 0000000000002000')
  refuse('00 0500000000000000')
  refuse('0f 0500000000000000')
  refuse('0a 0100000000000000 02')
  refuse('03 0100000000000000 0100000000000000 0000000000000000 01000000 03 0100000000000000 00000000')
  refuse('03 0100000000000000 ffffffffffff1f00 0000000000000000 01000000 00 0100000000000000 00000000')
  refuse('03 0100000000000000 0100000000000000 0000000000000000 ffffffff')
  refuse('02 0100000000000000 01 0100000000000000 0100000000000000 01 0000000000000000 ffffffff')
})

test('random and damaged bytes decode to nothing or to a message that encodes again', () => {
  const survives = (bytes: Uint8Array) => {
    const message = decodeMessage(bytes)
    if (message !== undefined) assert.deepEqual(Buffer.from(encodeMessage(message)), Buffer.from(bytes))
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 120 }), survives))
  const someDamage = fc.tuple(fc.nat(golden.length - 1), fc.nat(200), fc.nat(255))
  fc.assert(
    fc.property(someDamage, ([which, at, byte]) => {
      const bytes = encodeMessage((golden[which] as readonly [PaxosMessage, string])[0]).slice()
      bytes[at % bytes.length] = byte
      survives(bytes)
    }),
    { numRuns: 2000 },
  )
})
