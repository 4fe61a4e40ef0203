/** Scenarios in which leaders answer reads by their lease: clocks drift within the stated bound only. */
import { chance, pick } from '../chance.ts'
import { clockDrift } from '../faults/clock-faults.ts'
import type { NodeSettings } from '../settings.ts'
import { cutAround, cutBetween, othersOf, startAll } from './directing.ts'
import type { Scenario } from './scenario.ts'

/** Only Raft has them. */
function withLeases(drawn: NodeSettings): NodeSettings {
  return { ...drawn, leaseReads: drawn.consensus === 'raft' }
}

const load = { operationsPerSecond: 300, clients: 12, operator: undefined } as const

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
      if (leader === undefined) continue
      const followers = othersOf(world, leader)
      const kind = pick(random, ['cut', 'slow-answers', 'one-cut', 'stopped', 'restarts'] as const)
      recorder.countFault(`lease-${kind}`)
      recorder.tell(`the lease of ${leader.name} is put to the test: ${kind}`)
      const nextLeads = (): boolean => cluster.leader !== undefined && cluster.leader !== leader
      switch (kind) {
        case 'cut': {
          const heal = cutAround(world, leader)
          await world.runUntil(nextLeads, 4000)
          await world.pass(random.below(300))
          heal()
          break
        }
        case 'slow-answers': {
          const late = world.links.add({
            applies: (from, to) => to === leader.name && from !== leader.name,
            faults: { delayMs: [100, 250] },
          })
          await world.pass(400 + random.below(200))
          const heal = world.links.add({ applies: (from) => from === leader.name, faults: { cut: true } })
          await world.runUntil(nextLeads, 4000)
          await world.pass(100 + random.below(300))
          late()
          heal()
          break
        }
        case 'one-cut': {
          const heal = cutBetween(world, leader, pick(random, followers))
          await world.pass(1500 + random.below(1500))
          heal()
          break
        }
        case 'stopped':
          cluster.pause(leader)
          await world.runUntil(nextLeads, 4000)
          await world.pass(50 + random.below(300))
          cluster.resume(leader)
          break
        case 'restarts': {
          const heal = cutAround(world, leader)
          for (const follower of followers)
            cluster.crash(follower, chance(random, 0.5) ? 'power-loss' : 'process-death')
          for (const follower of followers) cluster.start(follower)
          await world.pass(1500)
          heal()
          break
        }
      }
    }
  },
}

export const leaseScenarios: readonly Scenario[] = [leaseReads]
