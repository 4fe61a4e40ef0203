/** Runs worlds with one planted bug in them, in this process, until one of them is caught. */
import type { WorldReport } from '../worlds/index.ts'
import { installPlant } from './install.ts'
import type { Plant } from './plant.ts'

export interface PlantReport {
  readonly plant: string
  readonly caught: boolean
  /** The first seed that caught it, or the last one tried. */
  readonly seed: number
  /** What the world that caught it says was violated. */
  readonly property?: string
  readonly explanation?: string
  readonly story?: readonly string[]
  readonly events: number
  readonly wallMs: number
  /** Why the plant could not be run to the end. */
  readonly failure?: string
}

/** Properties that are violated when a node finds fault with itself. All others are judged from what is seen outside. */
const selfMade: readonly string[] = ['invariant', 'node-failure', 'crash']

/** Whether `property` is one that an observer from outside judges. */
export function seenFromOutside(property: string): boolean {
  return !selfMade.includes(property)
}

/**
 * Puts `plant` in and runs the seeds 1 to its `seedsMax`. The modules of the worlds are loaded here, after the plant: a
 * process that has loaded them before cannot plant. One plant a process.
 *
 * A plant that is to be caught from outside is not caught by a node that finds fault with itself.
 */
export async function runPlant(plant: Plant, now: () => number): Promise<PlantReport> {
  const startMs = now()
  const installed = installPlant(plant)
  const { runWorld } = await import('../worlds/index.ts')
  installed.verifyLoaded()
  let events = 0
  for (let seed = 1; seed <= plant.seedsMax; seed++) {
    const report: WorldReport = await runWorld({
      seed,
      scenario: plant.scenario,
      consensus: plant.consensus,
      validate: plant.caughtBy === 'inside',
    })
    events += report.events
    const { property, explanation, story } = report
    if (report.verdict === 'valid' || property === undefined) continue
    if (plant.caughtBy === 'outside' && !seenFromOutside(property)) continue
    const told = { property, ...(explanation && { explanation }), story }
    return { plant: plant.name, caught: true, seed, ...told, events, wallMs: now() - startMs }
  }
  return { plant: plant.name, caught: false, seed: plant.seedsMax, events, wallMs: now() - startMs }
}
