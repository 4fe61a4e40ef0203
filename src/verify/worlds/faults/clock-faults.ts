/** Clocks that jump, and clocks that run fast or slow within the stated bound. */
import { pick } from '../chance.ts'
import type { FaultKind } from './fault.ts'

/** The bound of docs/fault-model.md on how much faster or slower than true time a clock may run. */
export const driftBoundPpm = 5000

/** Clocks that run up to so many millionths too fast or too slow. */
export function drift(boundPpm: number): FaultKind {
  return {
    name: 'clock-drift',
    begin: (world, random) => {
      const machine = pick(random, world.cluster.members)
      const driftPpm = Math.round((2 * random.float() - 1) * boundPpm)
      machine.simulated.setClock({ driftPpm })
      world.recorder.tell(`the clock of ${machine.name} gains ${driftPpm} microseconds a second`)
      return () => machine.simulated.setClock({ driftPpm: 0 })
    },
  }
}

export const clockDrift = drift(driftBoundPpm)

/** The wall clock jumps, by anything up to days, in either direction. */
export const clockSkew: FaultKind = {
  name: 'clock-skew',
  begin: (world, random) => {
    const machine = pick(random, world.cluster.members)
    const skewMs = pick(random, [-1, 1]) * 10 ** (1 + random.below(8))
    machine.simulated.setClock({ skewMs })
    world.recorder.tell(`the wall clock of ${machine.name} jumps by ${skewMs} ms`)
    return () => machine.simulated.setClock({ skewMs: 0 })
  },
}

export const clockFaults: readonly FaultKind[] = [clockDrift, clockSkew]
