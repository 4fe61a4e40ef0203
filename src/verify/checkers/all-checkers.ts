import type { Checker, HistoryRecord, Verdict } from '../history/index.ts'
import { counters } from './counters.ts'
import { uniqueIds } from './ids.ts'
import { leases } from './leases.ts'
import { linearizability } from './linearizability/checker.ts'
import { fencing, lockExclusion } from './locks.ts'
import { queues } from './queues.ts'
import { staleness } from './readings.ts'
import { committedEntries, oneLeader, stateHashes } from './replicas.ts'
import { revisionOrder } from './revisions/checker.ts'
import { serializableReads } from './revisions/serializable-reads.ts'
import { watches } from './watches.ts'

/** Every property that is judged, the cheap and telling ones first. A checker with no records of its kind says `valid`. */
export const allCheckers: readonly Checker[] = [
  oneLeader,
  committedEntries,
  stateHashes,
  fencing,
  lockExclusion,
  leases,
  counters,
  queues,
  uniqueIds,
  staleness,
  revisionOrder,
  watches,
  serializableReads,
  linearizability,
]

export interface HistoryJudgement {
  readonly verdicts: readonly { readonly property: string; readonly verdict: Verdict }[]
  /** `invalid` if one is, else `unknown` if one is. */
  readonly overall: Verdict['verdict']
}

/** Judges a history by `checkers`. Never throws for what the records contain. */
export function checkHistory(
  records: readonly HistoryRecord[],
  checkers: readonly Checker[] = allCheckers,
): HistoryJudgement {
  const verdicts = checkers.map((checker) => ({ property: checker.property, verdict: checker.check(records) }))
  const has = (kind: Verdict['verdict']) => verdicts.some(({ verdict }) => verdict.verdict === kind)
  return { verdicts, overall: has('invalid') ? 'invalid' : has('unknown') ? 'unknown' : 'valid' }
}
