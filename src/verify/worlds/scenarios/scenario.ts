import type { NemesisPlan } from '../faults/nemesis.ts'
import type { LoadShape } from '../load/load.ts'
import type { ProgramShape } from '../programs/index.ts'
import type { NodeSettings } from '../settings.ts'
import type { World } from '../world.ts'

/** A kind of world: who lives in it, and what befalls them. */
export interface Scenario {
  /** Kebab-case, for `synod sim --scenario NAME`. */
  readonly name: string
  /** A line for `--list`. */
  readonly about: string
  /** How many members found the cluster. Default: drawn. */
  readonly nodes?: number
  /** The length of the attack, in simulated milliseconds. Default 20 s. */
  readonly durationMs?: number
  /** Changes what was drawn. */
  readonly settings?: (drawn: NodeSettings) => NodeSettings
  /** Changes the clients that were drawn. */
  readonly load?: Partial<LoadShape>
  /** Machines with programs that use the client: what is not said is drawn. Default: none. */
  readonly programs?: Partial<ProgramShape>
  /**
   * What befalls this world is more than the fault model allows: nothing is demanded of its progress, only that nobody ever
   * gets a wrong answer and that nodes that stop say why.
   */
  readonly outsideModel?: boolean
  /** How far clocks may drift here, in millionths. Default: the stated bound. */
  readonly driftPpm?: number
  /** The safety phase. Whatever it leaves behind is healed afterwards. */
  readonly attack: (world: World) => Promise<void>
}

/** A scenario in which a nemesis does one thing, or few, again and again. */
export function onlyFaults(
  name: string,
  about: string,
  plan: NemesisPlan,
  more: Omit<Partial<Scenario>, 'name' | 'about' | 'attack'> = {},
): Scenario {
  return {
    name,
    about,
    ...more,
    attack: async (world) => {
      await world.pass(500 + world.random.below(1000))
      world.unleash(plan)
      await world.pass(world.durationMs)
    },
  }
}
