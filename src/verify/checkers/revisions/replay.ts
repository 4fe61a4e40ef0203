/**
 * Carries out all writes by revision and compares every reply with the state that it claims to show.
 *
 * Where a revision was made by an operation of unknown outcome and nobody saw which, the keys that it may have changed are
 * unknown from there on, until a reply or a write tells: what is unknown is not judged. So a breach found here is one.
 */
import type { HistoryRecord, KvEntry, KvStep, OperationRecord, WatchRecord } from '../../history/index.ts'
import { describeOperation } from '../linearizability/wording.ts'
import type { Gap } from './gap-explanation.ts'
import { contradiction, KeyStates } from './key-states.ts'
import type { Breach, Claim, RevisionIndex } from './revision-index.ts'

/** The first breach of each kind. */
export interface ReplayBreaches {
  operation?: Breach
  staleRead?: Breach
  watch?: Breach
}

interface Look {
  readonly kind: keyof ReplayBreaches
  readonly record: OperationRecord | WatchRecord
}

export function replay(index: RevisionIndex, gaps: ReadonlyMap<number, Gap>): ReplayBreaches {
  return new Replay(index, gaps).run()
}

class Replay {
  private readonly index: RevisionIndex
  private readonly gaps: ReadonlyMap<number, Gap>
  private readonly states: KeyStates
  private readonly breaches: ReplayBreaches = {}
  private revision: number

  constructor(index: RevisionIndex, gaps: ReadonlyMap<number, Gap>) {
    this.index = index
    this.gaps = gaps
    this.revision = index.start.revision
    this.states = new KeyStates(index.start.entries ?? [])
  }

  run(): ReplayBreaches {
    const looks = looksByRevision(this.index)
    for (; this.revision <= this.index.revisionMax; this.revision++) {
      if (this.revision > this.index.start.revision) this.makeRevision()
      for (const look of looks.get(this.revision) ?? []) this.judge(look)
    }
    return this.breaches
  }

  private makeRevision(): void {
    const claim = this.index.claims.get(this.revision)
    if (claim !== undefined) this.carryOut(claim)
    else this.fill(this.gaps.get(this.revision)!)
  }

  /** A certain write: its condition, what its steps saw, then its changes. */
  private carryOut({ record, changes }: Claim): void {
    this.judgeCondition(record)
    const { input, output } = record
    if (input.op === 'delete') this.judgeDelete(record, input.key, output?.deleted)
    if (input.op === 'txn') this.judgeSteps(record, takenBranch(record), true)
    for (const [key, value] of changes) this.states.write(key, value, this.revision)
  }

  private fill({ seen, candidates }: Gap): void {
    for (const { possible } of candidates)
      for (const changes of possible) for (const key of changes.keys()) if (!seen.has(key)) this.states.forget(key)
    for (const [key, { value }] of seen) this.states.write(key, value, this.revision)
  }

  private judge({ kind, record }: Look): void {
    if (record.type === 'watch') return this.judgeWatch(record)
    const { input, output } = record
    if (!this.index.claims.has(this.revision) || this.index.claims.get(this.revision)!.record !== record) {
      this.judgeCondition(record)
      if (input.op === 'delete') this.judgeDelete(record, input.key, output?.deleted)
      if (input.op === 'txn') this.judgeSteps(record, takenBranch(record), false)
    }
    if (input.op === 'get' && output?.entries !== undefined)
      this.judgeKey(kind, record, input.key, output.entries.find((entry) => entry.key === input.key) ?? 'absent')
    if (input.op === 'range' && output?.entries !== undefined)
      this.judgeRange(kind, record, input.key, input.end, output.entries)
  }

  private judgeCondition(record: OperationRecord): void {
    const { input, output } = record
    if (output?.succeeded === undefined || (input.op !== 'cas' && input.op !== 'txn')) return
    const results =
      input.op === 'txn'
        ? input.compares.map((compare) => this.states.holds(compare))
        : [this.states.holds(casCompare(input.key, input.expected))]
    const held = results.includes(false) ? false : results.includes(undefined) ? undefined : true
    if (held !== undefined && held !== output.succeeded)
      this.report('operation', record, `its condition ${held ? 'held' : 'did not hold'}`)
  }

