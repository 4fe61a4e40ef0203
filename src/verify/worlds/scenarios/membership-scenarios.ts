/** Scenarios of changing members. */
import { isolateLeader, partitionMinority, segmentLoss } from '../faults/network-faults.ts'
import { powerLoss, processDeath } from '../faults/process-faults.ts'
import { defaultOperatorPlan } from '../load/operator.ts'
import { onlyFaults, type Scenario } from './scenario.ts'

const busy = { ...defaultOperatorPlan, everyMs: 300 }

/** A disk is lost with all that is on it: its member is removed, and the machine joins as another one. */
const replaceWipedMember: Scenario = {
  name: 'replace-wiped-member',
  about: 'a member loses its disk, is removed, and its machine joins again as a learner, under load',
  load: { operator: { ...busy, votersMin: 3, removesLeader: 0.2 } },
  attack: async (world) => {
    const { random, cluster, simulation } = world
    const endMs = simulation.nowMs + world.durationMs
    await world.pass(1000)
    while (simulation.nowMs < endMs) {
      const victims = cluster.members.filter((machine) => machine.isAlive && cluster.mayDamage(machine))
      const victim = victims[random.below(Math.max(1, victims.length))]
      if (victim !== undefined) {
        world.recorder.tell(`the disk of ${victim.name} is lost`)
        world.recorder.countFault('disk-lost')
        cluster.crash(victim, 'power-loss')
        victim.loseDisk()
      }
      await world.pass(2000 + random.below(3000))
    }
  },
}

export const membershipScenarios: readonly Scenario[] = [
  onlyFaults(
    'membership-under-fire',
    'members are added, promoted, removed and replaced while they crash and are cut off',
    {
      kinds: [isolateLeader, partitionMinority, powerLoss, processDeath, segmentLoss],
      gapMs: 900,
      lastsMs: 900,
      activeMax: 2,
    },
    { load: { operator: busy }, durationMs: 30_000 },
  ),
  onlyFaults(
    'remove-leader',
    'the member that is removed is the one that leads',
    { kinds: [processDeath, segmentLoss], gapMs: 3000, lastsMs: 500, activeMax: 1 },
    { load: { operator: { ...busy, removesLeader: 1, votersMin: 1 } } },
  ),
  replaceWipedMember,
]
