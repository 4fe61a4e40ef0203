/**
 * Near copies: a copy holds at least what was acknowledged before the moment as of which it claims to be current, nothing
 * that was not published yet, and never goes back.
 */
import type { Checker, HistoryRecord, PublishedRecord, ReadingRecord } from '../history/index.ts'
import { groupBy, inSequence, invalid, recordsOf, valid } from './verdicts.ts'

const property = 'staleness'

type Breach = readonly [what: string, ...evidence: HistoryRecord[]]

export const staleness: Checker = {
  property,
  check: (history) => {
    const readings = recordsOf(history, 'reading')
    const published = groupBy(recordsOf(history, 'published'), ({ subject }) => subject)
    for (const [reader, records] of groupBy(readings, (record) => record.reader)) {
      const breach = review(inSequence(records), published)
      if (breach === undefined) continue
      const [what, ...evidence] = breach
      return invalid(property, `${reader} ${what}.`, evidence)
    }
    return valid(readings.length)
  },
}

function review(
  records: readonly ReadingRecord[],
  published: ReadonlyMap<string, readonly PublishedRecord[]>,
): Breach | undefined {
  let before: ReadingRecord | undefined
  for (const record of records) {
    const byPublisher = groupBy(published.get(record.subject) ?? [], ({ publisher }) => publisher)
    for (const [publisher, versions] of byPublisher) {
      const shown = record.versions[publisher] ?? 0
      const past = before?.versions[publisher] ?? 0
      if (before !== undefined && shown < past)
        return [`went back from version ${past} of ${publisher} to ${shown}`, before, record]
      const due = lastOf(versions, ({ outcome, returnedMs }) => outcome === 'ok' && returnedMs! < record.asOfMs)
      if (due !== undefined && shown < due.version)
        return [
          `showed version ${shown} of ${publisher} at ${Math.round(record.atMs)} ms as current since ${Math.round(record.asOfMs)} ms, but version ${due.version} was acknowledged at ${Math.round(due.returnedMs!)} ms`,
          due,
          record,
        ]
      const newest = lastOf(versions, ({ invokedMs, outcome }) => outcome !== 'failed' && invokedMs <= record.atMs)
      if (shown > (newest?.version ?? 0))
        return [`showed version ${shown} of ${publisher}, which nobody had published for certain or perhaps`, record]
    }
    before = record
  }
  return undefined
}

/** The one with the highest version. */
function lastOf(
  versions: readonly PublishedRecord[],
  counts: (record: PublishedRecord) => boolean,
): PublishedRecord | undefined {
  let last: PublishedRecord | undefined
  for (const each of versions) if (counts(each) && (last === undefined || each.version > last.version)) last = each
  return last
}
