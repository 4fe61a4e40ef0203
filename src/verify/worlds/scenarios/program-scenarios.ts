/** Scenarios of programs that use the client: what it promises them while nodes, clients and networks fail. */
import {
  clientBadLinks,
  clientCut,
  clientCutOneWay,
  clientDeath,
  clientDrift,
  clientFaults,
  clientSkew,
  clientStopped,
} from '../faults/client-faults.ts'
import { clockDrift, clockFaults } from '../faults/clock-faults.ts'
import { diskFaults } from '../faults/disk-faults.ts'
import { drawPlan } from '../faults/nemesis.ts'
import { isolateLeader, networkFaults, partitionMinority } from '../faults/network-faults.ts'
import { orderlyStop, powerLoss, processDeath, processFaults, stoppedNode } from '../faults/process-faults.ts'
import type { LoadShape } from '../load/load.ts'
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

export const programScenarios: readonly Scenario[] = [
  programSwarm,
  onlyFaults(
    'programs-cut-clients',
    'programs that hold locks of all kinds are cut off, or hear late, while others wait for them',
    { kinds: [clientCut, clientCut, clientCutOneWay, clientBadLinks], gapMs: 600, lastsMs: 3000, activeMax: 2 },
    { nodes: 3, load: { ...load, compacts: false }, programs: { activities: locks, machines: 3, sessionTtlMs: 2000 } },
  ),
  onlyFaults(
    'programs-clock-drift',
    'programs with long sessions are cut off while clocks run fast and slow within the bound',
    { kinds: [clientDrift, clientDrift, clockDrift, clockDrift, clientCut], gapMs: 500, lastsMs: 15_000, activeMax: 6 },
    {
      nodes: 3,
      durationMs: 60_000,
      load: { ...load, compacts: false },
      programs: { activities: ['mutex'], machines: 3, sessionTtlMs: 12_000, pauseMs: 50 },
    },
  ),
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
