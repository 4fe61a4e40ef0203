/**
 * Begins and ends faults at random. A world draws which kinds there are at all (swarm testing: Groce et al., 2012): a
 * world without partitions reaches depths of crashes that a world with everything never sees.
 */
import type { Random } from '../../../runtime/index.ts'
import { exponential, pick } from '../chance.ts'
import type { EndFault, FaultKind, FaultWorld } from './fault.ts'

export interface NemesisPlan {
  readonly kinds: readonly FaultKind[]
  /** Between two beginnings, on average. */
  readonly gapMs: number
  /** How long a fault lasts, on average. */
  readonly lastsMs: number
  /** How many may last at once. */
  readonly activeMax: number
}

/** Draws a subset of `kinds` and a temper. */
export function drawPlan(random: Random, kinds: readonly FaultKind[]): NemesisPlan {
  const share = pick(random, [0.15, 0.35, 0.7, 1])
  const drawn = kinds.filter(() => random.float() < share)
  return {
    kinds: drawn.length > 0 ? drawn : [pick(random, kinds)],
    gapMs: pick(random, [150, 500, 1500, 4000]),
    lastsMs: pick(random, [200, 800, 2500, 6000]),
    activeMax: pick(random, [1, 2, 3, 5]),
  }
}

export class Nemesis {
  private readonly world: FaultWorld
  private readonly random: Random
  private readonly plan: NemesisPlan
  private readonly active = new Set<EndFault>()
  private stopped = false

  constructor(world: FaultWorld, random: Random, plan: NemesisPlan) {
    this.world = world
    this.random = random
    this.plan = plan
  }

  start(): void {
    this.world.simulation.after(exponential(this.random, this.plan.gapMs), () => {
      if (this.stopped) return
      if (this.active.size < this.plan.activeMax) this.begin(pick(this.random, this.plan.kinds))
      this.start()
    })
  }

  /** Begins nothing more, and ends all that lasts. */
  stop(): void {
    this.stopped = true
    for (const end of [...this.active]) end()
  }

  begin(kind: FaultKind): boolean {
    const ending = kind.begin(this.world, this.random)
    if (ending === false) return false
    this.world.recorder.countFault(kind.name)
    if (ending === undefined) return true
    const end = (): void => {
      if (!this.active.delete(end)) return
      this.world.recorder.tell(`${kind.name} is over`)
      ending()
    }
    this.active.add(end)
    this.world.simulation.after(exponential(this.random, this.plan.lastsMs), end)
    return true
  }
}
