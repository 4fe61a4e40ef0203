/** Locks: at most one holder at a time, and no resource obeys an earlier holder after a later one. */
import type { Checker, LockRecord } from '../history/index.ts'
import { groupBy, inSequence, invalid, recordsOf, valid } from './verdicts.ts'

/**
 * No two holders of a lock took themselves for its holder at the same time, unless the clock of one of them was outside
 * the stated bound (`outsideBound`); tokens rise from grant to grant and are never given twice. What touches does not
 * overlap. Shared holders overlap one another, and tell the token of the last exclusive holder before them.
 */
export const lockExclusion: Checker = {
  property: 'lock-exclusion',
  check: (history) => {
    const records = recordsOf(history, 'lock')
    for (const [lock, intervals] of groupBy(records, (record) => record.lock)) {
      const exclusive = intervals.filter((each) => each.shared !== true)
      const breach =
        tokenGivenTwice(exclusive) ??
        overlap(exclusive) ??
        tokenOutOfOrder(exclusive) ??
        againstReaders(
          exclusive,
          intervals.filter((each) => each.shared === true),
        )
      if (breach === undefined) continue
      const [what, first, second] = breach
      return invalid('lock-exclusion', `Lock ${lock}: ${what}: ${describe(first)}; ${describe(second)}.`, [
        first,
        second,
      ])
    }
    return valid(records.length)
  },
}

/** What happened, and the two records that show it. */
type Breach = readonly [string, LockRecord, LockRecord]

function describe({ holder, token, fromMs, untilMs }: LockRecord): string {
  return `${holder} held it with token ${token} from ${fromMs} ms ${untilMs === undefined ? 'on' : `to ${untilMs} ms`}`
}

function endOf(record: LockRecord): number {
  return record.untilMs ?? Number.POSITIVE_INFINITY
}

function tokenGivenTwice(intervals: readonly LockRecord[]): Breach | undefined {
  const byToken = new Map<number, LockRecord>()
  for (const interval of intervals) {
    const other = byToken.get(interval.token)
    if (other !== undefined && other.holder !== interval.holder) return ['one token for two holders', other, interval]
    byToken.set(interval.token, interval)
  }
  return undefined
}

function overlap(intervals: readonly LockRecord[]): Breach | undefined {
  // Empty intervals overlap nothing.
  const trusted = intervals
    .filter((each) => each.outsideBound !== true && endOf(each) > each.fromMs)
    .sort((a, b) => a.fromMs - b.fromMs)
  /** Of the intervals that began so far the one that ends last, and the one of other holders that does. */
  let latest: LockRecord | undefined
  let latestOfOthers: LockRecord | undefined
  for (const interval of trusted) {
    const rival = latest?.holder === interval.holder ? latestOfOthers : latest
    if (rival !== undefined && endOf(rival) > interval.fromMs) return ['two holders at a time', rival, interval]
    if (latest !== undefined && latest.holder !== interval.holder) latestOfOthers = latest
    if (latest === undefined || latest.holder !== interval.holder || endOf(interval) > endOf(latest)) latest = interval
  }
  return undefined
}

function tokenOutOfOrder(intervals: readonly LockRecord[]): Breach | undefined {
  const trusted = intervals.filter((each) => each.outsideBound !== true).sort((a, b) => a.fromMs - b.fromMs)
  for (let i = 1; i < trusted.length; i++) {
    const before = trusted[i - 1]!
    const after = trusted[i]!
    if (after.token < before.token && after.fromMs > before.fromMs)
      return ['a later grant has a lower token', before, after]
  }
  return undefined
}

/** Writers and readers: a reader that came after a writer knows its token, one that came before knows none so high. */
function againstReaders(writers: readonly LockRecord[], readers: readonly LockRecord[]): Breach | undefined {
  for (const reader of readers) {
    for (const writer of writers) {
      if (reader.outsideBound === true || writer.outsideBound === true) continue
      const isEmpty = endOf(reader) <= reader.fromMs || endOf(writer) <= writer.fromMs
      if (!isEmpty && reader.fromMs < endOf(writer) && writer.fromMs < endOf(reader))
        return ['a reader beside a writer', writer, reader]
      if (writer.fromMs < reader.fromMs && reader.token < writer.token)
        return ['a reader that does not know of the writer before', writer, reader]
      if (reader.fromMs < writer.fromMs && reader.token >= writer.token)
        return ['a reader that knows a token from after it', reader, writer]
    }
  }
  return undefined
}

/** A resource that accepted a token never accepts a lower one afterwards. Holds whatever clocks do. */
export const fencing: Checker = {
  property: 'fencing',
  check: (history) => {
    const records = recordsOf(history, 'fence')
    for (const [resource, attempts] of groupBy(records, (record) => record.resource)) {
      const accepted = inSequence(attempts.filter((attempt) => attempt.accepted))
      for (let i = 1; i < accepted.length; i++) {
        const before = accepted[i - 1]!
        const after = accepted[i]!
        if (after.token >= before.token) continue
        return invalid(
          'fencing',
          `Resource ${resource} accepted token ${after.token} after it had accepted token ${before.token}.`,
          [before, after],
        )
      }
    }
    return valid(records.length)
  },
}
