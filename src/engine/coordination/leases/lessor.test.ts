import assert from 'node:assert/strict'
import { test } from 'node:test'
import { silentLogger } from '../../../runtime/index.ts'
import type { Group, GroupStatus, LeaderAnswer, ReadOutcome } from '../../replication/index.ts'
import type { StateObserver } from '../api.ts'
import type { Done, LeaseRevokeResult } from '../results.ts'
import { FakeLoop } from '../watch/testing/fake-loop.ts'
import { type KeepAliveResult, LeaseClient, type TimeToLiveResult } from './lease-client.ts'
import { MemoryLeaseTable } from './lease-table.ts'
import { Lessor } from './lessor.ts'

/** One node whose group is a puppet: it leads, follows or is cut off as the test says. */
class Node {
  readonly loop = new FakeLoop()
  readonly leases = new MemoryLeaseTable()
  readonly proposed: bigint[] = []
  readonly lessor: Lessor
  readonly client: LeaseClient
  status: GroupStatus = {
    memberId: 1n,
    role: 'follower',
    leader: 0n,
    term: 1,
    commitIndex: 0,
    appliedIndex: 0,
    lastIndex: 0,
  }
  /** What read indexes answer; undefined: they hang. */
  reads: ReadOutcome | undefined = { ok: true }
  /** How proposals end; undefined: they are applied. */
  revocation: Parameters<Done<LeaseRevokeResult>>[0] | undefined = undefined
  readCount = 0
  private observer: StateObserver = {}
  private onStatus: (status: GroupStatus) => void = () => {}
  private service: Parameters<Group<unknown>['setLeaderService']>[0] = () => {}

  constructor() {
    const { clock, scheduler } = this.loop
    const later = scheduler.endOfTurn
    const group = {
      linearizableRead: (done: (outcome: ReadOutcome) => void) => {
        this.readCount++
        const outcome = this.reads
        if (outcome !== undefined) later(() => done(outcome))
      },
      status: () => this.status,
      onStatusChange: (listener: (status: GroupStatus) => void) => {
        this.onStatus = listener
        return () => {}
      },
      callLeader: (request: Uint8Array, done: (answer: LeaderAnswer) => void) => {
        if (this.status.role !== 'leader') later(() => done({ ok: false, reason: 'no-leader', outcome: 'not-applied' }))
        else later(() => this.service(request, (response) => later(() => done({ ok: true, response }))))
      },
    }
    const state = {
      leases: this.leases,
      observe: (observer: StateObserver) => {
        this.observer = observer
        return () => {}
      },
    }
    const expire = (id: bigint, done: Done<LeaseRevokeResult>): void => {
      this.proposed.push(id)
      const outcome = this.revocation
      later(() => {
        if (outcome === undefined) this.revoke(id)
        done(outcome ?? { ok: true, type: 'leaseRevoke', revision: 2 })
      })
    }
    const context = { clock, scheduler, group, state, logger: silentLogger, expire }
    this.lessor = new Lessor(context, { electionTimeoutMs: 1000 })
    this.service = (request, reply) => this.lessor.serve(request, reply)
    this.client = new LeaseClient(context, { requestTimeoutMs: 5000 })
  }

  become(role: GroupStatus['role'], term: number): void {
    this.status = { ...this.status, role, term }
    this.onStatus(this.status)
  }

  grant(id: bigint, ttlSeconds: number): void {
    this.leases.grant(id, ttlSeconds)
    this.observer.onLeaseGranted?.(id, ttlSeconds)
  }

  revoke(id: bigint): void {
    if (this.leases.revoke(id) !== undefined) this.observer.onLeaseRevoked?.(id)
  }

  keepAlive(id: bigint): KeepAliveResult['ttlSeconds'] | string | undefined {
    let answer: KeepAliveResult['ttlSeconds'] | string | undefined
    this.client.keepAlive(id, (outcome) => (answer = outcome.ok ? outcome.ttlSeconds : outcome.code))
    this.loop.turn()
    return answer
  }

  timeToLive(id: bigint, withKeys: boolean): TimeToLiveResult | string | undefined {
    let answer: TimeToLiveResult | string | undefined
    this.client.timeToLive(id, withKeys, (outcome) => (answer = outcome.ok ? outcome : outcome.code))
    this.loop.turn()
    return answer
  }
}

test('a lease that is not renewed ends soon after its TTL, never before; one that is renewed lives', () => {
  const node = new Node()
  node.become('leader', 1)
  node.grant(1n, 2)
  node.grant(2n, 2)
  for (let i = 0; i < 4; i++) {
    node.loop.advance(499)
    assert.equal(node.keepAlive(2n), 2)
    assert.deepEqual(node.proposed, [])
  }
  node.loop.advance(30)
  assert.deepEqual(node.proposed, [1n])
  assert.equal(node.leases.has(1n), false)
  node.loop.advance(1900)
  assert.equal(node.leases.has(2n), true)
  node.loop.advance(200)
  assert.deepEqual(node.proposed, [1n, 2n])
  assert.deepEqual(node.lessor.stats, { granted: 2, revoked: 2, renewed: 4, expired: 2 })
})

test('only the leader ends leases, and a new one gives each its full TTL and an election time-out', () => {
  const node = new Node()
  node.grant(1n, 2)
  node.loop.advance(60_000)
  assert.deepEqual(node.proposed, [])
  node.become('leader', 2)
  node.loop.advance(2990)
  assert.deepEqual(node.proposed, [])
  node.become('follower', 3)
  node.loop.advance(60_000)
  assert.deepEqual(node.proposed, [])
  node.become('leader', 4)
  node.loop.advance(3030)
  assert.deepEqual(node.proposed, [1n])
})

