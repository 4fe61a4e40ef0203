import { assert, assertDefined, emptyBytes } from '../../base/index.ts'
import type { CoreRestore, Entry } from '../replicated-log.ts'

/**
 * The window of the log held in memory: the entries after a base position. Owned by `RaftState`; entries before the
 * base are in a snapshot.
 *
 * Invariants:
 * - I1  Entry i of the window has index `baseIndex + 1 + i`.
 * - I2  Terms never fall from the base to the last entry.
 * - I3  `bytes` is the sum of `entryBytes` over the window.
 */
export class RaftLog {
  private window: Entry[]
  /** The position just before the window: (0, 0), or one that a snapshot covers. */
  private baseIndex: number
  private baseTerm: number
  private sizeBytes = 0
  /** `validate` has seen the window up to here, of so many bytes; lowered when entries go. */
  private validatedIndex: number
  private validatedBytes = 0

  constructor(baseIndex: number, baseTerm: number, entries: readonly Entry[]) {
    this.baseIndex = baseIndex
    this.baseTerm = baseTerm
    this.window = entries.slice()
    for (const entry of entries) this.sizeBytes += entryBytes(entry)
    this.validatedIndex = baseIndex
  }

  /** The first index held; `lastIndex + 1` when the window is empty. */
  get firstIndex(): number {
    return this.baseIndex + 1
  }

  get lastIndex(): number {
    return this.baseIndex + this.window.length
  }

  get lastTerm(): number {
    const last = this.window[this.window.length - 1]
    return last === undefined ? this.baseTerm : last.term
  }

  /** Memory the entries are accounted for: payloads and a fixed overhead each. */
  get bytes(): number {
    return this.sizeBytes
  }

  /** The term at `index`; undefined outside the window, except for the position just before it. */
  termAt(index: number): number | undefined {
    if (index === this.baseIndex) return this.baseTerm
    return this.window[index - this.baseIndex - 1]?.term
  }

  entryAt(index: number): Entry {
    return assertDefined(this.window[index - this.baseIndex - 1], 'the entry is in the window')
  }

  /** The entries from `fromIndex` to `toIndex`, both included. */
  slice(fromIndex: number, toIndex: number): readonly Entry[] {
    assert(fromIndex > this.baseIndex, 'the slice starts in the window')
    assert(toIndex <= this.lastIndex, 'the slice ends in the window')
    return this.window.slice(fromIndex - this.baseIndex - 1, toIndex - this.baseIndex)
  }

  /** As many entries from `fromIndex` as fit `maxBytes`, and at least one if there is any. */
  batch(fromIndex: number, maxBytes: number): readonly Entry[] {
    assert(fromIndex > this.baseIndex, 'the batch starts in the window')
    const start = fromIndex - this.baseIndex - 1
    let end = start
    let batchBytes = 0
    while (end < this.window.length) {
      batchBytes += entryBytes(this.window[end] as Entry)
      if (batchBytes > maxBytes && end > start) break
      end++
    }
    return this.window.slice(start, end)
  }

  append(entries: readonly Entry[]): void {
    for (const entry of entries) {
      assert(entry.index === this.baseIndex + this.window.length + 1, 'entries are appended without gaps (I1)')
      this.window.push(entry)
      this.sizeBytes += entryBytes(entry)
    }
  }

  /** Drops `index` and everything after it. */
  truncateFrom(index: number): void {
    assert(index > this.baseIndex, 'truncation stays in the window')
    const keep = index - this.baseIndex - 1
    for (let i = keep; i < this.window.length; i++) this.sizeBytes -= entryBytes(this.window[i] as Entry)
    this.window.length = Math.min(keep, this.window.length)
    this.forgetValidation()
  }

  /** Drops everything up to `index`. */
  compactTo(index: number): void {
    if (index <= this.baseIndex) return
    assert(index <= this.lastIndex, 'compaction stays in the window')
    this.baseTerm = this.entryAt(index).term
    const dropped = this.window.splice(0, index - this.baseIndex)
    for (const entry of dropped) this.sizeBytes -= entryBytes(entry)
    this.baseIndex = index
    this.forgetValidation()
  }

  /** Drops everything and goes on after (`index`, `term`). */
  reset(index: number, term: number): void {
    this.window = []
    this.sizeBytes = 0
    this.baseIndex = index
    this.baseTerm = term
    this.forgetValidation()
  }

  /** Raft §5.4.1: whether a log that ends with (`index`, `term`) is at least as up-to-date as this one. */
  isUpToDate(index: number, term: number): boolean {
    return term > this.lastTerm || (term === this.lastTerm && index >= this.lastIndex)
  }

