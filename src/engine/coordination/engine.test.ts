import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { HashKvResult } from './api.ts'
import { encodeCompactRequest } from './codec/index.ts'
import { alarmActions, alarmTypes } from './messages.ts'
import type {
  AlarmResult,
  CompactResult,
  LeaseGrantResult,
  LeaseRevokeResult,
  PutResult,
  RangeResult,
} from './results.ts'
import { deleteRangeRequest, putRequest, rangeRequest, txnRequest } from './testing/encode-requests.ts'
import { EngineWorld } from './testing/engine-world.ts'

function compact(world: EngineWorld, revision: number, physical = false) {
  const request = { revision, physical }
  return world.call<CompactResult>((done) => world.engine.compact(request, encodeCompactRequest(request), done))
}

function grant(world: EngineWorld, id: bigint, ttlSeconds: number) {
  return world.call<LeaseGrantResult>((done) => world.engine.leaseGrant({ id, ttlSeconds }, new Uint8Array(0), done))
}

describe('reads', () => {
  it('ask for a read index unless they are serializable', () => {
    const world = new EngineWorld()
    world.run(putRequest('a', '1'))
    world.run(rangeRequest('a'))
    assert.equal(world.group.reads, 1)
    world.run(rangeRequest('a', { serializable: true }))
    world.run(txnRequest({ success: [rangeRequest('a', { serializable: true })] }))
    assert.equal(world.group.reads, 1)
    world.run(txnRequest({ success: [rangeRequest('a', { serializable: true }), rangeRequest('b')] }))
    assert.equal(world.group.reads, 2)
    assert.equal(world.group.log.length, 1, 'no read was replicated')
  })

  it('replicate a transaction that may write, or nests another', () => {
    const world = new EngineWorld()
    world.run(txnRequest({ success: [rangeRequest('a')], failure: [deleteRangeRequest('a')] }))
    world.run(txnRequest({ success: [txnRequest({})] }))
    assert.equal(world.group.log.length, 2)
  })

  it('pass on why the group refuses', () => {
    const world = new EngineWorld()
    world.group.refusal = { ok: false, reason: 'leader-changed', outcome: 'unknown' }
    assert.deepEqual(world.run(rangeRequest('a')), { error: 'LEADER_CHANGED' })
    const outcome = world.call<PutResult>((done) => world.engine.put(putRequest('a'), new Uint8Array(0), done))
    assert.deepEqual(outcome, { ok: false, code: 'LEADER_CHANGED', outcome: 'unknown' })
  })
})

describe('a long range', () => {
  const count = 3000
  function filled(): EngineWorld {
    const world = new EngineWorld()
    for (let i = 0; i < count; i++) world.run(putRequest(`k${String(i).padStart(5, '0')}`, String(i)))
    return world
  }

  it('is read in slices, at one revision whatever happens meanwhile, and pinned until closed', () => {
    const world = filled()
    const { engine, machine } = world
    const revision = machine.store.revision
    const outcomes = world.start<RangeResult>((done) => engine.range(rangeRequest('k', { end: 'l' }), done))
    world.loop.turn()
    assert.equal(outcomes.length, 0, 'it does not come in one turn')
    world.run(deleteRangeRequest('k', { end: 'l' }))
    compact(world, machine.store.revision)
    for (let i = 0; i < 100 && outcomes.length === 0; i++) world.loop.advance(1)
    const [outcome] = outcomes
    assert.ok(outcome?.ok)
    assert.equal(outcome.revision, revision)
    assert.equal(outcome.count, count)
    assert.equal(outcome.refs.length, count)
    world.loop.advance(100)
    assert.equal(machine.pins, 1)
    assert.equal(outcome.store.value(outcome.refs[count - 1]!).toString(), String(count - 1))
    outcome.pin?.close()
    assert.equal(machine.pins, 0)
  })

  it('comes at once and unpinned with a limit, which counts all the same', () => {
    const world = filled()
    const outcomes = world.start<RangeResult>((done) =>
      world.engine.range(rangeRequest('k', { end: 'l', limit: 10 }), done),
    )
    world.loop.turn()
    const [outcome] = outcomes
    assert.ok(outcome?.ok)
    assert.deepEqual([outcome.refs.length, outcome.count, outcome.more, outcome.pin], [10, count, true, undefined])
    assert.equal(world.machine.pins, 0)
  })

  it('sorted by value, descending, is right', () => {
    const world = filled()
    const request = rangeRequest('k', { end: 'l', sortOrder: 2, sortTarget: 4, limit: 2000 })
    const result = world.run(request) as { records: { value: string }[]; more: boolean }
    const expected = Array.from({ length: count }, (_, i) => String(i))
      .sort()
      .reverse()
      .slice(0, 2000)
    assert.deepEqual(
      result.records.map(({ value }) => value),
      expected,
    )
    assert.equal(result.more, true)
    assert.equal(world.machine.pins, 0)
  })
})

