import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Member } from './messages.ts'
import type { Done, Failure, MemberChangeResult } from './results.ts'
import { EngineWorld, testFounder } from './testing/engine-world.ts'
import { normalizePeerUrls } from './validation/index.ts'

type Outcome = MemberChangeResult | Failure

function voters(count: number, unstarted = 0): Member[] {
  return Array.from({ length: count }, (_, i) => ({
    ...testFounder,
    id: 7n + BigInt(i),
    name: i < count - unstarted ? `n${i}` : '',
    peerUrls: [`http://h:${i + 1}`],
  }))
}

const learner: Member = { id: 100n, name: 'l', peerUrls: ['http://h:100'], clientUrls: [], isLearner: true }

function worldOf(founders: readonly Member[]): EngineWorld {
  return new EngineWorld({}, founders)
}

function say(outcome: Outcome): string {
  if (outcome.ok) return 'ok'
  return outcome.outcome === 'unknown' ? `${outcome.code} unknown` : outcome.code
}

function add(world: EngineWorld, url: string, isLearner = false): string {
  return say(world.call((done: Done<MemberChangeResult>) => world.engine.memberAdd([url], isLearner, done)))
}

function remove(world: EngineWorld, id: bigint): string {
  return say(world.call((done: Done<MemberChangeResult>) => world.engine.memberRemove(id, done)))
}

function promote(world: EngineWorld, id: bigint): string {
  return say(world.call((done: Done<MemberChangeResult>) => world.engine.memberPromote(id, done)))
}

describe('a change of members', () => {
  it('answers when the configuration has followed, and not before', () => {
    const world = worldOf(voters(3))
    world.membership.settles = false
    const outcomes = world.start((done: Done<MemberChangeResult>) => world.engine.memberRemove(8n, done))
    world.loop.advance(6999)
    assert.deepEqual(outcomes, [])
    assert.equal(world.engine.members().length, 2, 'it is declared all the same')
    world.loop.advance(2)
    assert.deepEqual(outcomes, [{ ok: false, code: 'TIMEOUT', outcome: 'unknown' }])
    assert.equal(world.membership.open, 0)
  })

  it('waits for what it means: present, absent, a voter; an update waits for nothing', () => {
    const world = worldOf([...voters(3), learner])
    assert.equal(add(world, 'http://h:50'), 'ok')
    const id = world.engine.members().find((member) => member.peerUrls[0] === 'http://h:50')?.id
    assert.equal(remove(world, 8n), 'ok')
    assert.equal(promote(world, 100n), 'ok')
    const update = (done: Done<MemberChangeResult>) => world.engine.memberUpdate(7n, ['http://h:51'], done)
    assert.equal(say(world.call(update)), 'ok')
    assert.deepEqual(world.membership.waits, [`${id} present`, '8 absent', '100 voter'])
  })

  it('whose node stops is told as unknown', () => {
    const world = worldOf(voters(3))
    world.membership.settles = false
    const outcomes = world.start((done: Done<MemberChangeResult>) => world.engine.memberRemove(8n, done))
    world.loop.advance(10)
    world.engine.stop()
    assert.deepEqual(outcomes, [{ ok: false, code: 'STOPPED', outcome: 'unknown' }])
    world.loop.advance(10_000)
    assert.equal(outcomes.length, 1)
  })

  it('is refused for what only the state knows, and waits for nothing then', () => {
    const world = worldOf(voters(3))
    assert.equal(add(world, 'http://h:1'), 'PEER_URL_EXISTS')
    assert.equal(remove(world, 99n), 'MEMBER_NOT_FOUND')
    assert.deepEqual(world.membership.waits, [])
  })

  it('chooses ids that are new and never 0', () => {
    const world = worldOf(voters(1))
    assert.equal(add(world, 'http://h:50', true), 'ok')
    const id = world.engine.members().find((member) => member.isLearner)?.id ?? 0n
    assert.ok(id > 0n && id < 2n ** 64n && id !== 7n)
  })
})

describe('adding, as etcd with its strict check', () => {
  it('a second voter to a lone one; not a third before the second has started', () => {
    const world = worldOf(voters(1))
    assert.equal(add(world, 'http://h:50'), 'ok')
    assert.equal(add(world, 'http://h:51'), 'NOT_ENOUGH_STARTED')
    assert.equal(add(world, 'http://h:51', true), 'ok', 'a learner is no voter that could be missing')
  })

  it('not while the voters that are connected would be no quorum of one more', () => {
    const world = worldOf(voters(3))
    world.membership.away.add(9n)
    assert.equal(add(world, 'http://h:50'), 'UNHEALTHY')
    assert.equal(add(world, 'http://h:50', true), 'UNHEALTHY')
    world.membership.away.clear()
    assert.equal(add(world, 'http://h:50'), 'ok')
  })

  it('only with URLs that can be reached', () => {
    const world = worldOf(voters(1))
    assert.equal(add(world, 'h:50'), 'MEMBER_BAD_URLS')
    const update = (done: Done<MemberChangeResult>) => world.engine.memberUpdate(7n, [], done)
    assert.equal(say(world.call(update)), 'MEMBER_BAD_URLS')
    assert.equal(world.group.log.length, 0)
  })
})

