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

export const diskFaults: readonly FaultKind[] = [slowDisk, diskFull, failingSyncs]
