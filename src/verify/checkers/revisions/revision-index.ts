/**
 * A history by revisions: who made each one, what was seen of it, and who may have made those that nobody claims.
 *
 * - V1  Every successful write has a revision of its own, told in its reply; replies of reads tell the revision of the
 *       state they show.
 * - V2  A revision that nobody claims was made by an operation of unknown outcome or by the end of a lease, each at most
 *       once.
 */
import type {
  HistoryRecord,
  KvEntry,
  LeaseRecord,
  OperationRecord,
  StartRecord,
  UnrecordedRecord,
  WatchRecord,
} from '../../history/index.ts'
import { describeOperation, quote } from '../linearizability/wording.ts'
import { groupBy, recordsOf } from '../verdicts.ts'
import { type Changes, changesOf, possibleChanges } from './effects.ts'
import { revisionFloors, type Sighting } from './revision-floors.ts'

export interface Breach {
  readonly explanation: string
  readonly evidence: readonly HistoryRecord[]
}

export interface Claim {
  readonly record: OperationRecord
  readonly changes: Changes
}

/** A change that somebody saw: by an entry's modRevision, or by a watch. */
export interface SeenChange {
  readonly value: string | null
  readonly record: HistoryRecord
}

/** Who may have made a revision that nobody claims. */
export interface Explainer {
  readonly record: HistoryRecord
  /** It came after this revision. */
  readonly floor: number
  /** The ways in which it may have changed keys. */
  readonly possible: readonly Changes[]
  /** The end of a lease: it deleted some of these keys, and no others. */
  readonly isLeaseEnd: boolean
}

export interface RevisionIndex {
  readonly start: StartRecord
  /** Certain operations whose replies tell a revision; stale reads are not among them. */
  readonly operations: readonly OperationRecord[]
  readonly staleReads: readonly OperationRecord[]
  readonly watchEvents: readonly WatchRecord[]
  readonly claims: ReadonlyMap<number, Claim>
  readonly seen: ReadonlyMap<number, ReadonlyMap<string, SeenChange>>
  /** Revisions at which a key was created, as its entry tells. */
  readonly creations: ReadonlyMap<number, string>
  readonly explainers: readonly Explainer[]
  readonly floors: ReadonlyMap<OperationRecord, Sighting>
  readonly revisionMax: number
  /** Keys whose writes were not all recorded. */
  readonly unrecorded: readonly UnrecordedRecord[]
  /** The first contradiction met while it was built. */
  readonly breach: Breach | undefined
}

const startDefault: StartRecord = { type: 'start', revision: 1 }

/** Undefined: the history tells no revisions. */
export function indexRevisions(history: readonly HistoryRecord[]): RevisionIndex | undefined {
  const all = recordsOf(history, 'operation').filter((record) => record.outcome !== 'failed')
  const told = all.filter((record) => record.outcome === 'ok' && record.output?.revision !== undefined)
  const watchEvents = recordsOf(history, 'watch').filter((record) => record.what.event === 'events')
  if (told.length === 0 && watchEvents.length === 0) return undefined
  const builder = new IndexBuilder(recordsOf(history, 'start')[0] ?? startDefault)
  const floors = revisionFloors(
    all.filter((record) => record.serializable !== true),
    sightingsOf(told, watchEvents),
  )
  for (const record of all) builder.addOperation(record, floors.get(record)?.revision ?? 0)
  for (const record of watchEvents) builder.addWatch(record)
  for (const record of leaseEnds(recordsOf(history, 'lease'))) builder.explainers.push(record)
  return {
    start: builder.start,
    operations: told.filter((record) => record.serializable !== true),
    staleReads: told.filter((record) => record.serializable === true),
    watchEvents,
    claims: builder.claims,
    seen: builder.seen,
    creations: builder.creations,
    explainers: builder.explainers,
    floors,
    revisionMax: builder.revisionMax,
    unrecorded: recordsOf(history, 'unrecorded'),
    breach: builder.breach,
  }
}

