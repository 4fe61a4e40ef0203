import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ProtobufWriter } from '../../base/index.ts'
import { putRequest } from '../../engine/coordination/testing/encode-requests.ts'
import { leaseResponseShape, messageText, watchResponseShape } from './testing/message-text.ts'
import { ServicesWorld } from './testing/services-world.ts'

class LeaseWorld extends ServicesWorld {
  send(method: string, message: ProtobufWriter): string {
    const answer = this.unary(`/etcdserverpb.Lease/${method}`, Uint8Array.from(message.finish()))
    if (answer.failure !== undefined) return `${answer.failure.status} ${answer.failure.message}`
    return messageText(Buffer.from(answer.message ?? '', 'hex'), leaseResponseShape)
  }

  grant(ttl: number, id: bigint): string {
    return this.send('LeaseGrant', new ProtobufWriter().int(1, ttl).int64(2, id))
  }
}

const idOnly = (id: bigint): ProtobufWriter => new ProtobufWriter().int64(1, id)

test('grant, attach, look, revoke', () => {
  const world = new LeaseWorld()
  assert.equal(world.grant(60, 2n ** 63n - 1n), 'header=(revision=1) id=9223372036854775807 ttl=60')
  assert.equal(world.grant(60, 2n ** 63n - 1n), '9 etcdserver: lease already exists')
  assert.equal(world.grant(9_000_000_001, 1n), '11 etcdserver: too large lease TTL')
  assert.equal(world.grant(-1, 5n), 'header=(revision=1) id=5 ttl=2')
  world.run(putRequest('b', '1', { lease: 5n }))
  world.run(putRequest('a', '1', { lease: 5n }))
  const lookAt = (id: bigint): string => world.send('LeaseTimeToLive', idOnly(id).bool(2, true))
  assert.equal(lookAt(5n), 'header=(revision=3) id=5 ttl=1 granted=2 key=a key=b')
  assert.equal(lookAt(6n), 'header=(revision=3) id=6 ttl=-1')
  assert.equal(world.send('LeaseRevoke', idOnly(5n)), 'header=(revision=4)')
  assert.equal(world.send('LeaseRevoke', idOnly(5n)), '5 etcdserver: requested lease not found')
  assert.equal(world.machine.store.keyCount, 0)
})

test('an id that the server chooses is a positive int64', () => {
  const world = new LeaseWorld()
  for (let i = 0; i < 20; i++) {
    const [, id = ''] = world.grant(60, 0n).match(/id=(\d+) ttl=60$/) ?? []
    assert.ok(BigInt(id) > 0n && BigInt(id) < 2n ** 63n)
  }
  assert.equal(world.engine.leases.count, 20)
})

test('all leases, by id', () => {
  const world = new LeaseWorld()
  for (const id of [7n, -3n, 2n ** 60n]) world.grant(60, id)
  const answer = world.unary('/etcdserverpb.Lease/LeaseLeases', new Uint8Array(0))
  const list = messageText(Buffer.from(answer.message ?? '', 'hex'), { 2: ['lease', { 1: 'id' }] })
  assert.equal(list, 'lease=(id=-3) lease=(id=7) lease=(id=1152921504606846976)')
})

test('keep-alives: each answered with its id; a missing lease with TTL 0; the half-close ends the call', () => {
  const world = new LeaseWorld()
  world.grant(3, 5n)
  world.grant(3, 6n)
  const stream = world.stream('/etcdserverpb.Lease/LeaseKeepAlive')
  for (const id of [5n, 99n]) stream.write(Uint8Array.from(idOnly(id).finish()))
  stream.halfClose()
  assert.equal(stream.status, undefined)
  world.loop.turn()
  assert.deepEqual(
    stream.take().map((message) => messageText(message, leaseResponseShape)),
    ['header=(revision=1) id=5 ttl=3', 'header=(revision=1) id=99'],
  )
  assert.deepEqual(stream.status, { status: 0, message: '' })
  assert.equal(world.group.reads, 1, 'both shared one read index')
})

test('a lease that nobody renews ends, with its keys, for its watchers in one event list', () => {
  const world = new LeaseWorld()
  world.grant(3, 5n)
  world.run(putRequest('b', '1', { lease: 5n }))
  world.run(putRequest('a', '1', { lease: 5n }))
  const stream = world.stream('/etcdserverpb.Watch/Watch')
  stream.write(Uint8Array.from(new ProtobufWriter().message(1, (create) => create.text(1, 'a').text(2, 'z')).finish()))
  stream.take()
  world.loop.advance(2900)
  assert.equal(stream.sent.length, 0)
  world.loop.advance(300)
  assert.deepEqual(
    stream.take().map((message) => messageText(message, watchResponseShape)),
    ['header=(revision=4) event=(type=1 kv=(key=a mod=4)) event=(type=1 kv=(key=b mod=4))'],
  )
})

test('too many unanswered keep-alives stop the reading; a client that is slow does too', () => {
  const world = new LeaseWorld()
  world.grant(3, 5n)
  const stream = world.stream('/etcdserverpb.Lease/LeaseKeepAlive')
  for (let i = 0; i < 3000; i++) stream.write(Uint8Array.from(idOnly(5n).finish()))
  assert.equal(stream.paused, true)
  world.loop.turn()
  assert.equal(stream.take().length, 3000)
  stream.keepsUp = false
  stream.write(Uint8Array.from(idOnly(5n).finish()))
  world.loop.turn()
  assert.equal(stream.paused, true)
  stream.drain()
  assert.equal(stream.paused, false)
})

test('without a leader a keep-alive waits for one, up to the request time-out', () => {
  const world = new LeaseWorld()
  world.grant(3, 5n)
  world.group.refusal = { ok: false, reason: 'no-leader', outcome: 'not-applied' }
  const stream = world.stream('/etcdserverpb.Lease/LeaseKeepAlive')
  stream.write(Uint8Array.from(idOnly(5n).finish()))
  world.loop.advance(3000)
  assert.equal(stream.status, undefined)
  world.group.refusal = undefined
  world.loop.advance(100)
  assert.equal(stream.take().length, 1)
  world.group.refusal = { ok: false, reason: 'no-leader', outcome: 'not-applied' }
  stream.write(Uint8Array.from(idOnly(5n).finish()))
  world.loop.advance(7000)
  assert.deepEqual(stream.status, { status: 14, message: 'etcdserver: no leader' })
  const broken = world.stream('/etcdserverpb.Lease/LeaseKeepAlive')
  broken.write(Uint8Array.of(8))
  assert.equal(broken.status?.status, 13)
})