  private judgeSteps(record: OperationRecord, steps: readonly KvStep[], wrote: boolean): void {
    // Within one transaction earlier steps are seen by later ones; etcd allows each key to be written once.
    const written = new Set<string>()
    for (const [position, step] of steps.entries()) {
      const output = record.output?.steps?.[position]
      if (step.op !== 'get') {
        if (step.op === 'delete' && !written.has(step.key)) this.judgeDelete(record, step.key, output?.deleted)
        written.add(step.key)
      } else if (output?.entries !== undefined && !(wrote && written.has(step.key)))
        this.judgeKey('operation', record, step.key, output.entries[0] ?? 'absent')
    }
  }

  private judgeDelete(record: OperationRecord, key: string, deleted: number | undefined): void {
    const state = this.states.get(key)
    if (deleted === undefined || state === undefined || (state !== 'absent') === deleted > 0) return
    this.report('operation', record, `${key} was ${state === 'absent' ? 'absent' : 'there'} before it`)
  }

  private judgeRange(
    kind: keyof ReplayBreaches,
    record: OperationRecord,
    from: string,
    end: string,
    entries: readonly KvEntry[],
  ): void {
    const byKey = new Map(entries.map((entry) => [entry.key, entry]))
    const within = (key: string) => key >= from && (end === '\0' || key < end)
    for (const key of this.states.keys()) if (within(key) && !byKey.has(key)) this.judgeKey(kind, record, key, 'absent')
    for (const entry of entries) {
      if (within(entry.key)) this.judgeKey(kind, record, entry.key, entry)
      else this.report(kind, record, `${entry.key} is outside the range`)
    }
  }

  private judgeWatch(record: WatchRecord): void {
    if (record.what.event !== 'events') return
    for (const change of record.what.changes) {
      if (change.modRevision !== this.revision) continue
      if (change.kind === 'delete') this.judgeKey('watch', record, change.key, 'absent')
      else {
        const { key, value, modRevision, createRevision, version } = change
        this.judgeKey('watch', record, key, { key, value, modRevision, createRevision, version })
      }
    }
  }

  private judgeKey(
    kind: keyof ReplayBreaches,
    record: OperationRecord | WatchRecord,
    key: string,
    seen: 'absent' | KvEntry,
  ): void {
    const found = contradiction(key, seen, this.states.get(key))
    if (found === undefined) this.states.learn(key, seen)
    else this.report(kind, record, found, this.index.claims.get(this.lastRevisionOf(key))?.record)
  }

  private lastRevisionOf(key: string): number {
    const state = this.states.get(key)
    return typeof state === 'object' ? (state.modRevision ?? -1) : -1
  }

  private report(
    kind: keyof ReplayBreaches,
    record: OperationRecord | WatchRecord,
    what: string,
    writer?: HistoryRecord,
  ): void {
    const who =
      record.type === 'watch' ? `Watcher ${record.watcher}` : `"${describeOperation(record)}" of ${record.client}`
    this.breaches[kind] ??= {
      explanation: `${who}: by the operations before it, at revision ${this.revision} ${what}.`,
      evidence: writer === undefined || writer === record ? [record] : [writer, record],
    }
  }
}

function looksByRevision({ operations, staleReads, watchEvents }: RevisionIndex): Map<number, Look[]> {
  const looks = new Map<number, Look[]>()
  const add = (revision: number, look: Look) => {
    const others = looks.get(revision)
    if (others === undefined) looks.set(revision, [look])
    else others.push(look)
  }
  // Watches first: they tell most of a state.
  for (const record of watchEvents) {
    if (record.what.event !== 'events') continue
    for (const revision of new Set(record.what.changes.map((change) => change.modRevision)))
      add(revision, { kind: 'watch', record })
  }
  for (const record of operations) add(record.output!.revision!, { kind: 'operation', record })
  for (const record of staleReads) add(record.output!.revision!, { kind: 'staleRead', record })
  return looks
}

function takenBranch({ input, output }: OperationRecord): readonly KvStep[] {
  if (input.op !== 'txn') return []
  if (input.compares.length === 0 || output?.succeeded === true) return input.success
  return output?.succeeded === false ? input.failure : []
}

function casCompare(key: string, expected: string | null) {
  return expected === null
    ? ({ key, target: 'version', relation: '=', operand: 0 } as const)
    : ({ key, target: 'value', relation: '=', operand: expected } as const)
}
