import type { Plant } from '../plant.ts'

/** What most plants leave at its default. */
export type PlantDraft = Omit<Plant, 'caughtBy'> & Partial<Pick<Plant, 'caughtBy'>>

/** Those that do not say otherwise are caught from outside. */
export function plants(drafts: readonly PlantDraft[]): readonly Plant[] {
  return drafts.map((draft) => ({ caughtBy: 'outside', ...draft }))
}
