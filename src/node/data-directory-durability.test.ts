import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createSimulation, type Simulation } from '../runtime/simulation/index.ts'
import type { NodeConfig } from './config/index.ts'
import { type DataDirectory, openDataDirectory } from './data-directory.ts'

const config = {
  dataDir: '/var/lib/synod/a',
  name: 'a',
  clusterId: 7n,
  clusterState: 'new',
  consensus: 'raft',
  memberId: 1n,
  members: [],
} as unknown as NodeConfig

function open(simulation: Simulation): Promise<DataDirectory> {
  const { disk, random } = simulation.node('a').runtime
  const failed = (error: unknown): never => assert.fail(String(error))
  return simulation.runUntilDone(openDataDirectory(disk, random, config, 'the test', failed, failed as never))
}

function powerLoss(simulation: Simulation): void {
  simulation.crash('a', 'power-loss')
  simulation.restart('a')
}

describe('data directory, after a loss of power and without room', () => {
  test('a directory made with its parents outlives a loss of power at once', async () => {
    for (let seed = 0; seed < 20; seed++) {
      const simulation = createSimulation({ seed })
      simulation.createNode('a')
      const { incarnation } = (await open(simulation)).identity
      powerLoss(simulation)
      const again = await open(simulation)
      assert.equal(again.fresh, false, `seed ${seed}`)
      assert.equal(again.identity.incarnation, incarnation)
    }
  })

  test('a member is known by the incarnation it came with first, also after a restart', async () => {
    const simulation = createSimulation({ seed: 1 })
    simulation.createNode('a')
    const directory = await open(simulation)
    assert.equal(directory.recognises(2n, 22n), true)
    await simulation.run({ untilMs: simulation.nowMs + 100 })
    powerLoss(simulation)
    const again = await open(simulation)
    assert.equal(again.recognises(2n, 23n), false)
    assert.equal(again.recognises(2n, 22n), true)
  })

  test('what there was no room to write down is written at a later greeting', async () => {
    const simulation = createSimulation({ seed: 2 })
    simulation.createNode('a')
    const directory = await open(simulation)
    simulation.node('a').setDisk({ full: true })
    assert.equal(directory.recognises(2n, 22n), true)
    await simulation.run({ untilMs: simulation.nowMs + 100 })
    simulation.node('a').setDisk({ full: false })
    assert.equal(directory.recognises(2n, 22n), true)
    await simulation.run({ untilMs: simulation.nowMs + 100 })
    powerLoss(simulation)
    assert.equal((await open(simulation)).recognises(2n, 23n), false)
  })
})
