/**
 * Silent damage to files. It stays within the fault model (docs/fault-model.md): only machines that may be damaged, so
 * that of every entry a majority of the copies is sound.
 */
import type { Random } from '../../../runtime/index.ts'
import { pick } from '../chance.ts'
import type { Machine } from '../machine.ts'
import type { FaultKind, FaultWorld } from './fault.ts'

/** One that may be damaged, or is already: more damage to the same machine changes nothing for the others. */
function damageable(world: FaultWorld, random: Random): Machine | undefined {
  const machines = world.cluster.members.filter((machine) => machine.isDamaged || world.cluster.mayDamage(machine))
  return machines.length === 0 ? undefined : pick(random, machines)
}

/** Bits flip at rest. */
export const bitRot: FaultKind = {
  name: 'bit-rot',
  begin: (world, random) => {
    const machine = damageable(world, random)
    if (machine === undefined) return false
    const times = pick(random, [1, 1, 5, 50])
    for (let i = 0; i < times; i++) {
      const damage = machine.simulated.rot({ random })
      if (damage === undefined) return i > 0 ? undefined : false
      world.cluster.noteDamage(machine)
      if (i === 0) world.recorder.tell(`a bit of ${damage.path} on ${machine.name} flips, at ${damage.position}`)
    }
    return undefined
  },
}

/** Writes land elsewhere, and nobody says so. */
export const misdirectedWrites: FaultKind = {
  name: 'misdirected-writes',
  begin: (world, random) => {
    const machine = damageable(world, random)
    if (machine === undefined) return false
    world.cluster.noteDamage(machine)
    machine.simulated.setDisk({ misdirectedWriteProbability: pick(random, [0.002, 0.02]) })
    world.recorder.tell(`writes on ${machine.name} land elsewhere now and then`)
    return () => machine.simulated.setDisk({ misdirectedWriteProbability: 0 })
  },
}

/** Reads return what is elsewhere, and nobody says so. */
export const misdirectedReads: FaultKind = {
  name: 'misdirected-reads',
  begin: (world, random) => {
    const machine = damageable(world, random)
    if (machine === undefined) return false
    world.cluster.noteDamage(machine)
    machine.simulated.setDisk({ misdirectedReadProbability: pick(random, [0.01, 0.1]) })
    world.recorder.tell(`reads on ${machine.name} return what is elsewhere now and then`)
    return () => machine.simulated.setDisk({ misdirectedReadProbability: 0 })
  },
}

export const damageFaults: readonly FaultKind[] = [bitRot, misdirectedWrites, misdirectedReads]
