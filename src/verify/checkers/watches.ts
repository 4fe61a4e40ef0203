/**
 * Watches, each by the messages it received in their order and against what is known to have been written.
 *
 * - X1  Revisions rise; each one comes once, with all its changes in the watched range in one message (several, if they
 *       are marked as fragments).
 * - X2  Nothing between two received revisions is left out, nor anything up to a progress message; a watch created again
 *       goes on where it stood, except past what was compacted.
 * - X3  Every change is what the operation with that revision wrote.
 *
 * Nothing is demanded of the end: what was not delivered when the history ended may have been on its way.
 */
import type { Checker, HistoryRecord, WatchChange, WatchRecord } from '../history/index.ts'
import { describeOperation } from './linearizability/wording.ts'
import { explainGaps } from './revisions/gap-explanation.ts'
import { replay } from './revisions/replay.ts'
import { changeInWords, indexRevisions, type RevisionIndex } from './revisions/revision-index.ts'
import { groupBy, inSequence, invalid, recordsOf, valid } from './verdicts.ts'

const property = 'watch'

/** In order, complete, each revision once and whole, resumed without a gap, nothing invented. */
export const watches: Checker = {
  property,
  check: (history) => {
    const records = recordsOf(history, 'watch')
    if (records.length === 0) return valid(0)
    const index = indexRevisions(history)
    const written = index === undefined ? [] : writtenChanges(index)
    for (const [watcher, messages] of groupBy(records, (record) => record.watcher)) {
      const breach = new WatcherReview(written).review(inSequence(messages))
      if (breach !== undefined) return invalid(property, `Watcher ${watcher} ${breach.what}.`, breach.evidence)
    }
    const breach = index === undefined ? undefined : againstState(index)
    return breach === undefined ? valid(records.length) : invalid(property, breach.explanation, breach.evidence)
  },
}

/** A change that is known to have happened. */
interface WrittenChange {
  readonly revision: number
  readonly key: string
  readonly value: string | null
  /** Who wrote it, or showed it. */
  readonly record: HistoryRecord
  /** False: it is only known since somebody saw it. */
  readonly claimed: boolean
}

function writtenChanges({ claims, seen }: RevisionIndex): WrittenChange[] {
  const written: WrittenChange[] = []
  for (const [revision, { changes, record }] of claims)
    for (const [key, value] of changes) written.push({ revision, key, value, record, claimed: true })
  for (const [revision, changes] of seen) {
    if (claims.has(revision)) continue
    for (const [key, { value, record }] of changes) written.push({ revision, key, value, record, claimed: false })
  }
  return written.sort((a, b) => a.revision - b.revision)
}

/** Versions and creation revisions of the changes, against the state. */
function againstState(index: RevisionIndex) {
  if (index.breach !== undefined) return undefined
  const gaps = explainGaps(index)
  return gaps.outcome === 'explained' ? replay(index, gaps.gaps).watch : undefined
}

interface Breach {
  readonly what: string
  readonly evidence: readonly HistoryRecord[]
}

class WatcherReview {
  private readonly allWritten: readonly WrittenChange[]
  /** Those in the range, and how many of them are past. */
  private written: readonly WrittenChange[] = []
  private past = 0
  private range: { readonly key: string; readonly end: string | undefined } | undefined
  private open = false
  /** All before this revision was delivered, or is not due. */
  private due = 0
  /** The revision that the next message may continue, and what of it came already. */
  private fragmentOf = -1
  private readonly fragmentKeys = new Set<string>()
  private last: WatchRecord | undefined

  constructor(written: readonly WrittenChange[]) {
    this.allWritten = written
  }

  review(messages: readonly WatchRecord[]): Breach | undefined {
    for (const message of messages) {
      const breach = this.step(message)
      if (breach !== undefined) return breach
      this.last = message
    }
    return undefined
  }

  private step(message: WatchRecord): Breach | undefined {
    const { what } = message
    if (what.event === 'created') return this.create(message, what)
    if (what.event === 'closed') {
      this.open = false
      return undefined
    }
    if (!this.open) return this.breach(`got a message of kind "${what.event}" while no watch was open`, message)
    if (what.event === 'events') return this.receive(message, what)
    if (what.event === 'progress') return this.progress(message, what.revision)
    this.open = false
    this.due = Math.max(this.due, what.compactRevision)
    return undefined
  }

  private create(
    message: WatchRecord,
    what: { readonly key: string; readonly end?: string; readonly startRevision: number },
  ): Breach | undefined {
    const resumed = this.range?.key === what.key && this.range.end === what.end
    if (!resumed) {
      this.range = { key: what.key, end: what.end }
      this.written = this.allWritten.filter((change) => this.watches(change.key))
      this.due = what.startRevision
    }
    this.open = true
    const left = this.fragmentOf < what.startRevision ? this.leftOfFragments() : undefined
    const missed = left ?? this.firstWritten(this.due, what.startRevision - 1)
    this.endFragments()
    this.due = what.startRevision
    if (missed === undefined) return undefined
    return this.breach(
      `was resumed at revision ${what.startRevision} and so missed ${describe(missed)}`,
      message,
      missed,
    )
  }

