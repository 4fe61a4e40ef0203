/** How checkers say what they found. */
import type { HistoryRecord, Verdict } from '../history/index.ts'

export function valid(checked: number): Verdict {
  return { verdict: 'valid', checked }
}

export function invalid(property: string, explanation: string, evidence: readonly HistoryRecord[]): Verdict {
  return { verdict: 'invalid', property, explanation, evidence }
}

/** The records of one type. */
export function recordsOf<T extends HistoryRecord['type']>(
  history: readonly HistoryRecord[],
  type: T,
): Extract<HistoryRecord, { type: T }>[] {
  return history.filter((record): record is Extract<HistoryRecord, { type: T }> => record.type === type)
}

/** Records by what `nameOf` says of them, each group in the order of the history. */
export function groupBy<T, K>(records: Iterable<T>, nameOf: (record: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>()
  for (const record of records) {
    const name = nameOf(record)
    const group = groups.get(name)
    if (group === undefined) groups.set(name, [record])
    else group.push(record)
  }
  return groups
}

/** Records of one observer in the order it saw them. */
export function inSequence<T extends { readonly sequence: number }>(records: readonly T[]): T[] {
  return [...records].sort((a, b) => a.sequence - b.sequence)
}
