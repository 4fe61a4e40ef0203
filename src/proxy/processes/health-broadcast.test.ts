import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { HealthSnapshot } from '../../traffic/index.ts'
import { address, onUpstreamGround } from '../../traffic/upstream/testing/upstream-ground.ts'
import { HealthBroadcast, restMs } from './health-broadcast.ts'

const check = {
  check: { type: 'tcp' },
  intervalMs: 60_000,
  timeoutMs: 1_000,
  healthyAfter: 1,
  unhealthyAfter: 1,
} as const

/** The endpoints of a snapshot in which those below `down` are unhealthy. */
function snapshot(count: number, down: number): HealthSnapshot {
  const endpoints = Array.from({ length: count }, (_, at) => ({
    id: `e${at}`,
    health: at < down ? ('unhealthy' as const) : ('healthy' as const),
    reason: '',
    phi: undefined,
  }))
  return { upstream: 'orders', endpoints }
}

test('ten thousand endpoints that flap are a handful of messages, and the last one says how it is', () =>
  onUpstreamGround(1, async ({ runtime, pass }) => {
    const sent: (readonly HealthSnapshot[])[] = []
    const broadcast = new HealthBroadcast({ ...runtime, send: (snapshots) => sent.push(snapshots) })
    for (let down = 1; down <= 10_000; down++) {
      broadcast.change('orders', () => snapshot(10, down % 11))
      broadcast.change('users', () => ({ upstream: 'users', endpoints: [] }))
      if (down % 2_500 === 0) await pass(restMs / 5)
    }
    assert.equal(sent.length, 1)
    await pass(restMs)
    assert.deepEqual(sent.slice(1), [[{ upstream: 'users', endpoints: [] }, snapshot(10, 10_000 % 11)]])
    // After a rest the next change is told at once again.
    await pass(restMs)
    broadcast.change('orders', () => snapshot(1, 1))
    assert.equal(sent.length, 3)
    broadcast.change('orders', () => snapshot(1, 0))
    broadcast.forget('orders')
    await pass(restMs)
    assert.equal(sent.length, 3)
    broadcast.close()
  }))

test('an upstream of ten thousand takes a snapshot in which all of them changed', () =>
  onUpstreamGround(2, async ({ open }) => {
    const endpoints = Array.from({ length: 10_000 }, (_, at) => address(`e${at}`))
    const upstream = open({ sources: [{ type: 'static', endpoints }], activeCheck: check }, { activeChecks: false })
    let told = 0
    upstream.onChange(() => told++)
    upstream.importHealth(snapshot(10_000, 4_000))
    assert.equal(upstream.endpoints.filter(({ state }) => state === 'unhealthy').length, 4_000)
    assert.equal(told, 1)
  }))
