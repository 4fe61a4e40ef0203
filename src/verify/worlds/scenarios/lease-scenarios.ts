/** Scenarios in which leaders answer reads by their lease: clocks drift within the stated bound only. */
import { chance, pick, shuffled } from '../chance.ts'
import { clockDrift } from '../faults/clock-faults.ts'
import type { Machine } from '../machine.ts'
import type { NodeSettings } from '../settings.ts'
import type { World } from '../world.ts'
import { cutAround, cutBetween, othersOf, startAll } from './directing.ts'
import type { Scenario } from './scenario.ts'

/** Only Raft has them. */
function withLeases(drawn: NodeSettings): NodeSettings {
  return { ...drawn, leaseReads: drawn.consensus === 'raft', electionTimeoutMs: 500, heartbeatIntervalMs: 50 }
}

/** Many clients: whoever waits for a write reads nothing meanwhile. */
const load = { operationsPerSecond: 250, clients: 40, operator: undefined } as const

/** What puts the lease of a leader of three to the test. */
interface Trial {
  readonly name: string
  readonly run: (world: World, leader: Machine) => Promise<void>
}

const trials: readonly Trial[] = [
  {
    name: 'cut',
    run: async (world, leader) => {
      const heal = cutAround(world, leader)
      await nextLeads(world, leader)
      await world.pass(world.random.below(300))
      heal()
    },
  },
  {
    name: 'slow-answers',
    run: async (world, leader) => {
      const { random, links } = world
      const late = answersLate(world, leader, othersOf(world, leader))
      await world.pass(400 + random.below(200))
      const heal = links.add({ applies: (from) => from === leader.name, faults: { cut: true } })
      await nextLeads(world, leader)
      await world.pass(100 + random.below(300))
      late()
      heal()
    },
  },
  {
    name: 'one-cut',
    run: async (world, leader) => {
      const [near, far] = shuffled(world.random, othersOf(world, leader)) as [Machine, Machine]
      const heal = cutBetween(world, leader, far)
      const late = answersLate(world, leader, [near])
      await world.pass(1500 + world.random.below(1500))
      late()
      heal()
    },
  },
  {
    // It wakes up, finds what clients asked it meanwhile, and hears of no other leader.
    name: 'stopped',
    run: async (world, leader) => {
      const heal = cutAround(world, leader)
      world.cluster.pause(leader)
      await nextLeads(world, leader)
      await world.pass(50 + world.random.below(300))
      world.cluster.resume(leader)
      await world.pass(300)
      heal()
    },
  },
  {
    // One is about to campaign when the other one, who heard the leader just now, starts anew.
    name: 'restarts',
    run: async (world, leader) => {
      const { cluster, random } = world
      const [near, far] = shuffled(random, othersOf(world, leader)) as [Machine, Machine]
      const heal = [cutBetween(world, leader, far)]
      await world.pass(600 + random.below(600))
      heal.push(cutBetween(world, leader, near))
      cluster.crash(near, chance(random, 0.5) ? 'power-loss' : 'process-death')
      cluster.start(near)
      await world.pass(1500)
      for (const end of heal) end()
    },
  },
]

/**
 * A leader is parted from those who will choose the next one, stands still, or loses its followers to restarts, all for
 * about as long as an election takes: its lease must have run out when the next leader commits.
 */
const leaseReads: Scenario = {
  name: 'lease-reads',
  about: 'leaders answer reads by their lease, and are cut off, stopped, and succeeded',
  nodes: 3,
  settings: withLeases,
  load,
  attack: async (world) => {
    const { cluster, random, recorder, simulation } = world
    const endMs = simulation.nowMs + world.durationMs
    world.unleash({ kinds: [clockDrift], gapMs: 500, lastsMs: 5000, activeMax: 3 })
    while (simulation.nowMs < endMs) {
      startAll(world)
      await world.pass(700 + random.below(600))
      const { leader } = cluster
      if (leader === undefined || othersOf(world, leader).length < 2) continue
      const trial = pick(random, trials)
      recorder.countFault(`lease-${trial.name}`)
      recorder.tell(`the lease of ${leader.name} is put to the test: ${trial.name}`)
      await trial.run(world, leader)
    }
  },
}

async function nextLeads(world: World, former: Machine): Promise<void> {
  await world.runUntil(() => world.cluster.leader !== undefined && world.cluster.leader !== former, 4000)
}

function answersLate(world: World, leader: Machine, followers: readonly Machine[]): () => void {
  const names = followers.map((machine) => machine.name)
  return world.links.add({
    applies: (from, to) => to === leader.name && names.includes(from),
    faults: { delayMs: [100, 250] },
  })
}

export const leaseScenarios: readonly Scenario[] = [leaseReads]
