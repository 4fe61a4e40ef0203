import { assert, assertDefined } from '../../base/index.ts'
import type { CoreRestore } from '../replicated-log.ts'
import { type Slot, SlotLog } from './slot-log.ts'
import { type ChosenClaim, decodeRecord } from './slot-record.ts'

export interface RestoredSlots {
  readonly log: SlotLog
  /** Known chosen: the snapshot, and what the log on disk claims beyond it. */
  readonly chosenIndex: number
  readonly chosenAfter: number
}

/**
 * Rebuilds the accepted slots from what a restart found: the records after the snapshot, and the chosen ones before it as far
 * as a claim (see `slot-record.ts`) vouches for them, as a tail for slow members.
 *
 * When the newest snapshot rotted and an older one stands in for it, claims that begin after the older one are void; what
 * was accepted stays accepted, and the rest is learned again.
 */
export function restoreSlots({ snapshot, entries }: CoreRestore): RestoredSlots {
  const records = entries.map((entry) => assertDefined(decodeRecord(entry), 'the log holds records of this algorithm'))
  let claim: ChosenClaim = { chosenAfter: snapshot.index, chosenThrough: snapshot.index }
  for (const record of records) {
    const { chosenAfter, chosenThrough } = record.claim
    if (chosenAfter <= snapshot.index && chosenThrough >= claim.chosenThrough) claim = { chosenAfter, chosenThrough }
  }
  const slots = new Map<number, Slot>(records.map(({ slot }) => [slot.value.index, slot]))
  let chosenIndex = snapshot.index
  while (chosenIndex < claim.chosenThrough && slots.has(chosenIndex + 1)) chosenIndex++
  assert(chosenIndex === claim.chosenThrough, 'the log holds what it claims to be chosen')
  let base = snapshot.index
  while (base > claim.chosenAfter && slots.has(base)) base--
  const kept = records.map(({ slot }) => slot).filter((slot) => slot.value.index > base)
  return { log: new SlotLog(base, kept), chosenIndex, chosenAfter: claim.chosenAfter }
}
