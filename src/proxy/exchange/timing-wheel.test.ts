import assert from 'node:assert/strict'
import { it } from 'node:test'
import fc from 'fast-check'
import { fakeTime } from './testing/fake-time.ts'
import { TimingWheel, type WheelEntry } from './timing-wheel.ts'

function entryAt(deadlineMs: number, fired: (nowMs: number) => void): WheelEntry {
  return { deadlineMs, wheelSlot: -1, wheelNext: undefined, wheelPrevious: undefined, onDeadline: fired }
}

it('fires every entry that was not removed, once, at most a tick late', () => {
  const step = fc.oneof(
    fc.record({ type: fc.constant('add' as const), afterMs: fc.oneof(fc.nat(50), fc.nat(30_000)) }),
    fc.record({ type: fc.constant('remove' as const), which: fc.nat(20) }),
    fc.record({ type: fc.constant('advance' as const), ms: fc.oneof(fc.nat(20), fc.nat(12_000)) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const time = fakeTime()
      const wheel = new TimingWheel(time.clock, time.scheduler)
      const waiting: WheelEntry[] = []
      for (const each of steps) {
        if (each.type === 'add') {
          const deadlineMs = time.now() + each.afterMs
          const entry = entryAt(deadlineMs, (nowMs) => {
            assert.ok(nowMs >= deadlineMs && nowMs <= deadlineMs + 16, `${deadlineMs} fired at ${nowMs}`)
            const at = waiting.indexOf(entry)
            assert.notEqual(at, -1)
            waiting.splice(at, 1)
          })
          waiting.push(entry)
          wheel.add(entry, time.now())
        } else if (each.type === 'remove') {
          const [entry] = waiting.splice(each.which, 1)
          if (entry !== undefined) wheel.remove(entry)
        } else {
          time.advance(each.ms)
          for (const entry of waiting) assert.ok(entry.deadlineMs + 16 >= time.now())
        }
        assert.equal(wheel.size, waiting.length)
        assert.ok(time.armed <= 1)
      }
      time.advance(60_000)
      assert.equal(wheel.size, 0)
      assert.equal(time.armed, 0)
    }),
    { numRuns: 500 },
  )
})

it('does not fire what another deadline of the same moment removed', () => {
  const time = fakeTime()
  const wheel = new TimingWheel(time.clock, time.scheduler)
  let fired = 0
  const pair: WheelEntry[] = [0, 1].map((index) =>
    entryAt(100, () => {
      fired++
      wheel.remove(pair[1 - index]!)
    }),
  )
  for (const entry of pair) wheel.add(entry, 0)
  time.advance(200)
  assert.equal(fired, 1)
  assert.equal(wheel.size, 0)
})
