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
  /** The safety phase. Whatever it leaves behind is healed afterwards. */
  readonly attack: (world: World) => Promise<void>
}