describe('requests', () => {
  it('that are too large are refused before they are proposed', () => {
    const world = new EngineWorld({ maxRequestBytes: 1000 })
    assert.deepEqual(world.run(putRequest('a', 'x'.repeat(1000))), { error: 'REQUEST_TOO_LARGE' })
    assert.equal(world.group.log.length, 0)
  })

  it('for a revision beyond or before what there is are refused', () => {
    const world = new EngineWorld()
    for (let i = 0; i < 5; i++) world.run(putRequest('a', String(i)))
    assert.deepEqual(world.run(rangeRequest('a', { revision: 7 })), { error: 'FUTURE_REVISION' })
    assert.equal(compact(world, 4).ok, true)
    assert.deepEqual(world.run(rangeRequest('a', { revision: 3 })), { error: 'COMPACTED' })
    assert.deepEqual(world.run(rangeRequest('a', { end: 'b', revision: 3 })), { error: 'COMPACTED' })
    assert.deepEqual(compact(world, 4), { ok: false, code: 'COMPACTED', outcome: 'not-applied' })
    assert.deepEqual(compact(world, 7), { ok: false, code: 'FUTURE_REVISION', outcome: 'not-applied' })
    const inTxn = txnRequest({ success: [putRequest('b'), rangeRequest('a', { revision: 3 })] })
    assert.deepEqual(world.run(inTxn), { error: 'COMPACTED' })
    assert.equal(world.machine.store.revision, 6, 'nothing of the transaction happened')
  })
})

describe('leases', () => {
  it('get the id asked for or a positive one, and at least the minimum TTL', () => {
    const world = new EngineWorld()
    const chosen = grant(world, 0n, 60)
    assert.ok(chosen.ok && chosen.id > 0n && chosen.id < 2n ** 63n)
    const asked = grant(world, -9n, 1)
    assert.ok(asked.ok)
    assert.deepEqual([asked.id, asked.ttlSeconds], [-9n, 2])
    assert.deepEqual(grant(world, -9n, 1), { ok: false, code: 'LEASE_EXISTS', outcome: 'not-applied' })
    assert.deepEqual(grant(world, 1n, 9_000_000_001), {
      ok: false,
      code: 'LEASE_TTL_TOO_LARGE',
      outcome: 'not-applied',
    })
  })

  it('take their keys with them when revoked', () => {
    const world = new EngineWorld()
    grant(world, 5n, 60)
    world.run(putRequest('b', '', { lease: 5n }))
    world.run(putRequest('a', '', { lease: 5n }))
    world.run(putRequest('c', '', { lease: 5n }))
    world.run(putRequest('c', ''))
    const revoked = world.call<LeaseRevokeResult>((done) => world.engine.leaseRevoke(5n, 'user', done))
    assert.deepEqual(revoked, { ok: true, type: 'leaseRevoke', revision: 6 })
    const { records } = world.run(rangeRequest('a', { end: 'z' })) as { records: { key: string }[] }
    assert.deepEqual(
      records.map(({ key }) => key),
      ['c'],
    )
    assert.deepEqual(world.run(putRequest('d', '', { lease: 5n })), { error: 'LEASE_NOT_FOUND' })
    const again = world.call<LeaseRevokeResult>((done) => world.engine.leaseRevoke(5n, 'expired', done))
    assert.deepEqual(again, { ok: false, code: 'LEASE_NOT_FOUND', outcome: 'not-applied' })
  })
})

