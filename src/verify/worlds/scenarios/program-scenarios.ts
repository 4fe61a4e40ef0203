/** Scenarios of programs that use the client: what it promises them while nodes, clients and networks fail. */

import { chance, pick } from '../chance.ts'
import {
  clientBadLinks,
  clientCut,
  clientCutOneWay,
  clientDeath,
  clientFaults,
  clientResets,
  clientSkew,
  clientStopped,
} from '../faults/client-faults.ts'
import { clockFaults, driftBoundPpm } from '../faults/clock-faults.ts'
import { diskFaults } from '../faults/disk-faults.ts'
import { drawPlan } from '../faults/nemesis.ts'
import { isolateLeader, networkFaults, partitionMinority } from '../faults/network-faults.ts'
import { orderlyStop, powerLoss, processDeath, processFaults, stoppedNode } from '../faults/process-faults.ts'
import type { LoadShape } from '../load/load.ts'
import type { ClientMachine } from '../programs/index.ts'
import type { World } from '../world.ts'
import { onlyFaults, type Scenario } from './scenario.ts'

/** The programs are the load: others only keep the cluster busy. Clients know the founders, so members stay. */
const load: Partial<LoadShape> = {
  clients: 1,
  operationsPerSecond: 5,
  watchers: 0,
  leaseClients: 0,
  lockClients: 0,
  operator: undefined,
}

/** Long enough for what clocks drift apart meanwhile to outlast the engine's own delays. */
const longSessionMs = 15_000

const locks = ['mutex', 'multi-lock', 'rw-lock', 'semaphore', 'election'] as const

const programSwarm: Scenario = {
  name: 'programs',
  about: 'programs use the client; each world draws what they do, and its own mix of faults of nodes and clients',
  load,
  programs: {},
  attack: async (world) => {
    const kinds = [...networkFaults, ...processFaults, ...diskFaults, ...clockFaults]
    await world.pass(world.random.below(1500))
    world.unleash(drawPlan(world.random, kinds))
    world.unleash(drawPlan(world.random, clientFaults))
    await world.pass(world.durationMs)
  },
}

/** The nodes' clocks run as fast as the model allows and those of clients as slow, or the other way round. */
const driftingClocks: Scenario = {
  name: 'programs-clock-drift',
  about: 'holders of locks with long sessions lose their links while clocks drift apart as far as the bound allows',
  nodes: 3,
  durationMs: 90_000,
  load: { ...load, compacts: false },
  programs: {
    activities: ['mutex'],
    machines: 3,
    sessionTtlMs: longSessionMs,
    pauseMs: 50,
    requestTimeoutMs: 1000,
    longHolds: 0.8,
  },
  attack: async (world) => {
    const { random, cluster, clients, recorder } = world
    const driftPpm = chance(random, 0.7) ? driftBoundPpm : -driftBoundPpm
    const endMs = world.simulation.nowMs + world.durationMs
    recorder.tell(`the clocks of nodes gain ${driftPpm} microseconds a second, those of clients lose as much`)
    for (const machine of cluster.members) machine.simulated.setClock({ driftPpm })
    for (const machine of clients) machine.setDrift(-driftPpm)
    await world.pass(1000)
    while (world.simulation.nowMs < endMs) {
      const heal = cutClient(world, pick(random, clients))
      await world.pass(longSessionMs * 1.1)
      heal()
      await world.pass(random.below(3000))
    }
    for (const machine of cluster.members) machine.simulated.setClock({ driftPpm: 0 })
    for (const machine of clients) machine.setDrift(0)
  },
}

