/** Faults of disks that the node is told of, or that only cost time. */
import { pick } from '../chance.ts'
import { type FaultKind, victim } from './fault.ts'

const healthySyncMs = [0.1, 0.4] as const
const healthyDelayMs = [0.01, 0.05] as const

export const slowDisk: FaultKind = {
  name: 'slow-disk',
  begin: (world, random) => {
    const machine = victim(world, random)
    if (machine === undefined) return false
    const syncDelayMs = pick(random, [
      [1, 10],
      [5, 60],
      [50, 400],
      [200, 1500],
    ] as const)
    machine.simulated.setDisk({ syncDelayMs, delayMs: [0.05, syncDelayMs[0]] })
    world.recorder.tell(`the disk of ${machine.name} takes ${syncDelayMs.join(' to ')} ms to sync`)
    return () => machine.simulated.setDisk({ syncDelayMs: healthySyncMs, delayMs: healthyDelayMs })
  },
}

export const diskFull: FaultKind = {
  name: 'disk-full',
  begin: (world, random) => {
    const machines = random.below(4) === 0 ? world.cluster.members : [victim(world, random)]
    for (const machine of machines) {
      if (machine === undefined) return false
      machine.simulated.setDisk({ full: true })
      world.recorder.tell(`the disk of ${machine.name} is full`)
    }
    return () => {
      for (const machine of machines) machine?.simulated.setDisk({ full: false })
    }
  },
}

/** Syncs fail: the node must stop, and what it had not synced may be gone. It comes back on a disk that works. */
export const failingSyncs: FaultKind = {
  name: 'failing-syncs',
  begin: (world, random) => {
    const machine = victim(world, random)
    if (machine === undefined || machine.excuses.has('failing syncs')) return false
    machine.excuses.add('failing syncs')
    machine.simulated.setDisk({ failSyncs: true })
    world.recorder.tell(`the disk of ${machine.name} fails its syncs`)
    return () => {
      // Whether the process noticed or not, it may not go on: what it wrote since may be lost.
      world.cluster.crash(machine, 'power-loss')
      machine.simulated.setDisk({ failSyncs: false })
      machine.excuses.delete('failing syncs')
      world.cluster.start(machine)
    }
  },
}

/** Room for little more than what is there. */
export const smallDisk: FaultKind = {
  name: 'small-disk',
  begin: (world, random) => {
    const machine = victim(world, random)
    if (machine === undefined) return false
    const capacityBytes = pick(random, [20, 100, 400]) * 1024
    machine.simulated.setDisk({ capacityBytes })
    world.recorder.tell(`the disk of ${machine.name} holds ${capacityBytes} bytes`)
    return () => machine.simulated.setDisk({ capacityBytes: Number.POSITIVE_INFINITY })
  },
}

/** Nothing returns, now and then or at all, for a while. */
export const stuckDisk: FaultKind = {
  name: 'stuck-disk',
  begin: (world, random) => {
    const machine = victim(world, random)
    if (machine === undefined) return false
    const faults = pick(random, [
      { stuck: true },
      { stuckProbability: 0.01, stuckMs: [100, 3000] },
      { latencySpikeProbability: 0.1 },
    ] as const)
    machine.simulated.setDisk(faults)
    world.recorder.tell(`the disk of ${machine.name} gets stuck`)
    return () => machine.simulated.setDisk({ stuck: false, stuckProbability: 0, latencySpikeProbability: 0 })
  },
}

/** Reads or writes fail, and say so. The node may give up; it comes back when the disk works again. */
export const failingIo: FaultKind = {
  name: 'failing-io',
  begin: (world, random) => {
    const machine = victim(world, random)
    const excuse = 'failing reads and writes'
    if (machine === undefined || machine.excuses.has(excuse)) return false
    machine.excuses.add(excuse)
    const probability = pick(random, [0.005, 0.05])
    machine.simulated.setDisk(
      random.below(2) === 0 ? { readErrorProbability: probability } : { writeErrorProbability: probability },
    )
    world.recorder.tell(`reads or writes of ${machine.name} fail`)
    return () => {
      world.cluster.crash(machine, 'process-death')
      machine.simulated.setDisk({ readErrorProbability: 0, writeErrorProbability: 0 })
      machine.excuses.delete(excuse)
      world.cluster.start(machine)
    }
  },
}

export const diskFaults: readonly FaultKind[] = [slowDisk, diskFull, failingSyncs, smallDisk, stuckDisk, failingIo]