describe('the quota', () => {
  const value = 'x'.repeat(10_000)
  function full(): EngineWorld {
    const world = new EngineWorld({ quotaBytes: 400_000 })
    for (let i = 0; i < 100; i++) {
      const result = world.run(putRequest('a', value))
      if ('error' in result) return world
    }
    throw new Error('the quota was never reached')
  }

  it('raises the alarm, which refuses what adds on every node, and lets deletions through', () => {
    const world = full()
    assert.deepEqual(world.engine.alarms(), [{ memberId: 7n, alarm: alarmTypes.noSpace }])
    assert.deepEqual(world.run(putRequest('b', '')), { error: 'NO_SPACE' })
    assert.deepEqual(world.run(txnRequest({ failure: [putRequest('b', '')] })), { error: 'NO_SPACE' })
    assert.equal(grant(world, 0n, 60).ok, false)
    const count = world.group.log.length
    assert.equal('error' in world.run(txnRequest({ success: [deleteRangeRequest('q')] })), false)
    assert.equal('error' in world.run(deleteRangeRequest('a')), false)
    assert.equal(world.group.log.length, count + 2)
  })

  it('is cleared by compaction and withdrawal of the alarm', () => {
    const world = full()
    world.run(deleteRangeRequest('a'))
    assert.equal(compact(world, world.engine.revision, true).ok, true)
    const disarm = { action: alarmActions.deactivate, memberId: 7n, alarm: alarmTypes.noSpace }
    const withdrawn = world.call<AlarmResult>((done) => world.engine.alarm(disarm, done))
    assert.ok(withdrawn.ok)
    assert.deepEqual(withdrawn.alarms, [{ memberId: 7n, alarm: alarmTypes.noSpace }])
    assert.equal('error' in world.run(putRequest('a', value)), false)
    assert.deepEqual(world.engine.alarms(), [])
  })

  it('proposes one alarm for many refused at once', () => {
    const world = full()
    const disarm = { action: alarmActions.deactivate, memberId: 7n, alarm: alarmTypes.noSpace }
    world.call<AlarmResult>((done) => world.engine.alarm(disarm, done))
    const count = world.group.log.length
    const calls = Array.from({ length: 20 }, () => {
      return world.start<PutResult>((done) => world.engine.put(putRequest('a', value), Buffer.from(value), done))
    })
    world.loop.advance(10)
    assert.equal(world.group.log.length, count + 1)
    for (const [outcome] of calls) assert.ok(outcome?.ok === false && outcome.code === 'NO_SPACE')
  })
})

describe('alarms', () => {
  it('of corruption refuse all commands but alarms', () => {
    const world = new EngineWorld()
    const raise = { action: alarmActions.activate, memberId: 3n, alarm: alarmTypes.corrupt }
    assert.equal(world.call<AlarmResult>((done) => world.engine.alarm(raise, done)).ok, true)
    assert.deepEqual(world.run(putRequest('a')), { error: 'CORRUPT' })
    assert.deepEqual(world.run(deleteRangeRequest('a')), { error: 'CORRUPT' })
    assert.deepEqual(world.run(txnRequest({ success: [putRequest('a')] })), { error: 'CORRUPT' })
    assert.equal(grant(world, 1n, 60).ok, false)
    assert.equal(compact(world, 1).ok, false)
    assert.equal('error' in world.run(rangeRequest('a')), false)
  })

  it('are listed by type', () => {
    const world = new EngineWorld()
    for (const [memberId, alarm] of [
      [2n, 1],
      [1n, 2],
      [1n, 1],
    ] as const) {
      world.call<AlarmResult>((done) => world.engine.alarm({ action: alarmActions.activate, memberId, alarm }, done))
    }
    const get = (alarm: number) =>
      world.call<AlarmResult>((done) => world.engine.alarm({ action: alarmActions.get, memberId: 0n, alarm }, done))
    const all = get(alarmTypes.none)
    assert.ok(all.ok)
    assert.deepEqual(
      all.alarms.map(({ memberId, alarm }) => [memberId, alarm]),
      [
        [1n, 1],
        [2n, 1],
        [1n, 2],
      ],
    )
    const corrupt = get(alarmTypes.corrupt)
    assert.ok(corrupt.ok)
    assert.equal(corrupt.alarms.length, 1)
  })
})

