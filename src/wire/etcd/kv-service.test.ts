import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { bytesTag, ProtobufReader, varintTag } from '../../base/index.ts'
import { noMember } from '../../core/index.ts'
import type { Operation } from '../../engine/coordination/index.ts'
import {
  deleteRangeRequest,
  encodeRequest,
  putRequest,
  rangeRequest,
  txnRequest,
} from '../../engine/coordination/testing/encode-requests.ts'
import { EngineWorld } from '../../engine/coordination/testing/engine-world.ts'
import { goldenBytes, goldenHex } from '../../engine/coordination/testing/golden.ts'
import { kvRoutes } from './kv-service.ts'
import { type CallAnswer, fakeCall } from './testing/fake-call.ts'

const methods = { range: 'Range', put: 'Put', deleteRange: 'DeleteRange', txn: 'Txn', compact: 'Compact' } as const

class KvWorld {
  readonly engine = new EngineWorld()
  private readonly routes = kvRoutes(this.engine.engine)

  send(method: keyof typeof methods, message: Uint8Array, metadata?: Record<string, string>): CallAnswer {
    const route = this.routes[`/etcdserverpb.KV/${methods[method]}`]
    assert.equal(route?.kind, 'unary')
    const { call, answer } = fakeCall(message, metadata)
    if (route?.kind === 'unary') route.handler(call)
    for (let i = 0; i < 1000 && answer.answers === 0; i++) this.engine.loop.advance(1)
    assert.equal(answer.answers, 1)
    return answer
  }

  request(request: Exclude<Operation, { type: 'empty' }>): CallAnswer {
    return this.send(request.type, encodeRequest(request))
  }
}

describe('answers', () => {
  it('are byte for byte those that etcd encodes', () => {
    const world = new KvWorld()
    const expectMessage = (answer: CallAnswer, golden: string): void => {
      assert.equal(answer.failure, undefined)
      assert.equal(answer.message, goldenHex(golden), golden)
    }
    const lease = { id: 5n, ttlSeconds: 60 }
    world.engine.call((done) => world.engine.engine.leaseGrant(lease, new Uint8Array(0), done))
    expectMessage(world.request(putRequest('x', 'one')), 'put-response')
    world.request(putRequest('y', 'two', { lease: 5n }))
    expectMessage(world.request(putRequest('x', 'three', { previous: true })), 'put-response-previous')
    expectMessage(world.request(rangeRequest('x', { end: 'z' })), 'range-response')
    const keysOnly = rangeRequest('x', { end: 'z', keysOnly: true, limit: 1, sortOrder: 2 })
    expectMessage(world.request(keysOnly), 'range-response-keys-only')
    expectMessage(world.request(rangeRequest('x', { end: 'z', countOnly: true })), 'range-response-count-only')
    expectMessage(world.request(rangeRequest('a')), 'range-response-empty')
    const txn = txnRequest({
      success: [
        putRequest('y', 'four', { previous: true }),
        rangeRequest('x'),
        txnRequest({
          compares: [
            { key: 'x', end: undefined, result: 0, target: 0, number: 9, lease: 0n, value: new Uint8Array(0) },
          ],
          failure: [deleteRangeRequest('x', { previous: true })],
        }),
      ],
    })
    expectMessage(world.request(txn), 'txn-response')
    const deletion = deleteRangeRequest('a', { end: '\0', previous: true })
    expectMessage(world.request(deletion), 'delete-range-response')
    expectMessage(world.request(deletion), 'delete-range-response-none')
    expectMessage(world.send('compact', Uint8Array.of(0x08, 0x02)), 'compaction-response')
  })

  it('to a long range are whole, in order and counted', () => {
    const world = new KvWorld()
    const count = 2500
    const key = (i: number): string => `k${String(i).padStart(6, '0')}`
    for (let i = 0; i < count; i++) world.request(putRequest(key(i), 'v'.repeat(200)))
    const answer = world.request(rangeRequest('k', { end: 'l' }))
    const reader = new ProtobufReader(Buffer.from(answer.message ?? '', 'hex'))
    let seen = 0
    let counted = 0
    while (reader.next()) {
      if (reader.tag === varintTag(4)) counted = reader.number()
      else if (reader.tag === bytesTag(2)) {
        const outerEnd = reader.enter()
        reader.next()
        reader.bytes()
        assert.equal(reader.binaryString(), key(seen++))
        reader.leave(outerEnd)
      } else reader.skip()
    }
    assert.deepEqual([reader.malformed, seen, counted], [false, count, count])
    assert.equal(world.engine.machine.pins, 0)
  })
})

describe('refusals', () => {
  it('carry the status and text of etcd', () => {
    const world = new KvWorld()
    const refusal = (answer: CallAnswer): unknown[] => [answer.failure?.status, answer.failure?.message]
    assert.deepEqual(refusal(world.request(putRequest(''))), [3, 'etcdserver: key is not provided'])
    assert.deepEqual(refusal(world.request(putRequest('a', '', { lease: 9n }))), [
      5,
      'etcdserver: requested lease not found',
    ])
    assert.deepEqual(refusal(world.request(rangeRequest('a', { revision: 99 }))), [
      11,
      'etcdserver: mvcc: required revision is a future revision',
    ])
    assert.deepEqual(refusal(world.request(txnRequest({ success: [putRequest('a'), putRequest('a')] }))), [
      3,
      'etcdserver: duplicate key given in txn request',
    ])
    assert.deepEqual(refusal(world.send('put', Uint8Array.of(0x0a, 0x09))), [13, 'grpc: error unmarshalling request'])
  })

  it('tell clients that require a leader when there is none', () => {
    const world = new KvWorld()
    world.engine.group.changeStatus({ leader: noMember, role: 'follower' })
    const message = goldenBytes('put-request-plain')
    const answer = world.send('put', message, { hasleader: 'true' })
    assert.deepEqual(answer.failure, { status: 14, message: 'etcdserver: no leader' })
  })
})

describe('hostile requests', () => {
  it('get one answer each, whatever their bytes', () => {
    const world = new KvWorld()
    const anyMethod = fc.constantFrom(...(Object.keys(methods) as (keyof typeof methods)[]))
    fc.assert(
      fc.property(anyMethod, fc.uint8Array({ maxLength: 48 }), (method, message) => {
        world.send(method, message)
      }),
      { numRuns: 2000 },
    )
  })
})
