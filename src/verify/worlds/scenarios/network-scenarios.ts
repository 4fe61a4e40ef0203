/** Scenarios of the network. */
import {
  connectionResets,
  delay,
  flapping,
  isolateAll,
  isolateLeader,
  messageDuplication,
  messageLoss,
  messageReordering,
  partitionBridge,
  partitionMinority,
  partitionOneWay,
  segmentLoss,
} from '../faults/network-faults.ts'
import { onlyFaults, type Scenario } from './scenario.ts'

const often = { gapMs: 800, lastsMs: 1800, activeMax: 1 }

/**
 * A follower is cut off until the others have forgotten what it needs; then it gets a snapshot, under load, and is cut off
 * again in the middle of it.
 */
const slowFollowerSnapshot: Scenario = {
  name: 'slow-follower-snapshot',
  about: 'a follower falls so far behind that it needs a snapshot, and is disturbed while it gets it',
  settings: (drawn) => ({
    ...drawn,
    groupOptions: { ...drawn.groupOptions, tailCount: 5, tailBytes: 500, lagBytesMax: 1000, snapshotChunkBytes: 512 },
  }),
  load: { operationsPerSecond: 100 },
  attack: async (world) => {
    const { random, cluster, links } = world
    const endMs = world.simulation.nowMs + world.durationMs
    await world.pass(1500)
    while (world.simulation.nowMs < endMs) {
      const follower = cluster.members.filter((machine) => machine !== cluster.leader)[random.below(2)]
      if (follower === undefined) continue
      world.recorder.countFault('partition-follower')
      const cut = () =>
        links.add({ applies: (from, to) => from === follower.name || to === follower.name, faults: { cut: true } })
      const heal = cut()
      await world.pass(1000 + random.below(1500))
      heal()
      await world.pass(random.below(400))
      // In the middle of the stream, perhaps.
      const disturbance = random.below(4)
      if (disturbance < 2) {
        const again = cut()
        await world.pass(random.below(1000))
        again()
      } else if (disturbance === 2) {
        cluster.crash(follower, 'power-loss')
        cluster.start(follower)
      }
      await world.pass(random.below(1500))
    }
  },
}

export const networkScenarios: readonly Scenario[] = [
  onlyFaults('partition-full', 'all links are cut at once, again and again', { kinds: [isolateAll], ...often }),
  onlyFaults('partition-minority', 'a minority is cut off, the leader in it or not', {
    kinds: [partitionMinority],
    ...often,
  }),
  onlyFaults('partition-leader', 'whoever leads is cut off', { kinds: [isolateLeader], ...often }),
  onlyFaults('partition-one-way', 'links work in one direction only', {
    kinds: [partitionOneWay],
    ...often,
    activeMax: 2,
  }),
  onlyFaults(
    'bridge',
    'two halves that only one member reaches both of',
    { kinds: [partitionBridge], ...often, lastsMs: 4000 },
    { nodes: 5 },
  ),
  onlyFaults('flapping', 'links come and go', { kinds: [flapping], ...often, lastsMs: 3000, activeMax: 2 }),
  onlyFaults('bad-links', 'segments are lost and late, and connections break', {
    kinds: [segmentLoss, delay, connectionResets],
    gapMs: 500,
    lastsMs: 3000,
    activeMax: 3,
  }),
  onlyFaults('bad-messages', 'consensus messages are lost, late, overtaken and come twice', {
    kinds: [messageLoss, messageReordering, messageDuplication],
    gapMs: 500,
    lastsMs: 4000,
    activeMax: 4,
  }),
  slowFollowerSnapshot,
]
