import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { Member } from '../engine/coordination/index.ts'
import { founder } from './identity.ts'
import { decodeClusterDescription, encodeClusterDescription } from './join-codec.ts'
import {
  decodeCatchUp,
  decodeMembershipRequest,
  decodeStanding,
  encodeMembershipRequest,
  encodeMembershipResponse,
  isMembershipRequest,
} from './membership-codec.ts'

const cluster = {
  clusterId: 2n ** 64n - 1n,
  algorithm: 'paxos',
  founders: [founder(1n, 'ö', ['http://h:1', 'http://h:2'])],
  members: [{ ...founder(2n ** 63n, '', ['http://h:3']), isLearner: true }],
} as const

describe('what a member tells a node that joins', () => {
  test('comes back', () => {
    assert.deepEqual(decodeClusterDescription(encodeClusterDescription(cluster)), cluster)
  })

  test('is refused when anything is missing or of another kind', () => {
    const whole = JSON.parse(Buffer.from(encodeClusterDescription(cluster)).toString()) as Record<string, unknown>
    const read = (value: unknown) => decodeClusterDescription(Buffer.from(JSON.stringify(value)))
    assert.ok(read(whole))
    for (const field of Object.keys(whole))
      for (const other of [undefined, null, 7, 'zz', [], [null], [{ id: '1' }]]) {
        // A cluster whose members are not known (yet) is one all the same.
        if (field === 'members' && Array.isArray(other) && other.length === 0) continue
        assert.equal(read({ ...whole, [field]: other }), undefined, `${field} ${JSON.stringify(other)}`)
      }
  })

  test('is refused when it names more than any cluster has', () => {
    const read = (founders: readonly Member[]) =>
      decodeClusterDescription(encodeClusterDescription({ ...cluster, founders }))
    const list = (count: number) => Array.from({ length: count }, (_, i) => founder(BigInt(i + 1), 'n', ['http://h:1']))
    assert.equal(read(list(1000))?.founders.length, 1000)
    assert.equal(read(list(1001)), undefined)
    const urls = (count: number, length: number) => Array<string>(count).fill(`http://${'h'.repeat(length - 9)}:1`)
    assert.ok(read([founder(1n, 'n', urls(64, 2048))]))
    assert.equal(read([founder(1n, 'n', urls(65, 20))]), undefined)
    assert.equal(read([founder(1n, 'n', urls(1, 2049))]), undefined)
  })

  test('arbitrary bytes and arbitrary JSON never throw', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array(),
          fc.json().map((text) => Buffer.from(text)),
        ),
        (bytes) => {
          decodeClusterDescription(bytes)
        },
      ),
      { seed: 7, numRuns: 500 },
    )
  })
})

describe('what the leader is asked about members', () => {
  test('questions and answers come back; others are not understood', () => {
    for (const type of ['standing', 'catchUp'] as const) {
      const bytes = encodeMembershipRequest({ type, id: 2n ** 64n - 1n })
      assert.ok(isMembershipRequest(bytes))
      assert.deepEqual(decodeMembershipRequest(bytes), { type, id: 2n ** 64n - 1n })
      assert.equal(decodeMembershipRequest(bytes.subarray(1)), undefined)
      assert.equal(decodeMembershipRequest(bytes.subarray(0, 8)), undefined)
    }
    for (const standing of ['unsettled', 'voter', 'learner', 'absent'] as const)
      assert.equal(decodeStanding(encodeMembershipResponse(standing)), standing)
    for (const catchUp of ['behind', 'caught-up', 'unknown-member'] as const)
      assert.equal(decodeCatchUp(encodeMembershipResponse(catchUp)), catchUp)
    assert.equal(decodeStanding(encodeMembershipResponse(undefined)), undefined)
    assert.equal(decodeCatchUp(Buffer.from([1, 9])), undefined)
    assert.equal(isMembershipRequest(Buffer.from([1])), false)
  })
})