describe('hashes', () => {
  it('of key-values depend on the revision asked for', () => {
    const world = new EngineWorld()
    world.run(putRequest('a', '1'))
    world.run(putRequest('a', '2'))
    const at = (revision: number) => world.call<HashKvResult>((done) => world.engine.hashKv(revision, done))
    const [old, now, same] = [at(2), at(0), at(3)]
    assert.ok(old.ok && now.ok && same.ok)
    assert.deepEqual([old.hashRevision, now.hashRevision, now.revision], [2, 3, 3])
    assert.notEqual(old.hash, now.hash)
    assert.equal(same.hash, now.hash)
    assert.deepEqual(at(4), { ok: false, code: 'FUTURE_REVISION', outcome: 'not-applied' })
    compact(world, 3)
    assert.deepEqual(at(2), { ok: false, code: 'COMPACTED', outcome: 'not-applied' })
    assert.equal(world.machine.pins, 0)
  })
})

describe('physical compaction', () => {
  it('answers once memory is reclaimed, and waits for who still reads', () => {
    const world = new EngineWorld()
    for (let i = 0; i < 2000; i++) world.run(putRequest('a', 'x'.repeat(100)))
    const before = world.machine.store.sizeInUseBytes
    const unpin = world.machine.pin()
    const snapshot = world.machine.store.snapshot()
    const request = { revision: world.engine.revision, physical: true }
    const outcomes = world.start<CompactResult>((done) =>
      world.engine.compact(request, encodeCompactRequest(request), done),
    )
    world.loop.advance(50)
    assert.equal(outcomes.length, 0)
    snapshot.close()
    unpin()
    world.loop.advance(50)
    assert.equal(outcomes[0]?.ok, true)
    assert.ok(world.machine.store.sizeInUseBytes < before / 2)
  })
})

describe('auto compaction', () => {
  const minute = 60_000

  it('by revisions keeps that many, on the leader only', () => {
    const world = new EngineWorld({ autoCompaction: { mode: 'revision', retention: 10 } })
    for (let i = 0; i < 30; i++) world.run(putRequest('a'))
    world.group.changeStatus({ role: 'follower' })
    world.loop.advance(5 * minute)
    assert.equal(world.machine.store.compactedRevision, 0)
    world.group.changeStatus({ role: 'leader' })
    world.loop.advance(5 * minute)
    assert.equal(world.machine.store.compactedRevision, 21)
    const count = world.group.log.length
    world.loop.advance(30 * minute)
    assert.equal(world.group.log.length, count, 'it does not compact again without new revisions')
  })

  it('by time keeps the retention', () => {
    const world = new EngineWorld({ autoCompaction: { mode: 'periodic', retentionMs: 10 * minute } })
    world.run(putRequest('a'))
    for (let i = 0; i < 20; i++) {
      world.loop.advance(minute)
      world.run(putRequest('a'))
    }
    // Revision 2 at the start, one more each minute: at minute 10 or 20, that of ten minutes before.
    const { compactedRevision } = world.machine.store
    assert.ok(compactedRevision >= 10 && compactedRevision <= 13, String(compactedRevision))
    world.engine.stop()
    world.loop.advance(60 * minute)
    assert.equal(world.machine.store.compactedRevision, compactedRevision)
  })
})
