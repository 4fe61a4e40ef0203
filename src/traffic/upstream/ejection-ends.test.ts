/** An ejection lasts as long as the settings say, however rarely statistics are judged. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { upstreamSettingsDefault } from './index.ts'
import { fail, onUpstreamGround, staticSource } from './testing/upstream-ground.ts'

const outlier = { ...upstreamSettingsDefault.outlier!, consecutiveFailures: 2, ejectionMs: 500, intervalMs: 60_000 }

suite('the end of an ejection', () => {
  test('comes when its time is over, between sweeps too', () =>
    onUpstreamGround(1, async ({ open, pass, runtime }) => {
      const upstream = open({ sources: [staticSource('a', 'b', 'c', 'd')], outlier })
      await upstream.ready()
      const states = (): string => upstream.endpoints.map(({ state }) => state[0]).join('')
      fail(upstream, 'a', 2)
      await pass(300)
      fail(upstream, 'b', 2)
      assert.equal(states(), 'eerr')
      await pass(190)
      assert.equal(states(), 'eerr')
      const changes: number[] = []
      upstream.onChange(() => void changes.push(Math.round(runtime.clock.monotonicMs())))
      await pass(20)
      assert.equal(states(), 'rerr')
      await pass(280)
      assert.equal(states(), 'rerr')
      await pass(20)
      assert.equal(states(), 'rrrr')
      assert.equal(changes.length, 2)
      assert.equal(changes[1]! - changes[0]!, 300)
      // The second in a row is twice as long.
      fail(upstream, 'a', 2)
      await pass(990)
      assert.equal(states(), 'errr')
      await pass(20)
      assert.equal(states(), 'rrrr')
    }))

  test('leaves nothing behind in an upstream that was closed, or that ejects no more', () =>
    onUpstreamGround(2, async ({ open, pass }) => {
      const upstream = open({ sources: [staticSource('a', 'b')], outlier })
      await upstream.ready()
      fail(upstream, 'a', 2)
      upstream.reconfigure({ ...upstream.settings, outlier: undefined })
      assert.equal(upstream.endpoints[0]!.state, 'ready')
      await pass(600)
      upstream.reconfigure({ ...upstream.settings, outlier })
      fail(upstream, 'a', 2)
      let changes = 0
      upstream.close()
      upstream.onChange(() => changes++)
      await pass(600)
      assert.equal(changes, 0)
    }))
})
