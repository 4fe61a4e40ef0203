import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type FaultName, faultKinds, faultNames } from './fault-kinds.ts'
import { planFaults } from './plan.ts'

const minute = { durationMs: 60_000, nodes: 3, faults: faultNames }

describe('the plan of faults', () => {
  it('is the same for the same seed, and another for another', () => {
    assert.deepEqual(planFaults({ seed: '7', ...minute }), planFaults({ seed: '7', ...minute }))
    assert.notDeepEqual(planFaults({ seed: '7', ...minute }), planFaults({ seed: '8', ...minute }))
  })

  it('keeps the faults of one lane apart, and all within the duration', () => {
    const plan = planFaults({ seed: '7', ...minute })
    const lanes = new Map<string, number>()
    for (const { lane, atMs, holdMs } of plan) {
      assert.ok(atMs >= (lanes.get(lane) ?? 0))
      assert.ok(atMs + holdMs <= minute.durationMs)
      lanes.set(lane, atMs + holdMs)
    }
    assert.equal(lanes.size, 3)
  })

  it('draws every kind sooner or later, and only those asked for', () => {
    const drawn = new Set(planFaults({ seed: '7', ...minute, durationMs: 3_600_000 }).map((fault) => fault.name))
    assert.deepEqual([...drawn].sort(), [...faultNames].sort())
    const asked: FaultName[] = ['kill', 'slow']
    const few = planFaults({ seed: '7', ...minute, faults: asked })
    assert.deepEqual([...new Set(few.map((fault) => fault.name))].sort(), asked)
    assert.deepEqual(planFaults({ seed: '7', ...minute, faults: [] }), [])
  })

  it('a change of one lane’s faults does not shift the other lanes', () => {
    const network = (faults: readonly FaultName[]): unknown[] =>
      planFaults({ seed: '7', ...minute, faults })
        .filter((fault) => fault.lane === 'network')
        .map(({ name, atMs, holdMs, seed }) => ({ name, atMs, holdMs, seed }))
    const withoutKills = faultNames.filter((name) => name !== 'kill')
    assert.deepEqual(network(withoutKills), network(faultNames))
  })

  it('leaves out what the number of nodes makes pointless', () => {
    const names = planFaults({ seed: '7', ...minute, nodes: 1, durationMs: 600_000 }).map((fault) => fault.name)
    for (const kind of faultKinds) if (kind.nodesMin > 1) assert.ok(!names.includes(kind.name), kind.name)
    assert.ok(names.includes('kill'))
  })
})
