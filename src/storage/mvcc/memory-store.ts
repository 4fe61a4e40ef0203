import { assert, type BinaryString } from '../../base/index.ts'
import { StoreHashJob } from './hash-job.ts'
import { StoreRangeCursor } from './range-cursor.ts'
import { Reclaimer } from './reclaimer.ts'
import { SnapshotWriter } from './snapshot-writer.ts'
import {
  type HashJob,
  type KeyRange,
  type MvccStore,
  noRecord,
  type RangeCursor,
  type RecordFields,
  type RecordRef,
  type StoreSnapshot,
  type WriteTransaction,
} from './store.ts'
import { StoreState } from './store-state.ts'
import { Writer } from './write-transaction.ts'

/** Where hashing of keys starts when the caller does not say. */
export const hashSeedDefault = 0x5_eed5

/**
 * The multi-version store in memory: the face over `StoreState` and those who work on it. A record's reference is its
 * slot in the record table.
 *
 * - I1  No method but `write`, `compact` and `reclaim` changes what another one returns.
 *
 * Worked example: see `store-state.ts`.
 */
export class MemoryStore implements MvccStore {
  private readonly state: StoreState
  private readonly writer: Writer
  private readonly reclaimer: Reclaimer

  /** `hashSeed` (any 32 bits) varies the hashing of keys, so that nobody can choose keys that collide. */
  constructor(hashSeed = hashSeedDefault, state = new StoreState(hashSeed)) {
    this.state = state
    this.writer = new Writer(this.state)
    this.reclaimer = new Reclaimer(this.state)
  }

  get revision(): number {
    return this.state.revision
  }

  get compactedRevision(): number {
    return this.state.compactedRevision
  }

  get sizeBytes(): number {
    const { arena, table, marks, keys } = this.state
    return arena.sizeBytes + table.sizeBytes + marks.sizeBytes + keys.sizeBytes
  }

  get sizeInUseBytes(): number {
    const { arena, table, marks, keys } = this.state
    return arena.liveBytes + table.sizeInUseBytes + marks.sizeBytes + keys.sizeBytes
  }

  get keyCount(): number {
    return this.state.keys.liveCount
  }

  /** Records that have a slot: kept ones, and others that `reclaim` has not come to. */
  get recordCount(): number {
    return this.state.table.count
  }

  write<T>(body: (transaction: WriteTransaction) => T): T {
    this.writer.begin()
    try {
      return body(this.writer)
    } finally {
      this.writer.finish()
    }
  }

  get(key: BinaryString, atRevision: number): RecordRef {
    const head = this.state.keys.headOf(key)
    if (head < 0) return noRecord
    if (atRevision === 0) return this.state.table.isTombstone(head) ? noRecord : head
    return this.state.liveAt(head, atRevision)
  }

  range(range: KeyRange, atRevision: number, limit: number, countOnly: boolean): { refs: RecordRef[]; count: number } {
    const { state } = this
    const refs: RecordRef[] = []
    const isNow = atRevision === 0 || atRevision >= state.newestRevision
    if (isNow && countOnly) return { refs, count: state.keys.countLive(range) }
    const atMain = isNow ? Number.MAX_SAFE_INTEGER : atRevision
    const refsMax = limit === 0 ? Number.POSITIVE_INFINITY : limit
    let count = 0
    state.keys.scan(range, (head) => {
      const slot = state.liveAt(head, atMain)
      if (slot < 0) return true
      count++
      if (!countOnly && refs.length < refsMax) refs.push(slot)
      return !isNow || refs.length < refsMax
    })
    return { refs, count: isNow && count === limit ? state.keys.countLive(range) : count }
  }

  cursor(range: KeyRange, atRevision: number): RangeCursor {
    this.assertReadable(atRevision)
    return new StoreRangeCursor(this.state, range, atRevision === 0 ? this.state.newestRevision : atRevision)
  }

  fields(ref: RecordRef): RecordFields {
    const reader = this.state.read(ref)
    return {
      key: this.state.key(ref),
      createRevision: reader.createRevision,
      modRevision: reader.modRevision,
      subRevision: this.state.sub(ref),
      version: reader.version,
      lease: reader.lease(),
      tombstone: this.state.table.isTombstone(ref),
    }
  }

  key(ref: RecordRef): BinaryString {
    return this.state.key(ref)
  }

