/** Scenarios of processes and power. */
import { pick } from '../chance.ts'
import { blackout, powerLoss, processDeath, rollingRestart, slowNode } from '../faults/process-faults.ts'
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

/**
 * The leader stands still until another one leads and has written; then it goes on, with reads and writes before it that
 * clients sent meanwhile. It may still hold itself for the leader (thesis §6.4).
 */
const leaderPause: Scenario = {
  name: 'leader-pause',
  about: 'the leader stands still, others go on without it, and it wakes up and is asked',
  load: { operationsPerSecond: 100, clients: 8 },
  attack: async (world) => {
    const { random, cluster, simulation } = world
    const endMs = simulation.nowMs + world.durationMs
    while (simulation.nowMs < endMs) {
      await world.pass(300 + random.below(1000))
      const { leader } = cluster
      if (leader === undefined) continue
      world.recorder.countFault('leader-paused')
      cluster.pause(leader)
      // What the others say may reach it later than what its clients ask when it wakes up.
      const applies = (from: string, to: string) => (from === leader.name) !== (to === leader.name)
      const heal = random.below(3) === 0 ? () => {} : world.links.add({ applies, faults: { cut: true } })
      await world.runUntil(() => cluster.leader !== leader, 4000)
      await world.pass(random.below(300))
      cluster.resume(leader)
      await world.pass(random.below(200))
      heal()
    }
  },
}

/**
 * The n-th disk operation from now is the last one of that life, for every n in turn: before it, in the midst of it, and
 * after it. Different seeds begin at different n.
 */
const crashAtEveryDiskOperation: Scenario = {
  name: 'crash-at-every-disk-operation',
  about: 'crashes at every disk operation in turn, before, in the midst of and after it, also while starting',
  nodes: 3,
  durationMs: 25_000,
  settings: (drawn) => ({
    ...drawn,
    walSegmentBytes: 8 * 1024,
    groupOptions: { ...drawn.groupOptions, snapshotCount: 10, snapshotLogBytes: 500 },
  }),
  load: { operationsPerSecond: 60, operator: undefined },
  attack: async (world) => {
    const { random, cluster, simulation } = world
    const endMs = simulation.nowMs + world.durationMs
    await world.pass(1000)
    for (let n = 1 + random.below(200); simulation.nowMs < endMs; n++) {
      const machine = pick(random, cluster.members)
      cluster.start(machine)
      const moment = (['before', 'between', 'after'] as const)[n % 3] as 'before'
      machine.simulated.crashAtDiskOperation(n, {
        kind: random.below(4) === 0 ? 'process-death' : 'power-loss',
        moment,
      })
      world.recorder.countFault('crash-at-disk-operation')
      await world.runUntil(() => !machine.isAlive, 1500)
      machine.simulated.cancelCrash()
      // Now and then the next life ends at its very first operations.
      if (random.below(2) === 0) {
        cluster.start(machine)
        machine.simulated.crashAtDiskOperation(1 + random.below(40), { moment })
        await world.runUntil(() => !machine.isAlive, 300)
        machine.simulated.cancelCrash()
      }
      cluster.start(machine)
      await world.pass(random.below(200))
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
  leaderPause,
  onlyFaults('slow-node', 'machines are slow, each event takes its time', {
    kinds: [slowNode],
    gapMs: 800,
    lastsMs: 3000,
    activeMax: 2,
  }),
  crashAtEveryDiskOperation,
]
