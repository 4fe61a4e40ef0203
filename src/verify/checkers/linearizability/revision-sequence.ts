/** The order that revisions tell, where all replies have them: the search then only has to follow it. */
import type { RevisionIndex } from '../revisions/revision-index.ts'
import { absent, type CompiledOperation, stepKind, type Vocabulary } from './compiled-operation.ts'

/**
 * The certain operations by the revision of their replies, a write before the reads that saw it; among them the uncertain
 * operations whose revision is told by what was seen of it. Undefined: not all replies have revisions.
 */
export function revisionSequence(
  operations: readonly CompiledOperation[],
  vocabulary: Vocabulary,
  index: RevisionIndex,
): Int32Array | undefined {
  const certain = [...operations.keys()].filter((i) => operations[i]!.certain)
  if (certain.length === 0 || certain.some((i) => operations[i]!.revision < 0)) return undefined
  const ranks = new Map<number, number>()
  for (const i of certain) ranks.set(i, operations[i]!.revision)
  for (const [i, revision] of shownRevisions(operations, vocabulary, index)) ranks.set(i, revision)
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

/**
 * Uncertain operations by the revision that they made, where what was seen of it (a value, a deletion, a creation) tells
 * one that did just that. Others stay out of the sequence.
 */
function shownRevisions(
  operations: readonly CompiledOperation[],
  vocabulary: Vocabulary,
  { claims, seen, creations }: RevisionIndex,
): Map<number, number> {
  const writers = writersByEffect(operations)
  const shown = new Map<number, number>()
  if (writers.size === 0) return shown
  const assign = (revision: number, effects: readonly string[]): void => {
    const candidates = writers.get(effects[0]!) ?? []
    const writer = candidates.find((i) => !shown.has(i) && effects.every((effect) => writers.get(effect)?.includes(i)))
    if (writer !== undefined) shown.set(writer, revision)
  }
  for (const [revision, changes] of seen) {
    if (claims.has(revision)) continue
    const known = [...changes].filter(([key]) => vocabulary.has(key))
    if (known.length === 0) continue
    assign(
      revision,
      known.map(([key, { value }]) =>
        effectName(vocabulary.key(key), value === null ? absent : vocabulary.value(value)),
      ),
    )
  }
  for (const [revision, key] of creations) {
    if (claims.has(revision) || seen.has(revision) || !vocabulary.has(key)) continue
    assign(revision, [effectName(vocabulary.key(key), 'any')])
  }
  return shown
}

function effectName(key: number, value: number | 'any'): string {
  return `${key} ${value}`
}

/** Uncertain operations by each change that they can make. */
function writersByEffect(operations: readonly CompiledOperation[]): Map<string, number[]> {
  const writers = new Map<string, number[]>()
  const add = (name: string, i: number): void => {
    const list = writers.get(name)
    if (list === undefined) writers.set(name, [i])
    else if (list.at(-1) !== i) list.push(i)
  }
  operations.forEach((operation, i) => {
    if (operation.certain) return
    for (const { kind, keys, value } of [...operation.success, ...operation.failure]) {
      if (kind === stepKind.put) {
        add(effectName(keys[0]!, value), i)
        add(effectName(keys[0]!, 'any'), i)
      } else if (kind === stepKind.delete) add(effectName(keys[0]!, absent), i)
    }
  })
  return writers
}
