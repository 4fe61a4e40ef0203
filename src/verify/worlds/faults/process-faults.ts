/** Faults of processes and their power. */
import { chance, pick } from '../chance.ts'
import type { Machine } from '../machine.ts'
import { type FaultKind, type FaultWorld, victim } from './fault.ts'

function restarts(world: FaultWorld, machines: readonly Machine[]): () => void {
  return () => {
    for (const machine of machines) world.cluster.start(machine)
  }
}

export const powerLoss: FaultKind = {
  name: 'power-loss',
  begin: (world, random) => {
    const machine = victim(world, random)
    if (machine === undefined) return false
    world.cluster.crash(machine, 'power-loss')
    return restarts(world, [machine])
  },
}

export const processDeath: FaultKind = {
  name: 'process-death',
  begin: (world, random) => {
    const machine = victim(world, random)
    if (machine === undefined) return false
    world.cluster.crash(machine, 'process-death')
    return restarts(world, [machine])
  },
}

/** The power fails everywhere at once; some machines come back earlier than others. */
export const blackout: FaultKind = {
  name: 'blackout',
  begin: (world, random) => {
    const { alive } = world.cluster
    for (const machine of alive) world.cluster.crash(machine, chance(random, 0.9) ? 'power-loss' : 'process-death')
    const [early, late] = [alive.filter(() => chance(random, 0.6)), alive]
    for (const machine of early) world.simulation.after(random.below(1500), () => world.cluster.start(machine))
    return restarts(world, late)
  },
}

/** Every member is restarted, one after another. */
export const rollingRestart: FaultKind = {
  name: 'rolling-restart',
  begin: (world, random) => {
    const { members: machines } = world.cluster
    const stepMs = pick(random, [100, 400, 1500])
    machines.forEach((machine, i) => {
      world.simulation.after(stepMs * i, () => {
        if (!machine.isAlive) return
        world.cluster.crash(machine, 'process-death')
        world.simulation.after(stepMs * random.float(), () => world.cluster.start(machine))
      })
    })
    return restarts(world, machines)
  },
}

export const processFaults: readonly FaultKind[] = [powerLoss, processDeath, blackout, rollingRestart]
