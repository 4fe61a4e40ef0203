/** Upstreams of thousands of endpoints, where placing them takes its time. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { Clock } from '../../runtime/index.ts'
import { upstreamSettingsDefault } from './settings.ts'
import { address, fail, onUpstreamGround, settingsOf, spread, staticSource } from './testing/upstream-ground.ts'

/** Each look at it costs time, as if all work did. */
function slowClock(nowMs: () => number): { readonly clock: Clock; stepMs: number } {
  let lateMs = 0
  const slow = {
    stepMs: 0,
    clock: {
      monotonicMs: () => {
        lateMs += slow.stepMs
        return nowMs() + lateMs
      },
    } as Clock,
  }
  return slow
}

suite('an upstream that takes long to place', () => {
  test('is not placed at every change, and yet nobody who is out gets anything', async () => {
    let nowMs = 0
    const slow = slowClock(() => nowMs)
    await onUpstreamGround(
      1,
      async ({ open, pass, simulation }) => {
        nowMs = simulation.nowMs
        const upstream = open({ sources: [staticSource('a', 'b', 'c', 'd', 'e')] })
        await upstream.ready()
        let told = 0
        upstream.onChange(() => told++)
        slow.stepMs = 20
        upstream.setDraining('a', true)
        slow.stepMs = 0
        assert.equal(told, 1)
        upstream.setDraining('b', true)
        fail(upstream, 'c', 5)
        assert.equal(told, 1)
        assert.deepEqual(spread(upstream, 6), { d: 3, e: 3 })
        assert.deepEqual([upstream.find('b'), upstream.find('d')?.id], [undefined, 'd'])
        // When all who were placed are out, it is placed at once.
        upstream.setDraining('d', true)
        upstream.setDraining('e', true)
        upstream.setDraining('a', false)
        assert.deepEqual(spread(upstream, 2), { a: 2 })
        assert.equal(told, 2)
        upstream.setDraining('d', false)
        assert.deepEqual(spread(upstream, 2), { a: 1, d: 1 })
        await pass(500)
        upstream.reconfigure(settingsOf({ sources: [staticSource('d', 'f')] }))
        assert.deepEqual(spread(upstream, 2), { d: 1, f: 1 })
      },
      { clock: slow.clock },
    )
  })

  test('is placed after a rest when changes go on', async () => {
    let nowMs = 0
    const slow = slowClock(() => nowMs)
    await onUpstreamGround(
      2,
      async ({ open, pass, until, simulation }) => {
        const upstream = open({ sources: [staticSource('a', 'b', 'c')] })
        slow.stepMs = 20
        upstream.setDraining('a', true)
        slow.stepMs = 0
        upstream.setDraining('a', false)
        assert.deepEqual(Object.keys(spread(upstream, 6)), ['b', 'c'])
        let told = 0
        upstream.onChange(() => told++)
        await until(() => {
          nowMs = simulation.nowMs
          return told > 0
        })
        assert.equal(Object.keys(spread(upstream, 6)).length, 3)
        await pass(1)
      },
      { clock: slow.clock },
    )
  })

  test('ten thousand endpoints and their health: every policy chooses, and none that is out', () =>
    onUpstreamGround(3, async ({ open }) => {
      const endpoints = Array.from({ length: 10_000 }, (_, at) => address(`e${at}`))
      for (const policy of ['round-robin', 'p2c', 'ring-hash', 'least-connections'] as const) {
        const balance = { ...upstreamSettingsDefault.balance, policy }
        const upstream = open({ sources: [{ type: 'static', endpoints }], balance })
        for (let at = 0; at < 20; at++) upstream.setDraining(`e${at}`, true)
        for (let at = 0; at < 100; at++) {
          const picked = upstream.pick({ key: String(at) })
          assert.ok(typeof picked !== 'string' && picked.state === 'ready', policy)
        }
        upstream.close()
      }
    }))
})

test('however often settings come, the ejected return', () =>
  onUpstreamGround(4, async ({ open, pass }) => {
    const outlier = { ...upstreamSettingsDefault.outlier!, consecutiveFailures: 1, ejectionMs: 100, intervalMs: 1_000 }
    const settings = { sources: [staticSource('a', 'b')], outlier }
    const upstream = open(settings)
    fail(upstream, 'a', 1)
    assert.equal(upstream.endpoints[0]!.state, 'ejected')
    for (let at = 0; at < 30; at++) {
      await pass(100)
      upstream.reconfigure(settingsOf(settings))
    }
    assert.equal(upstream.endpoints[0]!.state, 'ready')
  }))
