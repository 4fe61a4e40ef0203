import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { emptyBytes, ProtobufWriter } from '../../base/index.ts'
import type { Member } from '../../engine/coordination/index.ts'
import { putRequest } from '../../engine/coordination/testing/encode-requests.ts'
import { messageText, type Shape } from './testing/message-text.ts'
import { ServicesWorld } from './testing/services-world.ts'

const header: Shape[number] = ['header', { 1: 'cluster', 2: 'member', 3: 'revision', 4: 'term' }]
const member: Shape[number] = [
  'member',
  { 1: 'id', 2: ['name', 'text'], 3: ['peer', 'text'], 4: ['client', 'text'], 5: 'learner' },
]
const listShape: Shape = { 1: header, 2: member }
const addShape: Shape = { 1: header, 2: member, 3: ['of', (member as [string, Shape])[1]] }
const headerText = 'header=(cluster=-1070935975390360081 member=7 term=3)'

const one: Member = { id: 7n, name: 'one', peerUrls: ['http://h:1'], clientUrls: ['http://h:2379'], isLearner: false }
const two: Member = { id: 3n, name: 'two', peerUrls: ['http://h:2'], clientUrls: [], isLearner: false }
const third: Member = { id: 9n, name: 'three', peerUrls: ['http://h:3'], clientUrls: [], isLearner: true }

function send(world: ServicesWorld, method: string, message: Uint8Array, shape: Shape = listShape): string {
  const answer = world.unary(`/etcdserverpb.${method}`, message)
  if (answer.failure !== undefined) return `${answer.failure.status} ${answer.failure.message}`
  return messageText(Buffer.from(answer.message ?? '', 'hex'), shape)
}

function addRequest(urls: readonly string[], isLearner = false): Uint8Array {
  const writer = new ProtobufWriter()
  for (const url of urls) writer.presentText(1, url)
  return writer.bool(2, isLearner).finish()
}

function idRequest(id: bigint, urls: readonly string[] = []): Uint8Array {
  const writer = new ProtobufWriter().int64(1, id)
  for (const url of urls) writer.presentText(2, url)
  return writer.finish()
}