function sightingsOf(operations: readonly OperationRecord[], watches: readonly WatchRecord[]): Sighting[] {
  const sightings: Sighting[] = []
  for (const record of operations)
    if (record.returnedMs !== undefined)
      sightings.push({ revision: record.output!.revision!, atMs: record.returnedMs, record })
  for (const record of watches) {
    if (record.what.event !== 'events') continue
    const revision = Math.max(record.what.revision, ...record.what.changes.map((change) => change.modRevision))
    sightings.push({ revision, atMs: record.atMs, record })
  }
  return sightings
}

class IndexBuilder {
  readonly start: StartRecord
  readonly claims = new Map<number, Claim>()
  readonly seen = new Map<number, Map<string, SeenChange>>()
  readonly creations = new Map<number, string>()
  readonly explainers: Explainer[] = []
  revisionMax: number
  breach: Breach | undefined

  constructor(start: StartRecord) {
    this.start = start
    this.revisionMax = start.revision
  }

  addOperation(record: OperationRecord, floor: number): void {
    const changes = record.outcome === 'ok' ? changesOf(record) : undefined
    const revision = record.outcome === 'ok' ? record.output?.revision : undefined
    if (changes === undefined || (changes.size > 0 && revision === undefined)) {
      const possible = possibleChanges(record)
      if (possible.length > 0) this.explainers.push({ record, floor, possible, isLeaseEnd: false })
    } else if (changes.size > 0) this.claim(revision!, { record, changes })
    if (revision !== undefined) this.noteRevision(revision)
    if (record.outcome !== 'ok') return
    for (const entry of entriesOf(record)) this.see(entry, record)
  }

  addWatch(record: WatchRecord): void {
    if (record.what.event !== 'events') return
    this.noteRevision(record.what.revision)
    for (const { kind, key, value, modRevision } of record.what.changes) {
      this.noteRevision(modRevision)
      this.seeChange(modRevision, key, kind === 'put' ? value : null, record)
    }
  }

  private claim(revision: number, claim: Claim): void {
    const other = this.claims.get(revision)
    if (other === undefined) this.claims.set(revision, claim)
    else
      this.breach ??= {
        explanation: `Two writes were told the same revision ${revision}: ${describeOperation(other.record)}; ${describeOperation(claim.record)}.`,
        evidence: [other.record, claim.record],
      }
  }

  private see(entry: KvEntry, record: OperationRecord): void {
    if (entry.createRevision !== undefined && entry.createRevision > this.start.revision)
      this.creations.set(entry.createRevision, entry.key)
    if (entry.modRevision === undefined) return
    this.noteRevision(entry.modRevision)
    // What was there before is judged with the state, in the replay.
    if (entry.modRevision > this.start.revision) this.seeChange(entry.modRevision, entry.key, entry.value, record)
  }

  private seeChange(revision: number, key: string, value: string | null, record: HistoryRecord): void {
    let changes = this.seen.get(revision)
    if (changes === undefined) this.seen.set(revision, (changes = new Map()))
    const other = changes.get(key)
    if (other === undefined) changes.set(key, { value, record })
    else if (other.value !== value)
      this.breach ??= {
        explanation: `Revision ${revision} was seen to ${changeInWords(key, other.value)} and to ${changeInWords(key, value)}.`,
        evidence: [other.record, record],
      }
  }

  private noteRevision(revision: number): void {
    if (revision > this.revisionMax) this.revisionMax = revision
  }
}

export function changeInWords(key: string, value: string | null): string {
  return value === null ? `delete ${key}` : `set ${key} to ${quote(value)}`
}

/** All entries that a reply shows. */
export function entriesOf({ output }: OperationRecord): KvEntry[] {
  return [...(output?.entries ?? []), ...(output?.steps ?? []).flatMap((step) => step.entries ?? [])]
}

/** The end of each lease deletes its keys at one revision. */
function leaseEnds(records: readonly LeaseRecord[]): Explainer[] {
  return [...groupBy(records, (record) => record.lease).values()].flatMap((events) => {
    const keys = events.flatMap(({ what }) =>
      what.event === 'attached' ? [what.key] : what.event === 'keys' ? [...what.keys] : [],
    )
    const possible = [new Map(keys.map((key) => [key, null] as const))]
    const lives = Math.max(1, events.filter(({ what }) => what.event === 'granted').length)
    return Array.from({ length: lives }, () => ({ record: events[0]!, floor: 0, possible, isLeaseEnd: true }))
  })
}
