/** Faults of the network: cuts of every shape, loss, delay. */
import type { Random } from '../../../runtime/index.ts'
import { between, pick, shuffled } from '../chance.ts'
import type { FaultKind, FaultWorld } from './fault.ts'
import type { LinkRule } from './link-rules.ts'

function namesOf(world: FaultWorld, random: Random): string[] {
  return shuffled(
    random,
    world.cluster.members.map((machine) => machine.name),
  )
}

/** The leader's name now and then, else anyone's. */
function someone(world: FaultWorld, random: Random): string {
  const { leader, members: machines } = world.cluster
  return leader !== undefined && random.below(2) === 0 ? leader.name : pick(random, machines).name
}

/** Cuts what goes between `side` and all others. */
function cutOff(world: FaultWorld, side: readonly string[]): () => void {
  const inside = new Set(side)
  return world.links.add({ applies: (from, to) => inside.has(from) !== inside.has(to), faults: { cut: true } })
}

/** No machine reaches any other. */
export const isolateAll: FaultKind = {
  name: 'partition-full',
  begin: (world) => {
    world.recorder.tell('the network is cut between all machines')
    return world.links.add({ applies: () => true, faults: { cut: true } })
  },
}

/** A minority on one side, a majority on the other. */
export const partitionMinority: FaultKind = {
  name: 'partition-minority',
  begin: (world, random) => {
    const names = namesOf(world, random)
    const side = names.slice(0, between(random, 1, Math.max(1, Math.floor((names.length - 1) / 2))))
    world.recorder.tell(`the network is cut around ${side.join(', ')}`)
    return cutOff(world, side)
  },
}

/** The leader is cut off from everyone else. */
export const isolateLeader: FaultKind = {
  name: 'partition-leader',
  begin: (world) => {
    const { leader } = world.cluster
    if (leader === undefined) return false
    world.recorder.tell(`the network is cut around the leader, ${leader.name}`)
    return cutOff(world, [leader.name])
  },
}

/** One machine hears, or is heard by, nobody; or one link works in one direction only. */
export const partitionOneWay: FaultKind = {
  name: 'partition-one-way',
  begin: (world, random) => {
    const one = someone(world, random)
    const other = pick(random, world.cluster.members).name
    switch (random.below(3)) {
      case 0:
        world.recorder.tell(`${one} hears nobody`)
        return world.links.add({ applies: (_, to) => to === one, faults: { cut: true } })
      case 1:
        world.recorder.tell(`nobody hears ${one}`)
        return world.links.add({ applies: (from) => from === one, faults: { cut: true } })
      default:
        if (one === other) return false
        world.recorder.tell(`${other} does not hear ${one}`)
        return world.links.add({ applies: (from, to) => from === one && to === other, faults: { cut: true } })
    }
  },
}

/** Two halves that only one machine, the bridge, reaches both of. */
export const partitionBridge: FaultKind = {
  name: 'partition-bridge',
  begin: (world, random) => {
    const [bridge, ...others] = namesOf(world, random)
    if (bridge === undefined || others.length < 2) return false
    const left = new Set(others.slice(0, Math.floor(others.length / 2)))
    world.recorder.tell(`only ${bridge} reaches both ${[...left].join(', ')} and the others`)
    return world.links.add({
      applies: (from, to) => from !== bridge && to !== bridge && left.has(from) !== left.has(to),
      faults: { cut: true },
    })
  },
}

/** A link, or all links of a machine, that goes and comes. */
export const flapping: FaultKind = {
  name: 'flapping',
  begin: (world, random) => {
    const one = someone(world, random)
    const periodMs = pick(random, [50, 200, 600, 1500])
    world.recorder.tell(`the links of ${one} flap every ${periodMs} ms`)
    let ended = false
    let heal: (() => void) | undefined
    const flap = (): void => {
      if (ended) return
      if (heal === undefined) heal = cutOff(world, [one])
      else {
        heal()
        heal = undefined
      }
      world.simulation.after(periodMs * (0.5 + random.float()), flap)
    }
    flap()
    return () => {
      ended = true
      heal?.()
    }
  },
}

type Misbehaviour = Pick<LinkRule, 'faults' | 'messages'>

/** Some or all links misbehave, in one way drawn from `choices`. */
function badLinks(name: string, what: string, choices: readonly Misbehaviour[]): FaultKind {
  return {
    name,
    begin: (world, random) => {
      const misbehaviour = pick(random, choices)
      const one = someone(world, random)
      const scope = random.below(3)
      const where = ['on all links', `to ${one}`, `from ${one}`][scope]
      world.recorder.tell(`${what} ${where}`)
      return world.links.add({
        applies: (from, to) => scope === 0 || (scope === 1 ? to === one : from === one),
        ...misbehaviour,
      })
    },
  }
}

export const segmentLoss = badLinks('segment-loss', 'segments are lost and sent again', [
  { faults: { lossProbability: 0.02 } },
  { faults: { lossProbability: 0.1 } },
  { faults: { lossProbability: 0.4 } },
])

export const delay = badLinks('delay', 'everything is late', [
  { faults: { delayMs: [1, 10] } },
  { faults: { delayMs: [5, 80] } },
  { faults: { delayMs: [20, 400] } },
  { faults: { delayMs: [100, 1200] } },
  { faults: { latencySpikeProbability: 0.05 } },
])

export const connectionResets = badLinks('connection-resets', 'connections break', [
  { faults: { resetProbability: 0.002 } },
  { faults: { resetProbability: 0.02 } },
  { faults: { resetProbability: 0.1 } },
])

export const messageLoss = badLinks('message-loss', 'messages are lost', [
  { messages: { dropProbability: 0.02 } },
  { messages: { dropProbability: 0.15 } },
  { messages: { dropProbability: 0.5 } },
])

/** A late message is overtaken by others. */
export const messageReordering = badLinks('message-reordering', 'messages are late and overtaken', [
  { messages: { delayProbability: 0.05, delayMs: [1, 30] } },
  { messages: { delayProbability: 0.3, delayMs: [1, 100] } },
  { messages: { delayProbability: 0.1, delayMs: [100, 3000] } },
])

export const messageDuplication = badLinks('message-duplication', 'messages come twice', [
  { messages: { duplicateProbability: 0.05 } },
  { messages: { duplicateProbability: 0.5, duplicateAfterMs: [0, 2000] } },
])

export const networkFaults: readonly FaultKind[] = [
  isolateAll,
  partitionMinority,
  isolateLeader,
  partitionOneWay,
  partitionBridge,
  flapping,
  segmentLoss,
  delay,
  connectionResets,
  messageLoss,
  messageReordering,
  messageDuplication,
]
