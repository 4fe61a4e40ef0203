import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { DeadlineHeap, type HeapItem } from './deadline-heap.ts'
import { LeaseDeadlines } from './lease-deadlines.ts'
import { spreadDelaysMs } from './spread.ts'

test('the heap gives items in order of their due times', () => {
  const step = fc.record({ item: fc.nat(9), dueMs: fc.nat(20), remove: fc.boolean() })
  fc.assert(
    fc.property(fc.array(step, { size: 'max', maxLength: 80 }), (steps) => {
      const items: HeapItem[] = Array.from({ length: 10 }, () => ({ dueMs: 0, heapIndex: -1 }))
      const heap = new DeadlineHeap<HeapItem>()
      const filled = items.slice(0, 3)
      heap.fill([...filled])
      const inside = new Set(filled)
      for (const { item: index, dueMs, remove } of steps) {
        const item = items[index] as HeapItem
        if (remove) {
          heap.remove(item)
          inside.delete(item)
        } else {
          heap.update(item, dueMs)
          inside.add(item)
        }
        assert.equal(heap.size, inside.size)
        assert.equal(
          heap.peek()?.dueMs,
          inside.size === 0 ? undefined : Math.min(...[...inside].map((one) => one.dueMs)),
        )
      }
    }),
  )
})

test('a lease is never taken before its deadline, and always after', () => {
  const step = fc.record({
    do: fc.constantFrom('grant', 'renew', 'revoke', 'wait', 'take', 'retry', 'promote'),
    id: fc.bigInt({ min: 1n, max: 6n }),
    ttl: fc.integer({ min: 1, max: 5 }),
    ms: fc.nat(3000),
  })
  fc.assert(
    fc.property(fc.array(step, { size: 'max', maxLength: 80 }), (steps) => {
      const deadlines = new LeaseDeadlines()
      deadlines.promote(0, 0, 1000)
      const model = new Map<bigint, { ttl: number; deadline: number; revoking: boolean; due: number }>()
      let now = 0
      for (const { do: what, id, ttl, ms } of steps) {
        const lease = model.get(id)
        if (what === 'wait') now += ms
        else if (what === 'grant' && lease === undefined) {
          deadlines.granted(id, ttl, now)
          model.set(id, { ttl, deadline: now + ttl * 1000, revoking: false, due: now + ttl * 1000 })
        } else if (what === 'revoke') {
          deadlines.revoked(id)
          model.delete(id)
        } else if (what === 'renew') {
          const renewal = deadlines.renew(id, now)
          assert.equal(renewal.type, lease === undefined ? 'not-found' : lease.revoking ? 'revoking' : 'renewed')
          if (lease !== undefined && !lease.revoking) lease.due = lease.deadline = now + lease.ttl * 1000
        } else if (what === 'take') {
          const taken = new Set(deadlines.takeExpired(now, 100))
          for (const [other, one] of model) {
            assert.equal(taken.has(other), one.due <= now)
            if (taken.has(other)) Object.assign(one, { revoking: true, due: Number.POSITIVE_INFINITY })
          }
        } else if (what === 'retry' && lease?.revoking) {
          deadlines.retry(id, now + ms, ttl > 2)
          Object.assign(lease, { revoking: ttl <= 2, due: now + ms })
        } else if (what === 'promote') {
          deadlines.promote(now, 100, 1000)
          for (const one of model.values()) {
            one.deadline = one.due = now + 100 + one.ttl * 1000
            one.revoking = false
          }
        }
        assert.equal(deadlines.size, model.size)
        for (const [other, one] of model) {
          assert.equal(deadlines.remainingMs(other, now), Math.max(0, one.deadline - now))
        }
      }
    }),
  )
})

test('leases that would end together are spread below the revocation rate; few are left alone', () => {
  const ttls = Array.from({ length: 100_000 }, (_, i) => 60 + (i % 3))
  const leases = ttls.map((ttlSeconds) => ({ ttlSeconds }))
  const delays = spreadDelaysMs(leases, 1000)
  const perSecond = new Map<number, number>()
  ttls.forEach((ttl, i) => {
    assert.ok((delays[i] as number) >= 0)
    const second = Math.floor(ttl + (delays[i] as number) / 1000)
    perSecond.set(second, (perSecond.get(second) ?? 0) + 1)
  })
  assert.equal(Math.max(...perSecond.values()), 750)
  assert.ok(Math.max(...perSecond.keys()) < 60 + 140)
  assert.ok(spreadDelaysMs(leases.slice(0, 999), 1000).every((delay) => delay === 0))
})

test('100,000 leases: promotion, renewal and expiry are cheap', () => {
  const deadlines = new LeaseDeadlines()
  deadlines.reset(Array.from({ length: 100_000 }, (_, i) => [BigInt(i), 60] as const))
  deadlines.promote(0, 1000, 1000)
  for (let i = 0; i < 100_000; i++) deadlines.renew(BigInt(i), i / 100)
  assert.equal(deadlines.size, 100_000)
  let last = -1
  for (let now = 60_000; deadlines.nextDueMs !== undefined; now += 500) {
    for (const id of deadlines.takeExpired(now, 500)) {
      assert.ok(Number(id) > last)
      last = Number(id)
    }
  }
  assert.equal(last, 99_999)
})
