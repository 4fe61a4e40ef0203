import { fail } from '../failures.ts'
import type { CompactRequest } from '../messages.ts'
import type { CompactResult, Failure } from '../results.ts'
import type { StateData } from './data.ts'
import type { Observers } from './observers.ts'

/** Forgets history. Before the first compaction, one at revision 0 succeeds and does nothing, as in etcd. */
export function applyCompact(
  { store }: StateData,
  { revision }: CompactRequest,
  observers: Observers,
): CompactResult | Failure {
  if (revision > store.revision) return fail('FUTURE_REVISION')
  const nothingToDo = revision === 0 && store.compactedRevision === 0
  if (revision <= store.compactedRevision && !nothingToDo) return fail('COMPACTED')
  if (!nothingToDo) {
    observers.compacting(revision)
    store.compact(revision)
    observers.compacted(revision)
  }
  return { ok: true, type: 'compact', revision: store.revision }
}
