/**
 * Which faults come, in which order, when, and how long they hold: all of it drawn from the seed before the run begins.
 * What the nodes do meanwhile takes real time and is not drawn; so the same seed gives the same faults, not the same run.
 */
import { Prng } from '../../../base/index.ts'
import { type FaultKind, type FaultName, faultKinds, type Lane } from './fault-kinds.ts'

export interface PlannedFault {
  readonly name: FaultName
  readonly lane: Lane
  /** When it begins, in milliseconds after the first one may. A lane that is late goes on at once. */
  readonly atMs: number
  readonly holdMs: number
  /** From which everything else about it is drawn: targets, sides, delays. */
  readonly seed: string
}

export interface PlanOptions {
  readonly seed: string
  readonly durationMs: number
  readonly nodes: number
  readonly faults: readonly FaultName[]
}

/** Pauses between two faults of one lane, in milliseconds. */
const pauses: Readonly<Record<Lane, { readonly min: number; readonly max: number }>> = {
  process: { min: 800, max: 4000 },
  network: { min: 800, max: 4000 },
  control: { min: 2000, max: 8000 },
}
const lanes: readonly Lane[] = ['process', 'network', 'control']

/** All faults of a run, by the time at which they begin. Every fault ends within the duration. */
export function planFaults({ seed, durationMs, nodes, faults }: PlanOptions): PlannedFault[] {
  const planned: PlannedFault[] = []
  for (const lane of lanes) {
    const kinds: FaultKind[] = faultKinds.filter(
      (kind) => kind.lane === lane && faults.includes(kind.name) && nodes >= kind.nodesMin,
    )
    if (kinds.length === 0) continue
    const random = new Prng(`${seed}/faults/${lane}`)
    let number = 0
    for (let atMs = 0; ; ) {
      atMs += between(random, pauses[lane].min, pauses[lane].max)
      const kind = drawWeighted(random, kinds)
      const holdMs = between(random, kind.holdMsMin, kind.holdMsMax)
      const fault = { name: kind.name as FaultName, lane, atMs, holdMs, seed: `${seed}/${lane}/${number++}` }
      if (atMs + holdMs > durationMs) break
      planned.push(fault)
      atMs += holdMs
    }
  }
  return planned.sort((a, b) => a.atMs - b.atMs)
}

/** A whole number from `min` to `max`. */
export function between(random: Prng, min: number, max: number): number {
  return min + random.below(max - min + 1)
}

function drawWeighted(random: Prng, kinds: readonly FaultKind[]): FaultKind {
  let draw = random.below(kinds.reduce((sum, kind) => sum + kind.weight, 0))
  for (const kind of kinds) {
    if (draw < kind.weight) return kind
    draw -= kind.weight
  }
  return kinds[0]!
}
