import type { Plant } from '../plant.ts'

/** What most plants leave at its default. */
export type PlantDraft = Omit<Plant, 'scenario' | 'seedsMax' | 'caughtBy'> &
  Partial<Pick<Plant, 'scenario' | 'seedsMax' | 'caughtBy'>>

/** Fills in the random world, 20 seeds, and the outside checkers. */
export function plants(drafts: readonly PlantDraft[]): readonly Plant[] {
  return drafts.map((draft) => ({ scenario: 'swarm', seedsMax: 20, caughtBy: 'outside', ...draft }))
}