test('a leader that lost its office and does not know it neither renews nor ends a lease', () => {
  const node = new Node()
  node.become('leader', 1)
  node.grant(1n, 2)
  node.reads = undefined
  assert.equal(node.keepAlive(1n), undefined)
  node.loop.advance(60_000)
  assert.deepEqual(node.proposed, [])
})

test('office lost between the question and its confirmation: not renewed', () => {
  const node = new Node()
  node.become('leader', 1)
  node.grant(1n, 2)
  let reply: Uint8Array | undefined
  node.lessor.serve(Uint8Array.of(1, 1, 0, 0, 0, 0, 0, 0, 0), (response) => (reply = response))
  node.become('leader', 3)
  node.loop.turn()
  assert.deepEqual(reply, Buffer.from([1]))
})

test('a missing lease: keep-alive gives 0, time to live gives -1', () => {
  const node = new Node()
  node.become('leader', 1)
  assert.equal(node.keepAlive(5n), 0)
  assert.deepEqual(node.timeToLive(5n, true), { ok: true, remainingSeconds: -1, grantedSeconds: 0, keys: [] })
})

test('time to live counts down in whole seconds and lists the keys', () => {
  const node = new Node()
  node.become('leader', 1)
  node.grant(5n, 10)
  node.leases.attach(5n, 'b')
  node.leases.attach(5n, 'a')
  node.loop.advance(2500)
  assert.deepEqual(node.timeToLive(5n, true), { ok: true, remainingSeconds: 7, grantedSeconds: 10, keys: ['a', 'b'] })
  assert.deepEqual(node.timeToLive(5n, false), { ok: true, remainingSeconds: 7, grantedSeconds: 10, keys: [] })
})

test('while there is no leader, or leaders change, the question is asked again, until the time-out', () => {
  const node = new Node()
  const refused: unknown[] = []
  node.client.keepAlive(1n, (outcome) => refused.push(outcome))
  node.client.timeToLive(1n, false, (outcome) => refused.push(outcome))
  node.loop.advance(4900)
  assert.deepEqual(refused, [])
  node.loop.advance(100)
  const noLeader = { ok: false, code: 'NO_LEADER', outcome: 'not-applied' }
  assert.deepEqual(refused, [noLeader, noLeader])
  node.become('leader', 1)
  node.grant(1n, 5)
  node.reads = { ok: false, reason: 'leader-changed', outcome: 'not-applied' }
  let answer: unknown
  node.client.keepAlive(1n, (outcome) => (answer = outcome))
  node.loop.advance(200)
  assert.equal(answer, undefined)
  node.reads = { ok: true }
  node.loop.advance(100)
  assert.deepEqual(answer, { ok: true, ttlSeconds: 5 })
  node.reads = { ok: false, reason: 'leader-changed', outcome: 'not-applied' }
  node.client.keepAlive(1n, (outcome) => (answer = outcome))
  node.loop.advance(6000)
  assert.deepEqual(answer, { ok: false, code: 'TIMEOUT', outcome: 'unknown' })
})

test('all renewals of a turn share one read index', () => {
  const node = new Node()
  node.become('leader', 1)
  for (let i = 1n; i <= 100n; i++) node.grant(i, 5)
  let renewed = 0
  for (let i = 1n; i <= 100n; i++) node.client.keepAlive(i, (outcome) => (renewed += outcome.ok ? 1 : 0))
  node.loop.turn()
  assert.equal(renewed, 100)
  assert.equal(node.readCount, 1)
})

test('a revocation that surely failed is tried again, and the lease can be renewed meanwhile', () => {
  const node = new Node()
  node.become('leader', 1)
  node.grant(1n, 2)
  node.revocation = { ok: false, code: 'TOO_MANY_REQUESTS', outcome: 'not-applied' }
  node.loop.advance(2030)
  assert.equal(node.keepAlive(1n), 2)
  node.loop.advance(1900)
  assert.deepEqual(node.proposed, [1n])
  node.loop.advance(200)
  assert.deepEqual(node.proposed, [1n, 1n])
})

test('a revocation whose fate is unknown: the lease is not renewed, and the revocation is proposed again', () => {
  const node = new Node()
  node.become('leader', 1)
  node.grant(1n, 2)
  node.revocation = { ok: false, code: 'TIMEOUT', outcome: 'unknown' }
  node.loop.advance(2030)
  assert.equal(node.keepAlive(1n), undefined)
  node.revocation = undefined
  node.loop.advance(3600)
  assert.deepEqual(node.proposed, [1n, 1n])
  assert.equal(node.leases.has(1n), false)
})

test('many leases end at no more than the rate', () => {
  const node = new Node()
  node.become('leader', 1)
  for (let i = 1n; i <= 3000n; i++) node.grant(i, 2)
  node.loop.advance(2000)
  let before = 0
  for (let i = 0; i < 8; i++) {
    node.loop.advance(500)
    assert.ok(node.proposed.length - before <= 1000)
    before = node.proposed.length
  }
  assert.equal(node.proposed.length, 3000)
})

test('after a long stall, renewals that arrive before the read index count', () => {
  const node = new Node()
  node.become('leader', 1)
  node.grant(1n, 2)
  node.loop.advance(1000)
  node.loop.nowMs += 10_000
  let ttl: number | undefined
  node.client.keepAlive(1n, (outcome) => (ttl = outcome.ok ? outcome.ttlSeconds : undefined))
  node.loop.advance(1000)
  assert.equal(ttl, 2)
  assert.deepEqual(node.proposed, [])
})
