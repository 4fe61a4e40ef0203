/** Scenarios in which it matters which entries survive when one leader follows another. */
import { chance, pick } from '../chance.ts'
import type { Machine } from '../machine.ts'
import { cutAround, cutBetween, othersOf, startAll } from './directing.ts'
import type { Scenario } from './scenario.ts'

/**
 * Raft's Figure 8, step by step. S1 leads with entries that nobody else has; S3 leads after it and is cut off with the
 * entry that opened its term; S1 leads again and sends its old entries to S2. At its first commit it is killed: now S3
 * may lead only if nothing that S1 committed is older than S3's entry (Raft §5.4.2).
 */
const figure8Exact: Scenario = {
  name: 'figure-8-exact',
  about: 'Raft’s Figure 8 step by step: a leader is killed at its first commit, after another one led in between',
  nodes: 3,
  load: { operationsPerSecond: 150, clients: 12, operator: undefined },
  attack: async (world) => {
    const { cluster, random, recorder, simulation } = world
    const endMs = simulation.nowMs + world.durationMs
    while (simulation.nowMs < endMs) {
      startAll(world)
      await world.pass(600 + random.below(300))
      const s1 = cluster.leader
      if (s1 === undefined) continue
      recorder.countFault('figure-8')
      const apart = cutAround(world, s1)
      await world.runUntil(() => cluster.leader !== undefined && cluster.leader !== s1, 4000)
      const s3 = cluster.leader
      const s2 = othersOf(world, s1).find((machine) => machine !== s3)
      if (s3 === undefined || s3 === s1 || s2 === undefined) {
        apart()
        continue
      }
      const away = cutAround(world, s3)
      apart()
      await world.runUntil(() => cluster.leader === s1, 4000)
      const before = appliedBy(s1)
      await world.runUntil(() => appliedBy(s1) > before, 1000)
      cluster.crash(s1, 'process-death')
      away()
      await world.pass(1500)
    }
  },
}

/**
 * A leader that reaches nobody takes in what its clients write. The others choose another leader, which dies as soon as
 * it has committed something; the first one comes back with the longer log, and the older one.
 */
const longLostLog: Scenario = {
  name: 'long-lost-log',
  about: 'a leader that was cut off comes back with a long log that nobody wants',
  nodes: 3,
  settings: (drawn) => ({ ...drawn, groupOptions: { ...drawn.groupOptions, uncommittedBatchesMax: 64 } }),
  load: { operationsPerSecond: 100, clients: 48, operator: undefined },
  attack: async (world) => {
    const { cluster, random, recorder, simulation } = world
    const endMs = simulation.nowMs + world.durationMs
    while (simulation.nowMs < endMs) {
      startAll(world)
      await world.pass(600 + random.below(300))
      const lost = cluster.leader
      if (lost === undefined) continue
      recorder.countFault('long-lost-log')
      const apart = cutAround(world, lost)
      await world.runUntil(() => cluster.leader !== undefined && cluster.leader !== lost, 4000)
      const next = cluster.leader
      let parted: (() => void) | undefined
      if (next !== undefined && next !== lost) {
        // What it sent to the lost one is still under way, and stays away, too.
        parted = cutBetween(world, lost, next)
        const opened = lastOf(next)
        await world.runUntil(() => appliedBy(next) > opened, 2000)
        cluster.crash(next, chance(random, 0.5) ? 'power-loss' : 'process-death')
      }
      apart()
      const third = othersOf(world, lost).find((machine) => machine !== next)
      switch (random.below(3)) {
        case 0:
          // Perhaps just after its log was cut back.
          await world.pass(100 + random.below(400))
          cluster.crash(lost, 'process-death')
          cluster.start(lost)
          break
        case 1:
          // It is in no hurry to campaign now.
          if (third !== undefined) {
            cluster.crash(third, 'process-death')
            cluster.start(third)
          }
      }
      await world.pass(1500 + random.below(500))
      parted?.()
    }
  },
}

/**
 * The leader reaches one follower, whose disk is slow; then the power fails at that follower, and it goes on with the one
 * that heard nothing, without the leader. Whatever was acknowledged must be among what the two of them have.
 */
