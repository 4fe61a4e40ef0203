/** What holds between the nodes of a cluster, seen from inside. */
import type { Checker, HistoryRecord } from '../history/index.ts'
import { invalid, recordsOf, valid } from './verdicts.ts'

/** Two records of one name must agree; the first two that do not are returned. */
function disagreement<T extends HistoryRecord>(
  records: readonly T[],
  nameOf: (record: T) => number,
  contentOf: (record: T) => string,
): readonly [T, T] | undefined {
  const first = new Map<number, T>()
  for (const record of records) {
    const known = first.get(nameOf(record))
    if (known === undefined) first.set(nameOf(record), record)
    else if (contentOf(known) !== contentOf(record)) return [known, record]
  }
  return undefined
}

/** All nodes have the same state at the same index. */
export const stateHashes: Checker = {
  property: 'state-hash',
  check: (history) => {
    const records = recordsOf(history, 'stateHash')
    const pair = disagreement(
      records,
      (record) => record.at,
      (record) => record.hash,
    )
    if (pair === undefined) return valid(records.length)
    const [a, b] = pair
    return invalid(
      'state-hash',
      `At ${a.at} the state of ${a.node} hashes to ${a.hash}, that of ${b.node} to ${b.hash}.`,
      pair,
    )
  },
}

/** What was applied at an index is the same on every node and in every life of a node, for ever. */
export const committedEntries: Checker = {
  property: 'committed-entries',
  check: (history) => {
    const records = recordsOf(history, 'applied')
    // Not the term: Multi-Paxos may choose the same value again in a later one.
    const pair = disagreement(
      records,
      (record) => record.index,
      (record) => record.hash,
    )
    if (pair === undefined) return valid(records.length)
    const [a, b] = pair
    return invalid(
      'committed-entries',
      `At index ${a.index} ${a.node} applied entry ${a.hash} of term ${a.term}, ${b.node} entry ${b.hash} of term ${b.term}.`,
      pair,
    )
  },
}

/** A term (a ballot round, in Multi-Paxos) has at most one leader. */
export const oneLeader: Checker = {
  property: 'one-leader',
  check: (history) => {
    const records = recordsOf(history, 'leader')
    const pair = disagreement(
      records,
      (record) => record.term,
      (record) => record.node,
    )
    if (pair === undefined) return valid(records.length)
    const [a, b] = pair
    return invalid(
      'one-leader',
      `${a.node} led in term ${a.term} at ${a.atMs} ms, and so did ${b.node} at ${b.atMs} ms.`,
      pair,
    )
  },
}