  private receive(
    message: WatchRecord,
    what: { readonly revision: number; readonly changes: readonly WatchChange[]; readonly fragment?: boolean },
  ): Breach | undefined {
    const unordered = what.changes.find((change, i) => change.modRevision < (what.changes[i - 1]?.modRevision ?? 0))
    if (unordered !== undefined)
      return this.breach(`got a message in which revision ${unordered.modRevision} follows a later one`, message)
    const byRevision = groupBy(what.changes, (change) => change.modRevision)
    const revisions = [...byRevision.keys()]
    for (const [position, revision] of revisions.entries()) {
      const changes = byRevision.get(revision)!
      const continued = revision === this.fragmentOf && position === 0
      if (!continued) {
        const left = this.leftOfFragments()
        if (left !== undefined) return this.breach(`never got ${describe(left)}`, message, left)
      }
      if (revision < this.due && !continued)
        return this.breach(`got revision ${revision} when ${this.due} or later was due`, message)
      if (revision > what.revision)
        return this.breach(`got revision ${revision} from a store at revision ${what.revision}`, message)
      const missed = this.firstWritten(this.due, revision - 1)
      if (missed !== undefined)
        return this.breach(`got revision ${revision} without having got ${describe(missed)}`, message, missed)
      const wrong = this.judgeChanges(message, revision, changes, continued)
      if (wrong !== undefined) return wrong
      const isLast = position === revisions.length - 1
      if (!(isLast && what.fragment === true)) {
        const incomplete = this.leftOfFragments()
        if (incomplete !== undefined)
          return this.breach(`got revision ${revision} in parts: without ${describe(incomplete)}`, message, incomplete)
      }
      this.due = revision + 1
    }
    if (what.fragment !== true) this.endFragments()
    return undefined
  }

  /** Notes the keys of `revision` that came, in `fragmentKeys`. */
  private judgeChanges(
    message: WatchRecord,
    revision: number,
    changes: readonly WatchChange[],
    continued: boolean,
  ): Breach | undefined {
    if (!continued) this.endFragments()
    this.fragmentOf = revision
    const written = this.writtenAt(revision)
    const claimedBy = written.find((change) => change.claimed)?.record
    for (const change of changes) {
      const value = change.kind === 'put' ? change.value : null
      const words = changeInWords(change.key, value)
      if (!this.watches(change.key)) return this.breach(`got ${words}, which it does not watch`, message)
      if (this.fragmentKeys.has(change.key))
        return this.breach(`got key ${change.key} twice at revision ${revision}`, message)
      this.fragmentKeys.add(change.key)
      const same = written.find((each) => each.key === change.key)
      if (claimedBy === undefined || (same !== undefined && same.value === value)) continue
      const author = claimedBy.type === 'operation' ? `"${describeOperation(claimedBy)}"` : 'another change'
      return this.breach(`got that revision ${revision} did ${words}, but it was ${author}`, message, {
        record: claimedBy,
      })
    }
    return undefined
  }

  private progress(message: WatchRecord, revision: number): Breach | undefined {
    const missed = this.leftOfFragments() ?? this.firstWritten(this.due, revision)
    if (missed !== undefined)
      return this.breach(
        `was told that nothing is missing up to revision ${revision}, but never got ${describe(missed)}`,
        message,
        missed,
      )
    this.endFragments()
    this.due = Math.max(this.due, revision + 1)
    return undefined
  }

  /** What was written at the revision that is being received and has not come. */
  private leftOfFragments(): WrittenChange | undefined {
    if (this.fragmentOf < 0) return undefined
    return this.writtenAt(this.fragmentOf).find((change) => !this.fragmentKeys.has(change.key))
  }

  private endFragments(): void {
    this.fragmentOf = -1
    this.fragmentKeys.clear()
  }

  private watches(key: string): boolean {
    const { key: from, end } = this.range!
    return end === undefined ? key === from : key >= from && (end === '\0' || key < end)
  }

  /** The first change in the range with a revision between the two, both included. */
  private firstWritten(from: number, to: number): WrittenChange | undefined {
    this.skipTo(from)
    const change = this.written[this.past]
    return change !== undefined && change.revision <= to ? change : undefined
  }

  private writtenAt(revision: number): WrittenChange[] {
    this.skipTo(revision)
    const changes: WrittenChange[] = []
    for (let i = this.past; this.written[i]?.revision === revision; i++) changes.push(this.written[i]!)
    return changes
  }

  private skipTo(revision: number): void {
    while (this.past > 0 && this.written[this.past - 1]!.revision >= revision) this.past--
    while (this.past < this.written.length && this.written[this.past]!.revision < revision) this.past++
  }

  private breach(what: string, message: WatchRecord, about?: { readonly record: HistoryRecord }): Breach {
    const evidence = [about?.record, this.last, message].filter((each) => each !== undefined)
    return { what, evidence: [...new Set(evidence)] }
  }
}

function describe({ revision, key, value, claimed, record }: WrittenChange): string {
  const author = claimed && record.type === 'operation' ? ` ("${describeOperation(record)}")` : ''
  return `revision ${revision}, which did ${changeInWords(key, value)}${author}`
}
