import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Plant } from './plant.ts'
import { baselineOf, caughtFromOutside, runBaseline, runPlants } from './run-all.ts'
import type { PlantReport } from './run-plant.ts'

function plantNamed(name: string, scenario = 'swarm'): Plant {
  const edits = [{ file: 'a.ts', find: 'x', replace: 'y' }]
  return { name, mistake: '', breaks: '', consensus: 'raft', scenario, seedsMax: 9, caughtBy: 'outside', edits }
}

function caught(plant: string, seed: number, property: string): PlantReport {
  return { plant, caught: true, seed, property, events: 1, wallMs: 1 }
}

/** A process that prints these lines. */
function printing(...lines: readonly object[]): readonly string[] {
  const text = lines.map((line) => JSON.stringify(line)).join('\n')
  return ['-e', `console.log(${JSON.stringify(text)})`]
}

describe('all planted bugs', () => {
  test('one that cannot be run counts as not caught, and the others go on', async () => {
    const plants = [plantNamed('broken'), plantNamed('silent'), plantNamed('good')]
    const scripts = new Map([
      ['broken', ['-e', "console.error('it no longer applies'); process.exit(1)"]],
      ['silent', ['-e', '']],
      ['good', printing({ progress: 1 }, caught('good', 3, 'one-leader'))],
    ])
    const told: string[] = []
    const reports = await runPlants(plants, {
      argumentsFor: ({ name }) => scripts.get(name) ?? [],
      parallel: 2,
      onReport: ({ name }) => told.push(name),
    })
    assert.deepEqual(told.toSorted(), ['broken', 'good', 'silent'])
    assert.deepEqual(
      plants.map((plant) => reports.get(plant)?.caught),
      [false, false, true],
    )
    assert.equal(reports.get(plants[0] as Plant)?.failure, 'exit status 1: it no longer applies')
    assert.equal(reports.get(plants[1] as Plant)?.failure, 'exit status 0: no output')
  })

  test('what a node finds in itself is not caught from outside', () => {
    const reports = [caught('a', 1, 'linearizability'), caught('b', 1, 'invariant'), caught('c', 1, 'node-failure')]
    assert.equal(caughtFromOutside(reports), 1)
  })

  test('the same worlds are run without a plant', async () => {
    const reports = new Map([
      [plantNamed('a', 'flapping'), caught('a', 2, 'watch')],
      [plantNamed('b', 'flapping'), caught('b', 4, 'watch')],
      [plantNamed('c', 'bridge'), { ...caught('c', 9, ''), caught: false }],
    ])
    const worlds = baselineOf(reports)
    assert.deepEqual(worlds, [{ consensus: 'raft', scenario: 'flapping', seedMax: 4 }])
  })

  test('worlds that fail without a plant, and worlds that did not run, are problems', async () => {
    const clean = (seed: number) => ({ seed, verdict: 'valid' })
    const groups = [
      { consensus: 'raft', scenario: 'good', seedMax: 2 },
      { consensus: 'raft', scenario: 'bad', seedMax: 2 },
      { consensus: 'paxos', scenario: 'short', seedMax: 2 },
    ] as const
    const scripts = new Map([
      ['good', printing(clean(1), clean(2))],
      ['bad', printing(clean(1), { seed: 2, verdict: 'invalid', property: 'lease' })],
      ['short', printing(clean(1))],
    ])
    const problems = await runBaseline(groups, {
      argumentsFor: ({ scenario }) => scripts.get(scenario) ?? [],
      parallel: 1,
      onWorlds: () => {},
    })
    assert.deepEqual(problems, [
      'bad on raft, seed 2: lease',
      'short on paxos ran 1 of 2 seeds (exit status 0: {"seed":1,"verdict":"valid"})',
    ])
  })
})
