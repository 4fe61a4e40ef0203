/** Ten thousand endpoints on a ring whose making takes long: it is made in steps, and everything else goes on. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { createBalancer } from '../../core/balance/index.ts'
import type { Clock, Scheduler } from '../../runtime/index.ts'
import { openUpstream } from './open-upstream.ts'
import { upstreamSettingsDefault } from './settings.ts'
import { address, onUpstreamGround, settingsOf, type UpstreamGround } from './testing/upstream-ground.ts'
import type { Upstream } from './upstream.ts'

const count = 10_000
const balance = { ...upstreamSettingsDefault.balance, policy: 'ketama' as const }
const endpoints = Array.from({ length: count }, (_, at) => address(`10.0.${at >> 8}.${at & 255}:80`))
const sourceOf = (from: number, to = count) => ({ type: 'static' as const, endpoints: endpoints.slice(from, to) })

/** Each look at it costs a millisecond, as a step of work does; `slices` tells how much was done in each turn. */
function steppingClock(nowMs: () => number) {
  let lateMs = 0
  let looks = 0
  const slices: number[] = []
  const clock = {
    monotonicMs: () => {
      looks++
      lateMs++
      return nowMs() + lateMs
    },
  } as Clock
  const counting = (scheduler: Scheduler): Scheduler => ({
    setTimer: (delayMs, run) =>
      scheduler.setTimer(delayMs, () => {
        looks = 0
        run()
        slices.push(looks)
      }),
    endOfTurn: (run) => scheduler.endOfTurn(run),
  })
  return { clock, counting, slices }
}

/** The endpoints of some keys as one balancer that is given them at once has them. */
function expected(from: number): readonly string[] {
  const balancer = createBalancer('ketama', { randomUnit: () => 0 })
  balancer.update(endpoints.slice(from).map(({ id, weight }) => ({ id, weight, active: 0, latencyMs: 0 })))
  return keys.map((key) => balancer.pick({ key })!.id)
}

const keys = Array.from({ length: 200 }, (_, at) => `client ${at}`)

function chosen(upstream: Upstream): readonly string[] {
  return keys.map((key) => {
    const picked = upstream.pick({ key })
    return typeof picked === 'string' ? picked : picked.id
  })
}

async function onSteppingGround(
  work: (ground: UpstreamGround, upstream: Upstream, slices: number[]) => Promise<void>,
): Promise<void> {
  await onUpstreamGround(1, async (ground) => {
    const { clock, counting, slices } = steppingClock(() => ground.simulation.nowMs)
    const runtime = { ...ground.runtime, clock, scheduler: counting(ground.runtime.scheduler) }
    const upstream = openUpstream(settingsOf({ sources: [sourceOf(1)], balance }), runtime)
    await work(ground, upstream, slices)
    upstream.close()
  })
}

suite('a ring of ten thousand endpoints', () => {
  test('is made a little in each turn, and the first requests find it done', () =>
    onSteppingGround(async (_ground, upstream, slices) => {
      await upstream.ready()
      assert.ok(slices.length > 50, `${slices.length} turns`)
      assert.ok(Math.max(...slices) <= 20, `${Math.max(...slices)} steps in one turn`)
      assert.deepEqual(chosen(upstream), expected(1))
    }))

  test('is made whole for who cannot wait', () =>
    onSteppingGround(async (_ground, upstream) => {
      assert.deepEqual(chosen(upstream), expected(1))
      await upstream.ready()
    }))

  test('serves as it was while another is made, without those that are out', () =>
    onSteppingGround(async ({ pass, until }, upstream) => {
      await upstream.ready()
      // Until it has rested from the first time.
      await pass(10_000)
      const before = chosen(upstream)
      let told = 0
      upstream.onChange(() => told++)
      upstream.reconfigure(settingsOf({ sources: [sourceOf(0)], balance }))
      assert.deepEqual(chosen(upstream), before)
      upstream.setDraining(before[0]!, true)
      const meanwhile = chosen(upstream)
      assert.deepEqual(
        meanwhile.map((id, at) => id === before[at]),
        before.map((id) => id !== before[0]),
      )
      assert.equal(upstream.find(before[0]!), undefined)
      assert.equal(told, 0)
      upstream.setDraining(before[0]!, false)
      await until(() => told === 2)
      assert.deepEqual(chosen(upstream), expected(0))
    }))

  test('that is closed while it is made is forgotten', () =>
    onSteppingGround(async ({ pass }, upstream, slices) => {
      await pass(0)
      const ready = upstream.ready().then(
        () => 'ready',
        () => 'closed',
      )
      assert.ok(slices.length > 0)
      upstream.close()
      const slicesBefore = slices.length
      await pass(1_000)
      assert.ok(slices.length <= slicesBefore + 2, `${slices.length - slicesBefore} turns afterwards`)
      assert.equal(await ready, 'closed')
      assert.equal(upstream.pick({ key: 'a' }), 'no-endpoints')
    }))
})
