/** Faults of the machines that programs live on, and of their links. */
import type { Random } from '../../../runtime/index.ts'
import { chance, pick } from '../chance.ts'
import type { ClientMachine } from '../programs/index.ts'
import { driftBoundPpm } from './clock-faults.ts'
import type { EndFault, FaultKind, FaultWorld } from './fault.ts'
import type { LinkRule } from './link-rules.ts'

type Begin = (world: FaultWorld, random: Random, machine: ClientMachine) => EndFault | undefined | false

function clientFault(name: string, begin: Begin): FaultKind {
  return {
    name,
    begin: (world, random) => {
      const { clients } = world
      return clients.length === 0 ? false : begin(world, random, pick(random, clients))
    },
  }
}

function between(machine: ClientMachine, node?: string): LinkRule['applies'] {
  return (from, to) => {
    const other = from === machine.name ? to : to === machine.name ? from : undefined
    return other !== undefined && (node === undefined || other === node)
  }
}

/** The client reaches no node, or one of them not; its connections break only once somebody notices. */
export const clientCut = clientFault('client-cut', (world, random, machine) => {
  const node = chance(random, 0.3) ? pick(random, world.cluster.members).name : undefined
  world.recorder.tell(`${machine.name} is cut off from ${node ?? 'all nodes'}`)
  return world.links.add({ applies: between(machine, node), faults: { cut: true }, clients: true })
})

/** What the client says arrives, and it hears nothing; or the other way round. */
export const clientCutOneWay = clientFault('client-cut-one-way', (world, random, machine) => {
  const deaf = chance(random, 0.7)
  world.recorder.tell(`${machine.name} ${deaf ? 'hears nobody' : 'is not heard'}`)
  const applies = (from: string, to: string): boolean => (deaf ? to : from) === machine.name
  return world.links.add({ applies, faults: { cut: true }, clients: true })
})

/** What goes between the client and the nodes is late, or breaks. */
export const clientBadLinks = clientFault('client-bad-links', (world, random, machine) => {
  const faults = pick(random, [
    { delayMs: [5, 80] },
    { delayMs: [50, 600] },
    { delayMs: [300, 1500] },
    { resetProbability: 0.02 },
    { resetProbability: 0.1 },
    { lossProbability: 0.2 },
  ] as const)
  world.recorder.tell(`the links of ${machine.name} are bad: ${JSON.stringify(faults)}`)
  return world.links.add({ applies: between(machine), faults, clients: true })
})

/** The client's connections break, again and again: what was under way is left without an answer. */
export const clientResets = clientFault('client-resets', (world, random, machine) => {
  const resetProbability = pick(random, [0.03, 0.1, 0.2])
  world.recorder.tell(`the connections of ${machine.name} break`)
  return world.links.add({ applies: between(machine), faults: { resetProbability }, clients: true })
})

/** Stands still, as after SIGSTOP. */
export const clientStopped = clientFault('client-stopped', (world, _random, machine) => {
  if (!machine.isAlive || machine.isPaused) return false
  world.recorder.tell(`${machine.name} stands still`)
  machine.pause()
  return () => {
    world.recorder.tell(`${machine.name} goes on`)
    machine.resume()
  }
})

/** The process is killed; another is started on the machine later. */
export const clientDeath = clientFault('client-death', (world, _random, machine) => {
  if (!machine.isAlive) return false
  world.recorder.tell(`${machine.name} is killed`)
  machine.crash()
  return () => {
    world.recorder.tell(`${machine.name} starts`)
    machine.start()
  }
})

/** Its clock runs fast or slow, within the bound. */
export const clientDrift = clientFault('client-drift', (world, random, machine) => {
  const driftPpm = Math.round(pick(random, [-1, 1]) * pick(random, [1, random.float()]) * driftBoundPpm)
  machine.setDrift(driftPpm)
  world.recorder.tell(`the clock of ${machine.name} gains ${driftPpm} microseconds a second`)
  return () => machine.setDrift(0)
})

/** Its wall clock jumps. */
export const clientSkew = clientFault('client-skew', (world, random, machine) => {
  const skewMs = pick(random, [-1, 1]) * random.below(10 ** pick(random, [2, 3, 4, 4, 5, 8]))
  machine.setSkew(skewMs)
  world.recorder.tell(`the wall clock of ${machine.name} jumps by ${skewMs} ms`)
  return () => machine.setSkew(0)
})

export const clientFaults: readonly FaultKind[] = [
  clientCut,
  clientCutOneWay,
  clientBadLinks,
  clientStopped,
  clientDeath,
  clientDrift,
  clientSkew,
]