  /**
   * The highest position at or before `index` whose term is at most `term`: no later position can agree with a log
   * that has `term` at `index` (etcd-io/raft `findConflictByTerm`; Raft §5.3, the optimization at its end). Term 0
   * when the position is before the window.
   */
  findConflictByTerm(index: number, term: number): { index: number; term: number } {
    for (let at = Math.min(index, this.lastIndex); at >= this.baseIndex; at--) {
      const ours = this.termAt(at) as number
      if (ours <= term) return { index: at, term: ours }
    }
    return { index: Math.max(0, Math.min(index, this.baseIndex - 1)), term: 0 }
  }

  validate(): void {
    let term = assertDefined(this.termAt(this.validatedIndex), 'the validated position is in the window')
    for (let index = this.validatedIndex + 1; index <= this.lastIndex; index++) {
      const entry = this.entryAt(index)
      assert(entry.index === index, 'entries sit at their index (I1)')
      assert(entry.term >= term, 'terms never fall (I2)')
      term = entry.term
      this.validatedBytes += entryBytes(entry)
    }
    this.validatedIndex = this.lastIndex
    assert(this.validatedBytes === this.sizeBytes, 'bytes are accounted for (I3)')
  }

  private forgetValidation(): void {
    this.validatedIndex = this.baseIndex
    this.validatedBytes = 0
  }
}

/** What an entry counts for in limits: its payload and a fixed overhead. */
export function entryBytes(entry: Entry): number {
  return entry.payload.length + 16
}

/** The empty payload of a leader's opening entry. */
export const noopPayload: Uint8Array = emptyBytes
const standInPayload: Uint8Array = Uint8Array.of(1)

/**
 * A record that stands where a snapshot's last entry would: written when a snapshot replaces a log that does not hold
 * that entry. It makes everything written before it void, and says which term the snapshot's index has. It is only ever
 * at or below a durable snapshot's index, so it is never applied, sent, or kept in memory.
 */
export function standInEntry(index: number, term: number): Entry {
  return { index, term, kind: 'noop', payload: standInPayload }
}

function isStandIn(entry: Entry): boolean {
  return entry.kind === 'noop' && entry.payload.length !== 0
}

/**
 * Rebuilds the log from what a restart found.
 *
 * Worked example: the disk holds 1..10 of term 1; a snapshot of (8, term 3) arrives and is made durable; the core writes
 * a stand-in (8, 3), which replaces 8..10; 9 of term 3 is appended. A restart before the stand-in finds 8 with term 1
 * under a snapshot with term 3, and drops all ten. A restart at the end finds 1..7 void, the stand-in, and keeps 9.
 *
 * `standInDue`: the durable entries do not connect to the snapshot (a crash came between the two); the core must write
 * a stand-in before anything else.
 */
export function restoreLog(restore: CoreRestore): { readonly log: RaftLog; readonly standInDue: boolean } {
  const { snapshot } = restore
  const run = lastRun(restore.entries)
  const connected = () => new RaftLog(snapshot.index, snapshot.term, run.entries)
  const first = run.entries[0]
  if (run.base !== undefined && run.base.index === snapshot.index && run.base.term === snapshot.term) {
    return { log: connected(), standInDue: false }
  }
  if (first !== undefined && run.base === undefined && first.index === snapshot.index + 1) {
    if (first.term >= snapshot.term) return { log: connected(), standInDue: false }
  }
  if (first !== undefined && run.entries[snapshot.index - first.index]?.term === snapshot.term) {
    if (first.index === 1) return { log: new RaftLog(0, 0, run.entries), standInDue: false }
    if (run.base !== undefined) {
      return { log: new RaftLog(run.base.index, run.base.term, run.entries), standInDue: false }
    }
    // The term before the first entry is not known, so the first entry becomes the base.
    return { log: new RaftLog(first.index, first.term, run.entries.slice(1)), standInDue: false }
  }
  assert(first === undefined || first.index <= snapshot.index + 1, 'the durable log has no hole after the snapshot')
  return { log: new RaftLog(snapshot.index, snapshot.term, []), standInDue: restore.entries.length > 0 }
}

/** The entries after the last stand-in or gap, and the stand-in's position if it comes right before them. */
function lastRun(entries: readonly Entry[]): { base: { index: number; term: number } | undefined; entries: Entry[] } {
  let base: { index: number; term: number } | undefined
  let run: Entry[] = []
  let expected = 0
  for (const entry of entries) {
    if (isStandIn(entry)) {
      base = { index: entry.index, term: entry.term }
      run = []
    } else if (entry.index === expected) {
      run.push(entry)
    } else {
      base = undefined
      run = [entry]
    }
    expected = entry.index + 1
  }
  return { base, entries: run }
}