/** Renewals are answered, late; then the holder is cut off. */
const lateAnswers: Scenario = {
  name: 'programs-late-answers',
  about: 'what nodes say to the holder of a lock is late; then the holder is cut off while others wait',
  nodes: 3,
  durationMs: 40_000,
  load: { ...load, compacts: false },
  programs: {
    activities: ['mutex', 'election'],
    machines: 3,
    sessionTtlMs: 3000,
    pauseMs: 50,
    requestTimeoutMs: 2000,
    longHolds: 0.8,
  },
  attack: async (world) => {
    const { random, clients, links, recorder } = world
    const endMs = world.simulation.nowMs + world.durationMs
    await world.pass(1000)
    while (world.simulation.nowMs < endMs) {
      const machine = pick(random, clients)
      const delayMs = pick(random, [
        [100, 150],
        [400, 450],
      ] as const)
      recorder.tell(`what nodes say to ${machine.name} is ${delayMs[0]} ms late`)
      recorder.countFault('client-late-answers')
      const soon = links.add({ applies: (_, to) => to === machine.name, faults: { delayMs }, clients: true })
      await world.pass(1500 + random.below(3000))
      const heal = cutClient(world, machine)
      await world.pass(4000)
      soon()
      heal()
      await world.pass(random.below(1000))
    }
  },
}

function cutClient({ links, recorder }: World, { name }: ClientMachine): () => void {
  recorder.tell(`${name} is cut off from all nodes`)
  recorder.countFault('client-cut')
  return links.add({
    applies: (from, to) => from === name || to === name,
    faults: { cut: true },
    clients: true,
  })
}

export const programScenarios: readonly Scenario[] = [
  programSwarm,
  onlyFaults(
    'programs-cut-clients',
    'programs that hold locks of all kinds are cut off, or hear late, while others wait for them',
    { kinds: [clientCut, clientCut, clientCutOneWay, clientBadLinks], gapMs: 600, lastsMs: 3000, activeMax: 2 },
    { nodes: 3, load: { ...load, compacts: false }, programs: { activities: locks, machines: 3, sessionTtlMs: 2000 } },
  ),
  driftingClocks,
  lateAnswers,
  onlyFaults(
    'programs-stopped-clients',
    'processes of programs stand still or are killed while they hold something',
    { kinds: [clientStopped, clientStopped, clientDeath, clientSkew], gapMs: 700, lastsMs: 2500, activeMax: 2 },
    {
      nodes: 3,
      load: { ...load, compacts: false },
      programs: { activities: ['mutex', 'rw-lock', 'queue', 'ids'], machines: 3, sessionTtlMs: 2000 },
    },
  ),
  onlyFaults(
    'programs-wall-clocks',
    'programs make ids while wall clocks jump, processes die and sessions are lost',
    { kinds: [clientSkew, clientSkew, clientStopped, clientDeath], gapMs: 150, lastsMs: 1500, activeMax: 4 },
    {
      nodes: 3,
      load: { ...load, compacts: false },
      programs: { activities: ['ids'], machines: 4, sessionTtlMs: 1000, pauseMs: 20 },
    },
  ),
  onlyFaults(
    'programs-lost-answers',
    'answers to programs that count, queue and publish are lost with nodes and links',
    {
      kinds: [clientCutOneWay, clientBadLinks, processDeath, powerLoss, isolateLeader, stoppedNode],
      gapMs: 400,
      lastsMs: 1200,
      activeMax: 3,
    },
    {
      nodes: 3,
      load: { ...load, compacts: false },
      programs: { activities: ['counter', 'queue', 'config'], machines: 3, pauseMs: 50, requestTimeoutMs: 1000 },
    },
  ),
  onlyFaults(
    'programs-broken-connections',
    'connections of programs that count break while adds are under way',
    { kinds: [clientResets], gapMs: 200, lastsMs: 2000, activeMax: 3 },
    {
      nodes: 3,
      load: { ...load, compacts: false },
      programs: { activities: ['counter'], machines: 3, pauseMs: 30, sessionTtlMs: 6000, requestTimeoutMs: 1000 },
    },
  ),
  onlyFaults(
    'programs-watch-resume',
    'programs that watch lose their nodes and go on elsewhere',
    {
      kinds: [clientCut, clientBadLinks, processDeath, orderlyStop, partitionMinority, clientDeath],
      gapMs: 600,
      lastsMs: 1200,
      activeMax: 2,
    },
    {
      nodes: 3,
      load: { ...load, compacts: true },
      programs: { activities: ['watches', 'config'], machines: 3, pauseMs: 50 },
    },
  ),
]
