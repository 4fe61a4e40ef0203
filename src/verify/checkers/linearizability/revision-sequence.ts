/** The order that revisions tell, where all replies have them: the search then only has to follow it. */
import type { KvEntry } from '../../history/index.ts'
import { type CompiledOperation, stepKind, type Vocabulary } from './compiled-operation.ts'

/**
 * The certain operations by the revision of their replies, a write before the reads that saw it; among them the uncertain
 * operations whose revision some reply shows beside a value that they wrote. Undefined: not all replies have revisions.
 */
export function revisionSequence(
  operations: readonly CompiledOperation[],
  vocabulary: Vocabulary,
): Int32Array | undefined {
  const certain = [...operations.keys()].filter((i) => operations[i]!.certain)
  if (certain.length === 0 || certain.some((i) => operations[i]!.revision < 0)) return undefined
  const ranks = new Map<number, number>()
  for (const i of certain) ranks.set(i, operations[i]!.revision)
  for (const [i, revision] of shownRevisions(operations, certain, vocabulary)) ranks.set(i, revision)
  const isRead = (i: number) => (operations[i]!.certain && operations[i]!.pure ? 1 : 0)
  return Int32Array.from(
    [...ranks.keys()].sort(
      (a, b) =>
        ranks.get(a)! - ranks.get(b)! ||
        isRead(a) - isRead(b) ||
        operations[a]!.invokedMs - operations[b]!.invokedMs ||
        a - b,
    ),
  )
}

/** Uncertain operations by the revision under which their values were seen. */
function shownRevisions(
  operations: readonly CompiledOperation[],
  certain: readonly number[],
  vocabulary: Vocabulary,
): Map<number, number> {
  const claimed = new Set(certain.filter((i) => !operations[i]!.pure).map((i) => operations[i]!.revision))
  const writers = new Map<string, number[]>()
  operations.forEach((operation, i) => {
    if (operation.certain) return
    for (const { kind, keys, value } of [...operation.success, ...operation.failure]) {
      if (kind !== stepKind.put) continue
      const name = `${keys[0]} ${value}`
      const list = writers.get(name)
      if (list === undefined) writers.set(name, [i])
      else list.push(i)
    }
  })
  const shown = new Map<number, number>()
  if (writers.size === 0) return shown
  const explained = new Set<number>()
  for (const i of certain) {
    const { returnedMs, record } = operations[i]!
    for (const entry of entriesShown(record.output)) {
      const { modRevision } = entry
      if (modRevision === undefined || claimed.has(modRevision) || explained.has(modRevision)) continue
      const list = writers.get(`${vocabulary.key(entry.key)} ${vocabulary.value(entry.value)}`) ?? []
      const writer = list.find((each) => !shown.has(each) && operations[each]!.invokedMs <= returnedMs)
      if (writer === undefined) continue
      shown.set(writer, modRevision)
      explained.add(modRevision)
    }
  }
  return shown
}

function entriesShown(output: CompiledOperation['record']['output']): KvEntry[] {
  return [...(output?.entries ?? []), ...(output?.steps ?? []).flatMap((step) => step.entries ?? [])]
}
