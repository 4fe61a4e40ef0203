/** Scenarios that strike in the short time around an election, and at what a leader alone holds. */
import { chance, pick } from '../chance.ts'
import type { Machine } from '../machine.ts'
import { cutBetween, othersOf, startAll } from './directing.ts'
import type { Scenario } from './scenario.ts'

/**
 * Leaders are killed again and again, and whoever votes is killed, too, and is back within milliseconds: what a voter
 * promised must have outlived it.
 */
const electionStorm: Scenario = {
  name: 'election-storm',
  about: 'leaders die often, and voters are restarted in the middle of elections',
  nodes: 5,
  durationMs: 15_000,
  load: { operationsPerSecond: 60, clients: 6, operator: undefined },
  attack: async (world) => {
    const { random, cluster, links, simulation } = world
    const endMs = simulation.nowMs + world.durationMs
    await world.pass(800)
    const heal = links.add({ applies: (from, to) => from !== to, faults: { delayMs: [1, pick(random, [8, 30])] } })
    while (simulation.nowMs < endMs) {
      const { leader } = cluster
      if (leader !== undefined) {
        world.recorder.countFault('leader-killed')
        cluster.crash(leader, chance(random, 0.5) ? 'power-loss' : 'process-death')
      }
      for (let step = 0; step < 40; step++) {
        await world.pass(random.float() * 8)
        const machine = pick(random, cluster.members)
        if (!machine.isAlive || machine === cluster.leader) continue
        if (!chance(random, 0.25)) continue
        world.recorder.countFault('voter-restarted')
        cluster.crash(machine, chance(random, 0.5) ? 'power-loss' : 'process-death')
        simulation.after(random.float() * 3, () => cluster.start(machine))
      }
      startAll(world)
      await world.pass(100 + random.below(300))
    }
    heal()
  },
}

/**
 * The leader's disk is slow, one follower alone hears it, and then the power fails at the leader: it comes back and wins
 * with the follower that heard nothing. Whatever was acknowledged must have been on two disks.
 */
const leaderForgets: Scenario = {
  name: 'leader-forgets',
  about: 'a leader with a slow disk loses its power, comes back, and leads with those who heard the least',
  nodes: 3,
  load: { operationsPerSecond: 100, clients: 8, operator: undefined },
  attack: async (world) => {
    const { random, cluster, simulation } = world
    const endMs = simulation.nowMs + world.durationMs
    while (simulation.nowMs < endMs) {
      startAll(world)
      await world.pass(800 + random.below(700))
      const { leader } = cluster
      if (leader === undefined) continue
      const [confidant, outsider] =
        pick(random, [0, 1]) === 0 ? othersOf(world, leader) : othersOf(world, leader).reverse()
      if (confidant === undefined || outsider === undefined) continue
      world.recorder.countFault('leader-forgets')
      world.recorder.tell(`${leader.name} has a slow disk and reaches only ${confidant.name}`)
      leader.simulated.setDisk({ syncDelayMs: [200, 600] })
      const heal = cutBetween(world, leader, outsider)
      await world.pass(20 + random.below(150))
      cluster.crash(leader, 'power-loss')
      leader.simulated.setDisk({ syncDelayMs: [0.1, 0.4] })
      cluster.crash(confidant, chance(random, 0.5) ? 'power-loss' : 'process-death')
      heal()
      cluster.start(leader)
      await world.pass(2500)
    }
  },
}

/**
 * Two candidates never hear of each other, and the voter between them is restarted right after it made one of them the
 * leader, who is then cut off: it must remember whom it voted for, or the other wins the same term.
 */
const forgetfulVoter: Scenario = {
  name: 'forgetful-voter',
  about: 'the one voter that two candidates share is restarted between their requests',
  nodes: 3,
  load: { operationsPerSecond: 60, clients: 6, operator: undefined },
  attack: async (world) => {
    const { random, cluster, simulation } = world
    const endMs = simulation.nowMs + world.durationMs
    while (simulation.nowMs < endMs) {
      startAll(world)
      await world.pass(800 + random.below(500))
      const former = cluster.leader
      if (former === undefined) continue
      world.recorder.countFault('forgetful-voter')
      const apart = cutBetween(world, ...(othersOf(world, former) as [Machine, Machine]))
      const voter = former
      cluster.crash(voter, 'power-loss')
      cluster.start(voter)
      await world.runUntil(() => cluster.leader !== undefined && cluster.leader !== voter, 3000)
      const { leader } = cluster
      const away = leader === undefined || leader === voter ? undefined : cutBetween(world, leader, voter)
      cluster.crash(voter, chance(random, 0.5) ? 'power-loss' : 'process-death')
      cluster.start(voter)
      await world.pass(1500 + random.below(1500))
      away?.()
      apart()
    }
  },
}

export const electionScenarios: readonly Scenario[] = [electionStorm, forgetfulVoter, leaderForgets]
