/** An endpoint that was slow once: how an upstream forgives it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { upstreamSettingsDefault } from './settings.ts'
import { onUpstreamGround, staticSource, type UpstreamGround } from './testing/upstream-ground.ts'
import type { Upstream } from './upstream.ts'

const balance = { ...upstreamSettingsDefault.balance, policy: 'p2c' as const }

function opened(ground: UpstreamGround): Upstream {
  const upstream = ground.open({ sources: [staticSource('a', 'b', 'c')], balance, outlier: undefined })
  for (const endpoint of upstream.endpoints) {
    const permit = upstream.begin(endpoint)
    upstream.end(endpoint, 'success', endpoint.id === 'c' ? 2_000 : 10, permit)
  }
  return upstream
}

/** So many requests, each after the one before, of 5 to 15 ms. How many went to `c`. */
async function sendTimes(ground: UpstreamGround, upstream: Upstream, times: number, everyMs: number): Promise<number> {
  let toSlow = 0
  for (let n = 0; n < times; n++) {
    const picked = upstream.pick({})
    assert.ok(typeof picked !== 'string')
    if (picked.id === 'c') toSlow++
    upstream.end(picked, 'success', 5 + ((n * 7) % 11), upstream.begin(picked))
    await ground.pass(everyMs)
  }
  return toSlow
}

const latencyOf = (upstream: Upstream, id: string): number =>
  upstream.endpoints.find((endpoint) => endpoint.id === id)!.latencyMs

test('where others are asked much it is tried again in seconds, and believed', () =>
  onUpstreamGround(1, async (ground) => {
    const upstream = opened(ground)
    assert.equal(await sendTimes(ground, upstream, 400, 10), 0)
    assert.ok(latencyOf(upstream, 'c') > 20)
    const later = await sendTimes(ground, upstream, 600, 10)
    assert.ok(later > 100, `${later} of 600`)
  }))

test('where little is asked nothing is spent on it', () =>
  onUpstreamGround(2, async (ground) => {
    const upstream = opened(ground)
    assert.equal(await sendTimes(ground, upstream, 40, 250), 0)
    assert.ok(latencyOf(upstream, 'c') > 200)
  }))

test('while a request to it is under way, it is not forgiven', () =>
  onUpstreamGround(3, async (ground) => {
    const upstream = opened(ground)
    const slow = upstream.endpoints.find(({ id }) => id === 'c')!
    const permit = upstream.begin(slow)
    await sendTimes(ground, upstream, 400, 10)
    assert.ok(latencyOf(upstream, 'c') > 1_000)
    upstream.end(slow, 'cancelled', 4_000, permit)
    assert.ok(latencyOf(upstream, 'c') >= 4_000)
  }))
