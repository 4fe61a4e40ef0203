import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { allPlants } from './catalogue/index.ts'
import { editsByFile, PlantError, patchSource } from './patch.ts'
import type { Plant } from './plant.ts'

const sources = new URL('../../', import.meta.url)

describe('planted bugs', () => {
  for (const plant of allPlants)
    test(`${plant.name} applies to the sources`, () => {
      for (const [file, edits] of editsByFile(plant)) {
        const source = readFileSync(new URL(file, sources), 'utf8')
        assert.notEqual(patchSource(plant, source, edits), source)
      }
    })

  test('have names of their own', () => {
    assert.equal(new Set(allPlants.map((plant) => plant.name)).size, allPlants.length)
  })

  test('stand in docs/planted-bugs.md, and no others do', () => {
    const text = readFileSync(new URL('../docs/planted-bugs.md', sources), 'utf8')
    const rows = text.split('\n').flatMap((line) => /^\| `([^`]+)` \|/.exec(line)?.[1] ?? [])
    assert.deepEqual(
      rows,
      allPlants.map((plant) => plant.name),
    )
  })

  test('are shown in worlds that there are', async () => {
    const { scenarios } = await import('../worlds/index.ts')
    const names = scenarios.map((scenario) => scenario.name)
    for (const { name, scenario } of allPlants) assert.ok(names.includes(scenario), `${name} asks for ${scenario}`)
  })

  test('a patch whose text is gone, or is not unique, is an error', () => {
    const plant: Plant = {
      name: 'example',
      mistake: '',
      breaks: '',
      consensus: 'raft',
      scenario: 'swarm',
      seedsMax: 1,
      caughtBy: 'outside',
      edits: [{ file: 'a.ts', find: 'x', replace: '$& y' }],
    }
    assert.throws(() => patchSource(plant, 'nothing', plant.edits), PlantError)
    assert.throws(() => patchSource(plant, 'x and x', plant.edits), PlantError)
    assert.equal(patchSource(plant, 'an x', plant.edits), 'an $& y')
  })
})
