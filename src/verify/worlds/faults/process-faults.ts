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
    const inOrder = random.below(2) === 0
    let ended = false
    machines.forEach((machine, i) => {
      world.simulation.after(stepMs * i, () => {
        if (ended || !machine.isAlive) return
        if (inOrder) world.cluster.stop(machine)
        else world.cluster.crash(machine, 'process-death')
        world.simulation.after(stepMs * random.float(), () => world.cluster.start(machine))
      })
    })
    const restart = restarts(world, machines)
    return () => {
      ended = true
      restart()
    }
  },
}

/** A node is asked to stop, hands over what it leads and ends; then it is started again. */
export const orderlyStop: FaultKind = {
  name: 'orderly-stop',
  begin: (world, random) => {
    const machine = victim(world, random)
    if (machine === undefined) return false
    world.cluster.stop(machine)
    return restarts(world, [machine])
  },
}

/** Leadership is handed to another member, or to whoever is best. */
export const leadershipTransfer: FaultKind = {
  name: 'leadership-transfer',
  begin: (world, random) => {
    const { leader, members } = world.cluster
    const group = leader?.running?.inspect().group
    if (leader === undefined || group === undefined || leader.isPaused) return false
    const target = random.below(3) === 0 ? undefined : pick(random, members)
    world.recorder.tell(`${leader.name} is asked to hand over to ${target?.name ?? 'anyone'}`)
    group.transferLeadership(target?.memberId ?? 0n)
    return undefined
  },
}

/** Stands still, as after SIGSTOP, and most often where it hurts: the leader, with requests under way. */
export const stoppedNode: FaultKind = {
  name: 'stopped-node',
  begin: (world, random) => {
    const machine = victim(world, random)
    if (machine === undefined || machine.isPaused) return false
    world.cluster.pause(machine)
    return () => world.cluster.resume(machine)
  },
}

/** Everything on the machine takes longer, over restarts too. */
export const slowNode: FaultKind = {
  name: 'slow-node',
  begin: (world, random) => {
    const machine = victim(world, random)
    if (machine === undefined) return false
    const eventDelayMs = pick(random, [
      [0, 1],
      [0, 10],
      [1, 60],
      [10, 200],
    ] as const)
    machine.simulated.setSpeed({ eventDelayMs })
    world.recorder.tell(`${machine.name} is slow: up to ${eventDelayMs[1]} ms for each event`)
    return () => machine.simulated.setSpeed(undefined)
  },
}

/** Crashes at one of its next disk operations: before, in the midst of it, or after. */
export const crashAtDiskOperation: FaultKind = {
  name: 'crash-at-disk-operation',
  begin: (world, random) => {
    const machine = victim(world, random)
    if (machine === undefined) return false
    const kind = chance(random, 0.8) ? 'power-loss' : 'process-death'
    const moment = pick(random, ['before', 'between', 'after'] as const)
    const n = 1 + random.below(pick(random, [3, 30, 300]))
    machine.simulated.crashAtDiskOperation(n, { kind, moment })
    world.recorder.tell(`${machine.name} is to crash ${moment} its disk operation number ${n} from now`)
    return () => {
      machine.simulated.cancelCrash()
      world.cluster.start(machine)
    }
  },
}

export const processFaults: readonly FaultKind[] = [
  powerLoss,
  processDeath,
  blackout,
  rollingRestart,
  orderlyStop,
  leadershipTransfer,
  stoppedNode,
  slowNode,
  crashAtDiskOperation,
]
