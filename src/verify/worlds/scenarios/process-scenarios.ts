/** Scenarios of processes and power. */
import { pick } from '../chance.ts'
import { blackout, powerLoss, processDeath, rollingRestart } from '../faults/process-faults.ts'
import { onlyFaults, type Scenario } from './scenario.ts'

/**
 * Raft's Figure 8, over and over: a leader writes to a minority and dies, another one with a higher term does not know of
 * it, the first comes back and finishes the old entry. Only what is of the own term may be counted (Raft §5.4.2).
 */
const figure8: Scenario = {
  name: 'figure-8',
  about: 'leaders die with entries on a minority, come back and lead again (Raft, Figure 8)',
  nodes: 5,
  load: { operationsPerSecond: 100, clients: 8 },
  attack: async (world) => {
    const { random, cluster, links } = world
    const endMs = world.simulation.nowMs + world.durationMs
    while (world.simulation.nowMs < endMs) {
      await world.pass(100 + random.below(900))
      const { leader } = cluster
      if (leader === undefined) continue
      const confidant = pick(
        random,
        cluster.members.filter((machine) => machine !== leader),
      )
      world.recorder.tell(`${leader.name} reaches only ${confidant.name}`)
      world.recorder.countFault('leader-with-one-follower')
      const heal = links.add({
        applies: (from, to) =>
          (from === leader.name && to !== confidant.name) || (to === leader.name && from !== confidant.name),
        faults: { cut: true },
      })
      await world.pass(10 + random.below(120))
      cluster.crash(leader, random.below(2) === 0 ? 'power-loss' : 'process-death')
      heal()
      const { alive, members: machines } = cluster
      if (alive.length < 3)
        cluster.start(
          pick(
            random,
            machines.filter((machine) => !machine.isAlive),
          ),
        )
    }
  },
}

export const processScenarios: readonly Scenario[] = [
  onlyFaults('crash-leader', 'whoever leads, often, is killed or loses its power', {
    kinds: [powerLoss, processDeath],
    gapMs: 700,
    lastsMs: 800,
    activeMax: 2,
  }),
  onlyFaults('crash-all', 'the power fails everywhere at once', {
    kinds: [blackout],
    gapMs: 1500,
    lastsMs: 1200,
    activeMax: 1,
  }),
  onlyFaults('rolling-restart', 'every member is restarted, one after another', {
    kinds: [rollingRestart],
    gapMs: 2500,
    lastsMs: 5000,
    activeMax: 1,
  }),
  figure8,
]