  modRevision(ref: RecordRef): number {
    return this.state.table.main(ref)
  }

  version(ref: RecordRef): number {
    return this.state.read(ref).version
  }

  isTombstone(ref: RecordRef): boolean {
    return this.state.table.isTombstone(ref)
  }

  lease(ref: RecordRef): bigint {
    return this.state.read(ref).lease()
  }

  value(ref: RecordRef): Uint8Array {
    const { valueStart, valueEnd } = this.state.read(ref)
    return this.bytes(ref).subarray(valueStart, valueEnd)
  }

  encoded(ref: RecordRef): Uint8Array {
    const { table } = this.state
    const start = table.offset(ref)
    return this.bytes(ref).subarray(start, start + table.length(ref))
  }

  encodedLength(ref: RecordRef, withoutValue = false): number {
    const length = this.state.table.length(ref)
    if (!withoutValue) return length
    const { valueFieldStart, valueEnd } = this.state.read(ref)
    return length - (valueEnd - valueFieldStart)
  }

  copyEncoded(ref: RecordRef, target: Uint8Array, offset: number, withoutValue: boolean): number {
    const { table } = this.state
    const start = table.offset(ref)
    const end = start + table.length(ref)
    const bytes = this.bytes(ref)
    assert(offset + this.encodedLength(ref, withoutValue) <= target.length, 'the target has room for the record')
    if (!withoutValue) return offset + bytes.copy(target, offset, start, end)
    const { valueFieldStart, valueEnd } = this.state.read(ref)
    const middle = offset + bytes.copy(target, offset, start, valueFieldStart)
    return valueEnd === end ? middle : middle + bytes.copy(target, middle, valueEnd, end)
  }

  previous(ref: RecordRef): RecordRef {
    const { table, compactedRevision } = this.state
    if (table.main(ref) <= compactedRevision) return noRecord
    const previous = table.previous(ref)
    return previous < 0 || table.isTombstone(previous) ? noRecord : previous
  }

  changes(fromRevision: number, maxChanges: number): { refs: RecordRef[]; nextRevision: number } {
    const { state } = this
    const { table } = state
    assert(fromRevision >= state.compactedRevision, 'changes are asked for from a revision that is not compacted')
    const refs: RecordRef[] = []
    let main = 0
    for (let slot = this.firstFrom(fromRevision); slot >= 0; slot = table.after(slot)) {
      const slotMain = table.main(slot)
      if (slotMain !== main && refs.length >= maxChanges && refs.length > 0) {
        return { refs, nextRevision: main + 1 }
      }
      main = slotMain
      if (state.isKept(slot, state.compactedRevision)) refs.push(slot)
    }
    return { refs, nextRevision: Math.max(state.revision + 1, fromRevision) }
  }

  compact(atRevision: number): void {
    assert(atRevision > this.state.compactedRevision, 'compaction moves forward')
    assert(atRevision <= this.state.revision, 'compaction stays at or below the store revision')
    this.state.compactedRevision = atRevision
  }

  reclaim(budgetMs: number, now: () => number): boolean {
    return this.reclaimer.run(budgetMs, now)
  }

  hash(atRevision: number): HashJob {
    this.assertReadable(atRevision)
    return new StoreHashJob(this.state, atRevision === 0 ? this.state.revision : atRevision)
  }

  snapshot(): StoreSnapshot {
    return new SnapshotWriter(this.state)
  }

  /** The first record at or above `main` (which is not compacted) in the revision list, or -1. */
  private firstFrom(main: number): number {
    const { table, marks, compactedRevision } = this.state
    let slot = marks.near(main, compactedRevision)
    if (slot < 0) slot = table.last
    while (slot >= 0 && table.main(slot) < main) slot = table.after(slot)
    if (slot < 0) return -1
    for (let before = table.before(slot); before >= 0 && table.main(before) >= main; before = table.before(slot)) {
      slot = before
    }
    return slot
  }

  private assertReadable(atRevision: number): void {
    assert(atRevision === 0 || atRevision >= this.state.compactedRevision, 'a read is not below the compacted revision')
    assert(atRevision <= this.state.newestRevision, 'a read is not in the future')
  }

  private bytes(ref: RecordRef): Buffer {
    return this.state.arena.bytes(this.state.table.chunk(ref))
  }
}