describe('changes of members', () => {
  it('answer with all members, under a header without revision', () => {
    const world = new ServicesWorld({}, [one])
    world.run(putRequest('k', '1'))
    const added = send(world, 'Cluster/MemberAdd', addRequest(['http://h:9', 'http://g:9'], true), addShape)
    const id = world.engine.members().find((candidate) => candidate.isLearner)?.id ?? 0n
    const signed = BigInt.asIntN(64, id)
    const newcomer = `(id=${signed} peer=http://g:9 peer=http://h:9 learner=1)`
    const founder = '(id=7 name=one peer=http://h:1 client=http://h:2379)'
    const both = (name: string): string =>
      id < 7n ? `${name}=${newcomer} ${name}=${founder}` : `${name}=${founder} ${name}=${newcomer}`
    assert.equal(added, `${headerText} member=${newcomer} ${both('of')}`)
    const moved = send(world, 'Cluster/MemberUpdate', idRequest(7n, ['http://h:8']))
    assert.ok(moved.includes('(id=7 name=one peer=http://h:8 client=http://h:2379)'), moved)
    assert.ok(
      send(world, 'Cluster/MemberPromote', idRequest(id)).includes(`(id=${signed} peer=http://g:9 peer=http://h:9)`),
    )
    const left = `${headerText} member=(id=7 name=one peer=http://h:8 client=http://h:2379)`
    assert.equal(send(world, 'Cluster/MemberRemove', idRequest(id)), left)
    assert.equal(send(world, 'Cluster/MemberList', emptyBytes), left)
  })

  it('are refused with etcd’s codes and words', () => {
    const world = new ServicesWorld({}, [one, two, third])
    const add = (url: string, isLearner = false): string =>
      send(world, 'Cluster/MemberAdd', addRequest([url], isLearner))
    assert.equal(add('h'), '3 etcdserver: given member URLs are invalid')
    assert.equal(send(world, 'Cluster/MemberAdd', addRequest([])), '3 etcdserver: given member URLs are invalid')
    assert.equal(add('http://h:1'), '9 etcdserver: Peer URLs already exists')
    assert.equal(add('http://h:9', true), '9 etcdserver: too many learner members in cluster')
    assert.equal(send(world, 'Cluster/MemberRemove', idRequest(99n)), '5 etcdserver: member not found')
    assert.equal(send(world, 'Cluster/MemberUpdate', idRequest(99n, ['http://h:9'])), '5 etcdserver: member not found')
    assert.equal(
      send(world, 'Cluster/MemberUpdate', idRequest(7n, ['http://h:2'])),
      '9 etcdserver: Peer URLs already exists',
    )
    assert.equal(send(world, 'Cluster/MemberPromote', idRequest(99n)), '5 etcdserver: member not found')
    assert.equal(send(world, 'Cluster/MemberPromote', idRequest(7n)), '9 etcdserver: can only promote a learner member')
    world.membership.catchUp = { ok: true, state: 'behind' }
    const notReady = '9 etcdserver: can only promote a learner member which is in sync with leader'
    assert.equal(send(world, 'Cluster/MemberPromote', idRequest(9n)), notReady)
    world.membership.away.add(3n)
    assert.equal(add('http://h:9'), '14 etcdserver: unhealthy cluster')
    assert.equal(send(world, 'Cluster/MemberRemove', idRequest(7n)), '14 etcdserver: unhealthy cluster')
    assert.equal(send(world, 'Cluster/MemberRemove', idRequest(3n)).slice(0, 6), 'header')
    const notEnough = '2 etcdserver: re-configuration failed due to not enough started members'
    assert.equal(send(world, 'Cluster/MemberRemove', idRequest(7n)), notEnough)
    assert.match(send(world, 'Cluster/MemberRemove', Uint8Array.of(8)), /^13 /)
  })

  it('that the consensus group does not follow in time have an unknown outcome', () => {
    const world = new ServicesWorld({}, [one])
    world.membership.settles = false
    assert.equal(send(world, 'Cluster/MemberAdd', addRequest(['http://h:9'])), '14 etcdserver: request timed out')
    assert.equal(world.engine.members().length, 2)
  })
})

describe('a learner', () => {
  const learner = { ...one, isLearner: true }
  const refusal = '9 etcdserver: rpc not supported for learner'
  const key = Buffer.from('k')

  it('answers serializable ranges and its status, and nothing else', () => {
    const world = new ServicesWorld({}, [learner, two])
    const range = (serializable: boolean): Uint8Array =>
      new ProtobufWriter().bytes(1, key).bool(7, serializable).finish()
    assert.match(send(world, 'KV/Range', range(true), { 1: header }), /^header/)
    assert.match(send(world, 'Maintenance/Status', emptyBytes, { 1: header, 10: 'learner' }), /learner=1/)
    assert.equal(send(world, 'KV/Range', range(false)), refusal)
    const methods = ['KV/Put', 'KV/DeleteRange', 'KV/Txn', 'KV/Compact', 'Lease/LeaseGrant', 'Lease/LeaseRevoke']
    const more = ['Lease/LeaseTimeToLive', 'Lease/LeaseLeases', 'Maintenance/Alarm', 'Maintenance/Defragment']
    const rest = ['Maintenance/Hash', 'Maintenance/HashKV', 'Maintenance/MoveLeader', 'Cluster/MemberAdd']
    const cluster = ['Cluster/MemberRemove', 'Cluster/MemberUpdate', 'Cluster/MemberPromote', 'Cluster/MemberList']
    for (const method of [...methods, ...more, ...rest, ...cluster]) {
      assert.equal(send(world, method, emptyBytes), refusal, method)
    }
  })

  it('has no streams, until it is promoted', () => {
    const world = new ServicesWorld({}, [learner, two])
    for (const path of ['/etcdserverpb.Watch/Watch', '/etcdserverpb.Lease/LeaseKeepAlive']) {
      assert.deepEqual(world.stream(path).status, { status: 9, message: refusal.slice(2) })
    }
    world.call((done) => world.engine.memberPromote(7n, done))
    assert.equal(world.stream('/etcdserverpb.Watch/Watch').status, undefined)
    assert.match(send(world, 'Cluster/MemberList', emptyBytes), /^header/)
  })
})
