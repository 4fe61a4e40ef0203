import type { BinaryString } from '../../../../base/index.ts'
import type { MvccStore, RecordRef } from '../../../../storage/mvcc/index.ts'
import type { CoordinationState, StateObserver } from '../../api.ts'

export interface FakeRecord {
  readonly key: BinaryString
  readonly modRevision: number
  readonly tombstone: boolean
  readonly value: string
}

/** The naive store that watch tests run on: a list of every change ever made. A ref is an index into it. */
export class FakeStore {
  readonly log: FakeRecord[] = []
  revision = 1
  compactedRevision = 0
  /** How often history was read. */
  reads = 0

  private observer: StateObserver = {}

  /** The state machine's face: a commit, a compaction and a restore are told to the one observer. */
  asState(): Pick<CoordinationState, 'store' | 'observe'> {
    return {
      store: this.asStore(),
      observe: (observer) => {
        this.observer = observer
        return () => {}
      },
    }
  }

  /** One transaction: each entry puts a value or, without one, deletes. Those of one key must come once. */
  commit(changes: readonly (readonly [BinaryString, string | undefined])[]): void {
    if (this.append(changes)) this.observer.onRevision?.(this.revision)
  }

  /** A snapshot with these further changes takes the state's place. */
  restore(changes: readonly (readonly [BinaryString, string | undefined])[]): void {
    if (changes.length > 0) this.append(changes)
    this.observer.onRestored?.()
  }

  /** Returns whether there was anything to change. */
  protected append(changes: readonly (readonly [BinaryString, string | undefined])[]): boolean {
    this.revision++
    for (const [key, value] of changes) {
      this.log.push({ key, modRevision: this.revision, tombstone: value === undefined, value: value ?? '' })
    }
    return true
  }

  compact(atRevision: number): void {
    this.observer.onCompacting?.(atRevision)
    this.compactedRevision = atRevision
  }

  changes(fromRevision: number, maxChanges: number): { refs: RecordRef[]; nextRevision: number } {
    this.reads++
    if (fromRevision < this.compactedRevision) throw new Error(`read of compacted revision ${fromRevision}`)
    const refs: RecordRef[] = []
    let nextRevision = this.revision + 1
    for (let ref = 0; ref < this.log.length; ref++) {
      const { modRevision } = this.record(ref)
      if (modRevision < fromRevision || this.superseded(ref)) continue
      if (refs.length >= maxChanges && this.record(refs.at(-1) as number).modRevision !== modRevision) {
        nextRevision = modRevision
        break
      }
      refs.push(ref)
    }
    return { refs, nextRevision }
  }

  record(ref: RecordRef): FakeRecord {
    return this.log[ref] as FakeRecord
  }

  /** Its `MvccStore` face, as far as watchers use it. */
  asStore(): MvccStore {
    const store = this
    const face = {
      get revision() {
        return store.revision
      },
      get compactedRevision() {
        return store.compactedRevision
      },
      changes: (from: number, max: number) => this.changes(from, max),
      key: (ref: RecordRef) => this.record(ref).key,
      modRevision: (ref: RecordRef) => this.record(ref).modRevision,
      isTombstone: (ref: RecordRef) => this.record(ref).tombstone,
      encodedLength: (ref: RecordRef) => this.record(ref).key.length + this.record(ref).value.length + 8,
    }
    return face as unknown as MvccStore
  }

  /** Compacted away: at or below the compaction, with a later version at or below it. */
  private superseded(ref: RecordRef): boolean {
    const { key, modRevision } = this.record(ref)
    if (modRevision > this.compactedRevision) return false
    return this.log.some((other, i) => i > ref && other.key === key && other.modRevision <= this.compactedRevision)
  }
}
