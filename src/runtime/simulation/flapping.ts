import type { DelayRangeMs, SimulatedRandom } from './random.ts'
import type { Simulation } from './simulation.ts'

/** Links that go and come. */
export interface FlapOptions {
  /** Pairs of nodes. Both directions between them are cut and healed together. */
  readonly links: readonly (readonly [a: string, b: string])[]
  /** How long they work, each time. */
  readonly upMs: DelayRangeMs
  /** How long they are cut, each time. */
  readonly downMs: DelayRangeMs
}

/** Cuts the links at once, then heals and cuts them in turns. What it returns heals them for good. */
export function flap(simulation: Simulation, random: SimulatedRandom, options: FlapOptions): () => void {
  let ended = false
  const set = (cut: boolean): void => {
    for (const [a, b] of options.links) simulation.setLink(a, b, { cut })
  }
  const turn = (cut: boolean): void => {
    if (ended) return
    set(cut)
    simulation.after(random.delayMs(cut ? options.downMs : options.upMs), () => turn(!cut))
  }
  turn(true)
  return () => {
    if (ended) return
    ended = true
    set(false)
  }
}
