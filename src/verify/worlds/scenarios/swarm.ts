import { clockFaults } from '../faults/clock-faults.ts'
import { damageFaults } from '../faults/damage-faults.ts'
import { diskFaults } from '../faults/disk-faults.ts'
import { drawPlan } from '../faults/nemesis.ts'
import { networkFaults } from '../faults/network-faults.ts'
import { processFaults } from '../faults/process-faults.ts'
import { tactics } from '../faults/tactics.ts'
import type { Scenario } from './scenario.ts'

const allKinds = [
  ...networkFaults,
  ...processFaults,
  ...diskFaults,
  ...clockFaults,
  ...damageFaults,
  ...tactics,
  ...tactics,
]

export const swarm: Scenario = {
  name: 'swarm',
  about: 'each world draws its own mix of all kinds of faults (the default)',
  attack: async (world) => {
    await world.pass(world.random.below(1500))
    world.unleash(drawPlan(world.random, allKinds))
    await world.pass(world.durationMs)
  },
}
