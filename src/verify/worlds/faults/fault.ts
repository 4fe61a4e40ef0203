/** What a kind of fault is to the nemesis and to scenarios. */
import type { Random } from '../../../runtime/index.ts'
import type { Simulation } from '../../../runtime/simulation/index.ts'
import type { Cluster } from '../cluster.ts'
import type { Machine } from '../machine.ts'
import type { ClientMachine } from '../programs/index.ts'
import type { Recorder } from '../recorder.ts'
import type { LinkRules } from './link-rules.ts'

/** What faults act on. */
export interface FaultWorld {
  readonly simulation: Simulation
  readonly cluster: Cluster
  /** The machines of programs; few, or none. */
  readonly clients: readonly ClientMachine[]
  readonly links: LinkRules
  readonly recorder: Recorder
}

/** Ends a fault. Does nothing the second time. */
export type EndFault = () => void

export interface FaultKind {
  /** Kebab-case: reports count by it. */
  readonly name: string
  /**
   * Begins one, at random. Returns how it ends, or undefined when it is over at once; `false` when it cannot begin now,
   * and then it has drawn nothing that matters.
   */
  readonly begin: (world: FaultWorld, random: Random) => EndFault | undefined | false
}

/** The machine that leads, or, now and then and when nobody does, any other that is alive. */
export function victim(world: FaultWorld, random: Random): Machine | undefined {
  const { leader, alive } = world.cluster
  if (leader !== undefined && random.below(2) === 0) return leader
  return alive.length === 0 ? undefined : alive[random.below(alive.length)]
}
