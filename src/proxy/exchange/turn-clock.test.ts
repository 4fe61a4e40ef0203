import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createSimulation } from '../../runtime/simulation/index.ts'
import { TurnClock } from './turn-clock.ts'

test('one time a turn, read once, and a new one in the next', async () => {
  const simulation = createSimulation({ seed: 'turn clock' })
  const { clock, scheduler } = simulation.createNode('proxy').runtime
  let reads = 0
  const counting = {
    monotonicMs: () => {
      reads++
      return clock.monotonicMs()
    },
  }
  const turns = new TurnClock(counting, scheduler)
  const told: number[] = []
  for (const delayMs of [10, 25, 25]) {
    scheduler.setTimer(delayMs, () => {
      const first = turns.nowMs()
      for (let i = 0; i < 5; i++) assert.equal(turns.nowMs(), first)
      assert.equal(first, clock.monotonicMs())
      told.push(first)
    })
  }
  await simulation.run({ untilMs: simulation.nowMs + 100 })
  assert.equal(told.length, 3)
  assert.ok(told[1]! >= told[0]! + 15)
  assert.ok(reads <= 3)
})
