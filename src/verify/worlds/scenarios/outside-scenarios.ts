/**
 * Worlds outside the fault model (docs/fault-model.md): progress may end, but nobody ever gets a wrong answer, and the
 * nodes that stop say why.
 */
import { clockSkew, drift } from '../faults/clock-faults.ts'
import { isolateLeader } from '../faults/network-faults.ts'
import { processDeath } from '../faults/process-faults.ts'
import { Violation } from '../violation.ts'
import type { World } from '../world.ts'
import { onlyFaults, type Scenario } from './scenario.ts'

/** How far clocks drift in the world beyond the bound: a third of true time. */
const wildPpm = 330_000

/** Files of a majority are damaged, not in the last thing written but somewhere before it, and all nodes restart. */
const majorityDamaged: Scenario = {
  name: 'outside-majority-damaged',
  about: 'outside the model: the logs of a majority rot; who cannot trust its files must stop and say so',
  nodes: 3,
  durationMs: 8000,
  outsideModel: true,
  load: { operator: undefined },
  attack: async (world) => {
    const { random, cluster } = world
    await world.pass(world.durationMs / 2)
    for (const machine of cluster.members) cluster.crash(machine, 'process-death')
    for (const machine of cluster.members.slice(0, 2)) {
      cluster.noteDamage(machine)
      for (let i = 0; i < 40; i++) machine.simulated.rot({ path: machine.config.dataDir, random })
    }
    for (const machine of cluster.members) cluster.start(machine)
    await world.pass(world.durationMs / 2)
    demandReasons(world, 1)
  },
}

/** A member comes back with an empty disk and the settings of a founder: what it had promised is lost with the disk. */
const wipedMemberReturns: Scenario = {
  name: 'outside-wiped-member-returns',
  about: 'outside the model: a wiped member is started as if nothing had happened; the others must refuse it',
  nodes: 3,
  durationMs: 10_000,
  outsideModel: true,
  load: { operator: undefined },
  attack: async (world) => {
    const { random, cluster } = world
    await world.pass(world.durationMs / 2)
    const machine = cluster.members[random.below(3)]
    if (machine === undefined) return
    cluster.crash(machine, 'power-loss')
    world.recorder.tell(`the disk of ${machine.name} is wiped`)
    cluster.wipe(machine)
    await world.pass(random.below(2000))
    cluster.start(machine)
    await world.pass(world.durationMs / 2)
    demandReasons(world, 1)
  },
}

/** At least so many nodes gave up, each in words. */
function demandReasons(world: World, count: number): void {
  const { reasons } = world.cluster
  if (reasons.length < count)
    throw new Violation(
      'refusal',
      `${count} nodes should have given up, and ${reasons.length} did. ${world.cluster.describe()}`,
    )
  const mute = reasons.find((reason) => reason.length < 40)
  if (mute !== undefined) throw new Violation('refusal', `a node gave up and did not say why: "${mute}"`)
}

export const outsideScenarios: readonly Scenario[] = [
  majorityDamaged,
  wipedMemberReturns,
  onlyFaults(
    'outside-drift',
    'outside the model: clocks drift by a third; leases may end early, but no resource obeys an earlier holder of a lock',
    {
      kinds: [drift(wildPpm), drift(wildPpm), clockSkew, isolateLeader, processDeath],
      gapMs: 500,
      lastsMs: 5000,
      activeMax: 5,
    },
    {
      driftPpm: wildPpm,
      // Lease reads trust clocks: they are only for those who know theirs.
      settings: (drawn) => ({ ...drawn, leaseReads: false }),
      load: { lockClients: 5, leaseClients: 2, clients: 3 },
    },
  ),
]
