import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ProtobufWriter } from '../../base/index.ts'
import { putRequest } from '../../engine/coordination/testing/encode-requests.ts'
import { messageText, type Shape } from './testing/message-text.ts'
import { ServicesWorld, testMembers } from './testing/services-world.ts'

const header: Shape[number] = ['header', { 1: 'cluster', 2: 'member', 3: 'revision', 4: 'term' }]
const empty = new Uint8Array(0)

function send(world: ServicesWorld, method: string, message: Uint8Array, shape: Shape): string {
  const answer = world.unary(`/etcdserverpb.${method}`, message)
  if (answer.failure !== undefined) return `${answer.failure.status} ${answer.failure.message}`
  return messageText(Buffer.from(answer.message ?? '', 'hex'), shape)
}

const alarmShape: Shape = { 2: ['alarm', { 1: 'member', 2: 'type' }] }
const alarm = (action: number): Uint8Array =>
  new ProtobufWriter()
    .int(1, action)
    .int64(2, 2n ** 63n)
    .int(3, 1)
    .finish()

test('status: who leads, how large, and what is wrong', () => {
  const world = new ServicesWorld()
  const shape = {
    1: header,
    2: ['version', 'text'],
    4: 'leader',
    6: 'term',
    8: ['error', 'text'],
    12: 'quota',
  } as const
  const healthy = 'header=(cluster=-1070935975390360081 member=7 revision=1 term=3) version=3.6.16 leader=7 term=3'
  assert.equal(send(world, 'Maintenance/Status', empty, shape), `${healthy} quota=2147483648`)
  send(world, 'Maintenance/Alarm', alarm(1), alarmShape)
  world.group.changeStatus({ role: 'follower', leader: 0n })
  assert.match(
    send(world, 'Maintenance/Status', empty, shape),
    /term=3 error=etcdserver: no leader error=memberID:9223372036854775808 alarm:NOSPACE {2}quota/,
  )
})

test('alarms are raised, listed and cleared', () => {
  const world = new ServicesWorld()
  assert.equal(send(world, 'Maintenance/Alarm', alarm(0), alarmShape), '')
  assert.equal(send(world, 'Maintenance/Alarm', alarm(1), alarmShape), 'alarm=(member=-9223372036854775808 type=1)')
  assert.equal(send(world, 'Maintenance/Alarm', empty, alarmShape), 'alarm=(member=-9223372036854775808 type=1)')
  assert.equal(send(world, 'Maintenance/Alarm', alarm(2), alarmShape), 'alarm=(member=-9223372036854775808 type=1)')
  assert.equal(send(world, 'Maintenance/Alarm', empty, alarmShape), '')
})

test('hashes, and revisions that have none', () => {
  const world = new ServicesWorld()
  for (const value of ['1', '2', '3']) world.run(putRequest('k', value))
  const at = (revision: number): string => {
    const message = new ProtobufWriter().int(1, revision).finish()
    return send(world, 'Maintenance/HashKV', message, { 2: 'hash', 3: 'compacted', 4: 'at' })
  }
  assert.match(at(0), /^hash=\d+ compacted=-1 at=4$/)
  assert.equal(at(4), at(0))
  assert.notEqual(at(3), at(0))
  assert.equal(at(5), '11 etcdserver: mvcc: required revision is a future revision')
  world.call((done) => world.engine.compact({ revision: 3, physical: false }, Uint8Array.of(8, 3), done))
  assert.equal(at(2), '11 etcdserver: mvcc: required revision has been compacted')
  assert.match(send(world, 'Maintenance/Hash', empty, { 2: 'hash' }), /^hash=\d+$/)
})

test('defragment answers when nothing is left to reclaim', () => {
  const world = new ServicesWorld()
  for (let i = 0; i < 1000; i++) world.run(putRequest('k', 'x'.repeat(1000)))
  world.call((done) => world.engine.compact({ revision: 1000, physical: false }, Uint8Array.of(8, 232, 7), done))
  assert.equal(send(world, 'Maintenance/Defragment', empty, {}), '')
})

test('moving leadership: only from the leader, only to a voter, answered when it has moved', () => {
  const three = { id: 8n, name: 'three', peerUrls: ['http://j:2380'], clientUrls: [], isLearner: false }
  const world = new ServicesWorld({}, [...testMembers, three])
  const target = (id: bigint): Uint8Array => new ProtobufWriter().int64(1, id).finish()
  const move = (id: bigint): string => send(world, 'Maintenance/MoveLeader', target(id), {})
  assert.equal(move(9n), '9 etcdserver: bad leader transferee')
  assert.equal(move(3n), '9 etcdserver: bad leader transferee', 'a learner')
  assert.equal(move(7n), '')
  assert.equal(move(8n), '9 etcdserver: bad leader transferee', 'declared a voter, and not one yet')
  world.group.changeConfiguration({ voters: [7n, 8n], outgoing: [], learners: [3n] })
  assert.match(move(8n), /leader transfer took too long/)
  world.group.transferLeadership = () => {
    world.loop.scheduler.setTimer(100, () => world.group.changeStatus({ role: 'follower', leader: 8n }))
  }
  assert.equal(move(8n), '')
  assert.equal(move(8n), '9 etcdserver: not leader')
})

test('members, sorted by id, under a header without revision', () => {
  const world = new ServicesWorld()
  world.run(putRequest('k', '1'))
  const shape = {
    1: header,
    2: ['member', { 1: 'id', 2: ['name', 'text'], 3: ['peer', 'text'], 4: ['client', 'text'], 5: 'learner' }],
  } as const
  const members =
    'header=(cluster=-1070935975390360081 member=7 term=3) member=(id=3 name=two peer=http://i:2380 learner=1) ' +
    'member=(id=7 name=one peer=http://h:2380 client=http://h:2379)'
  assert.equal(send(world, 'Cluster/MemberList', empty, shape), members)
  assert.equal(send(world, 'Cluster/MemberList', Uint8Array.of(8, 1), shape), members)
  world.group.refusal = { ok: false, reason: 'timeout', outcome: 'unknown' }
  assert.equal(send(world, 'Cluster/MemberList', empty, shape), members)
  assert.equal(send(world, 'Cluster/MemberList', Uint8Array.of(8, 1), shape), '14 etcdserver: request timed out')
})

test('a malformed request, and one that wants a leader when there is none', () => {
  const world = new ServicesWorld()
  assert.match(send(world, 'Maintenance/Status', Uint8Array.of(8), {}), /^13 /)
  world.group.changeStatus({ role: 'follower', leader: 0n })
  const answer = world.unary('/etcdserverpb.Maintenance/Status', empty, { hasleader: 'true' })
  assert.deepEqual(answer.failure, { status: 14, message: 'etcdserver: no leader' })
})