const followerForgets: Scenario = {
  name: 'follower-forgets',
  about: 'the only follower that a leader reaches has a slow disk, loses its power, and goes on without the leader',
  nodes: 3,
  load: { operationsPerSecond: 100, clients: 8, operator: undefined },
  attack: async (world) => {
    const { cluster, random, recorder, simulation } = world
    const endMs = simulation.nowMs + world.durationMs
    while (simulation.nowMs < endMs) {
      startAll(world)
      await world.pass(600 + random.below(500))
      const { leader } = cluster
      if (leader === undefined) continue
      const followers = othersOf(world, leader)
      const confidant = pick(random, followers)
      const outsider = followers.find((machine) => machine !== confidant)
      if (outsider === undefined) continue
      recorder.countFault('follower-forgets')
      recorder.tell(`${leader.name} reaches only ${confidant.name}, whose disk is slow`)
      const apart = cutBetween(world, leader, outsider)
      const parted = cutBetween(world, confidant, outsider)
      confidant.simulated.setDisk({ syncDelayMs: [150, 500] })
      await world.pass(50 + random.below(250))
      cluster.crash(leader, 'process-death')
      cluster.crash(confidant, 'power-loss')
      confidant.simulated.setDisk({ syncDelayMs: [0.1, 0.4] })
      apart()
      parted()
      cluster.start(confidant)
      await world.pass(1500 + random.below(500))
    }
  },
}

/**
 * Someone with a slow disk becomes leader, writes to one follower, and its power fails: perhaps before its disk knew of
 * the new term. It comes back with the third member, while the one that it had written to is away.
 */
const candidateForgets: Scenario = {
  name: 'candidate-forgets',
  about: 'a new leader with a slow disk loses its power, and campaigns again with others',
  nodes: 3,
  load: { operationsPerSecond: 150, clients: 12, operator: undefined },
  attack: async (world) => {
    const { cluster, random, recorder, simulation } = world
    const endMs = simulation.nowMs + world.durationMs
    while (simulation.nowMs < endMs) {
      startAll(world)
      await world.pass(600 + random.below(300))
      const former = cluster.leader
      if (former === undefined) continue
      const candidate = pick(random, othersOf(world, former))
      const witness = othersOf(world, former).find((machine) => machine !== candidate)
      if (witness === undefined) continue
      recorder.countFault('candidate-forgets')
      candidate.simulated.setDisk({ syncDelayMs: [300, 900] })
      cluster.crash(former, 'process-death')
      await world.runUntil(() => cluster.leader !== undefined, 3000)
      await world.pass(20 + random.below(200))
      cluster.crash(candidate, 'power-loss')
      cluster.crash(witness, 'process-death')
      candidate.simulated.setDisk({ syncDelayMs: [0.1, 0.4] })
      cluster.start(candidate)
      cluster.start(former)
      await world.pass(1000 + random.below(500))
      cluster.start(witness)
      await world.pass(300)
    }
  },
}

/**
 * A leader reaches one follower only, late, and much of what it sends arrives much later once more, or never. Then the leader is
 * gone, and the follower must still have what it had acknowledged.
 */
const staleMessages: Scenario = {
  name: 'stale-messages',
  about: 'what a leader sends to its only follower is lost or comes again much later; then the leader dies',
  nodes: 3,
  load: { operationsPerSecond: 200, clients: 12, operator: undefined },
  attack: async (world) => {
    const { cluster, links, random, recorder, simulation } = world
    const endMs = simulation.nowMs + world.durationMs
    while (simulation.nowMs < endMs) {
      startAll(world)
      await world.pass(500 + random.below(300))
      const { leader } = cluster
      if (leader === undefined) continue
      const [confidant, outsider] = othersOf(world, leader)
      if (confidant === undefined || outsider === undefined) continue
      recorder.countFault('stale-messages')
      const heal = [
        cutBetween(world, leader, outsider),
        cutBetween(world, confidant, outsider),
        links.add({
          applies: (from, to) => from === leader.name && to === confidant.name,
          faults: { delayMs: chance(random, 0.5) ? [10, 40] : [40, 120] },
          messages: { dropProbability: 0.05, duplicateProbability: 0.8, duplicateAfterMs: [0, 300] },
        }),
      ]
      await world.pass(150 + random.below(300))
      cluster.crash(leader, 'process-death')
      for (const end of heal) end()
      await world.pass(1200 + random.below(500))
    }
  },
}

function appliedBy(machine: Machine): number {
  return machine.running?.inspect().group.status().appliedIndex ?? 0
}

function lastOf(machine: Machine): number {
  return machine.running?.inspect().group.status().lastIndex ?? 0
}

export const successionScenarios: readonly Scenario[] = [
  figure8Exact,
  longLostLog,
  followerForgets,
  candidateForgets,
  staleMessages,
]