describe('removing, as etcd with its strict check', () => {
  it('one that is down, but not one that the quorum needs', () => {
    const world = worldOf(voters(3))
    world.membership.away.add(9n)
    assert.equal(remove(world, 8n), 'UNHEALTHY')
    assert.equal(remove(world, 9n), 'ok')
    assert.equal(remove(world, 8n), 'ok')
    assert.equal(remove(world, 7n), 'NOT_ENOUGH_STARTED')
  })

  it('not when those who stay have not started', () => {
    const world = worldOf(voters(2, 1))
    assert.equal(remove(world, 7n), 'NOT_ENOUGH_STARTED')
    assert.equal(remove(world, 8n), 'ok')
  })

  it('a learner, always', () => {
    const world = worldOf([...voters(3), learner])
    for (const id of [8n, 9n]) world.membership.away.add(id)
    assert.equal(remove(world, 100n), 'ok')
  })
})

describe('promoting', () => {
  it('needs a learner that has caught up', () => {
    const world = worldOf([...voters(3), learner])
    assert.equal(promote(world, 99n), 'MEMBER_NOT_FOUND')
    assert.equal(promote(world, 8n), 'MEMBER_NOT_LEARNER')
    world.membership.catchUp = { ok: true, state: 'behind' }
    assert.equal(promote(world, 100n), 'LEARNER_NOT_READY')
    world.membership.catchUp = { ok: true, state: 'unknown-member' }
    assert.equal(promote(world, 100n), 'LEARNER_NOT_READY')
    world.membership.catchUp = { ok: false, reason: 'no-leader', outcome: 'not-applied' }
    assert.equal(promote(world, 100n), 'NO_LEADER')
    assert.equal(world.group.log.length, 0, 'nothing was proposed')
    world.membership.catchUp = { ok: true, state: 'caught-up' }
    assert.equal(promote(world, 100n), 'ok')
    const { succeeded, failed } = world.engine.promotions
    assert.deepEqual(
      [succeeded, Object.fromEntries(failed)],
      [1, { MEMBER_NOT_FOUND: 1, MEMBER_NOT_LEARNER: 1, LEARNER_NOT_READY: 2, NO_LEADER: 1 }],
    )
  })

  it('needs enough voters that have started', () => {
    const world = worldOf([...voters(3, 2), learner])
    assert.equal(promote(world, 100n), 'NOT_ENOUGH_STARTED')
  })
})

describe('this node', () => {
  it('is a learner as long as it is declared one', () => {
    const world = worldOf([
      { ...testFounder, isLearner: true },
      { ...testFounder, id: 8n, peerUrls: ['http://h:8'] },
    ])
    assert.equal(world.engine.isLearner, true)
    assert.equal(promote(world, 7n), 'ok')
    assert.equal(world.engine.isLearner, false)
  })
})

describe('peer URLs', () => {
  it('are sorted, trimmed and brought into one form', () => {
    assert.deepEqual(normalizePeerUrls([' HTTP://Host.Example:02380', 'http://[::1]:1']), [
      'http://[::1]:1',
      'http://host.example:2380',
    ])
    assert.deepEqual(normalizePeerUrls(['http://h:80']), ['http://h:80'])
  })

  it('that are none are refused', () => {
    const bad = ['', 'h', 'h:1', 'http://h', 'http://h:', 'http://h:0', 'http://h:65536', 'http://:1', 'http://h:1/']
    const worse = [
      'http://h:1/x',
      'http://h:1?q',
      'http://h:1#f',
      'http://u@h:1',
      'https://h:1',
      'unix://h:1',
      'http://a b:1',
    ]
    for (const url of [...bad, ...worse, 'http://[::1:1', 'ftp://h:1', `http://${'h'.repeat(3000)}:1`])
      assert.equal(normalizePeerUrls([url]), undefined, url)
    assert.equal(normalizePeerUrls(['http://h:1', 'bad']), undefined)
    assert.equal(normalizePeerUrls(Array.from({ length: 65 }, (_, i) => `http://h:${i + 1}`)), undefined)
  })
})
