import { crc32c } from '../../base/index.ts'
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

/**
 * The multi-version store as an array of records that every question searches from end to end: for tests only, to be
 * obviously right. A reference is an index into `log`; compaction removes records from `kept` at once.
 *
 * Worked example: puts of "a" at 2 and 3 are log entries 0 and 1, both kept. After compact(3) only 1 is kept.
 */
interface NaiveRecord extends RecordFields {
  readonly value: Uint8Array
}

export class NaiveStore implements MvccStore {
  revision = 1
  compactedRevision = 0
  private log: NaiveRecord[] = []
  private kept = new Set<RecordRef>()

  /** An independent copy, whose references mean the same. */
  clone(): NaiveStore {
    const copy = new NaiveStore()
    copy.revision = this.revision
    copy.compactedRevision = this.compactedRevision
    copy.log = [...this.log]
    copy.kept = new Set(this.kept)
    return copy
  }

  get sizeBytes(): number {
    return this.sizeInUseBytes
  }

  get sizeInUseBytes(): number {
    return [...this.kept].reduce((sum, ref) => sum + this.encodedLength(ref), 0)
  }

  get keyCount(): number {
    return this.range({ key: '', end: '\0' }, 0, 0, true).count
  }

  write<T>(body: (transaction: WriteTransaction) => T): T {
    const revision = this.revision + 1
    let sub = 0
    const append = (record: Omit<NaiveRecord, 'modRevision' | 'subRevision'>) => {
      this.kept.add(this.log.length)
      this.log.push({ ...record, modRevision: revision, subRevision: sub++ })
    }
    const result = body({
      revision,
      get changed() {
        return sub > 0
      },
      put: (key, value, lease) => {
        const replaced = this.get(key, 0)
        const old = this.log[replaced]
        append({
          key,
          value: new Uint8Array(value),
          createRevision: old?.createRevision ?? revision,
          version: (old?.version ?? 0) + 1,
          lease: BigInt.asIntN(64, lease),
          tombstone: false,
        })
        return replaced
      },
      delete: (range) => {
        const { refs } = this.range(range, 0, 0, false)
        for (const ref of refs) {
          const { key } = this.log[ref]!
          append({ key, value: new Uint8Array(), createRevision: 0, version: 0, lease: 0n, tombstone: true })
        }
        return refs
      },
    })
    if (sub > 0) this.revision++
    return result
  }

  get(key: string, atRevision: number): RecordRef {
    const ref = this.newestAt(key, atRevision === 0 ? Number.MAX_SAFE_INTEGER : atRevision)
    return this.log[ref]?.tombstone === false ? ref : noRecord
  }

  range(range: KeyRange, atRevision: number, limit: number, countOnly: boolean): { refs: RecordRef[]; count: number } {
    const inRange = (key: string) =>
      range.end === undefined ? key === range.key : key >= range.key && (range.end === '\0' || key < range.end)
    const keys = [...new Set(this.log.map((record) => record.key))].filter(inRange).sort()
    const refs = keys.map((key) => this.get(key, atRevision)).filter((ref) => ref !== noRecord)
    const shown = countOnly ? [] : refs.slice(0, limit === 0 ? refs.length : limit)
    return { refs: shown, count: refs.length }
  }

  cursor(range: KeyRange, atRevision: number): RangeCursor {
    const { refs } = this.range(range, atRevision === 0 ? this.revision : atRevision, 0, false)
    return {
      next: (max, into) => {
        into.push(...refs.splice(0, max))
        return refs.length > 0
      },
      close: () => {},
    }
  }

  fields(ref: RecordRef): RecordFields {
    const { value: _, ...fields } = this.log[ref]!
    return fields
  }

  key = (ref: RecordRef): string => this.log[ref]!.key
  modRevision = (ref: RecordRef): number => this.log[ref]!.modRevision
  version = (ref: RecordRef): number => this.log[ref]!.version
  isTombstone = (ref: RecordRef): boolean => this.log[ref]!.tombstone
  lease = (ref: RecordRef): bigint => this.log[ref]!.lease
  value = (ref: RecordRef): Uint8Array => this.log[ref]!.value

  encoded(ref: RecordRef): Uint8Array {
    return Buffer.from(encode(this.log[ref]!))
  }

  encodedLength(ref: RecordRef, withoutValue = false): number {
    const record = this.log[ref]!
    return encode(withoutValue ? { ...record, value: new Uint8Array() } : record).length
  }

  copyEncoded(ref: RecordRef, target: Uint8Array, offset: number, withoutValue: boolean): number {
    const record = this.log[ref]!
    const bytes = encode(withoutValue ? { ...record, value: new Uint8Array() } : record)
    target.set(bytes, offset)
    return offset + bytes.length
  }

  previous(ref: RecordRef): RecordRef {
    const { key, modRevision } = this.log[ref]!
    if (modRevision <= this.compactedRevision) return noRecord
    const older = this.log.findLastIndex((record, index) => index < ref && record.key === key && this.kept.has(index))
    return this.log[older]?.tombstone === false ? older : noRecord
  }

  changes(fromRevision: number, maxChanges: number): { refs: RecordRef[]; nextRevision: number } {
    const refs: RecordRef[] = []
    for (let revision = fromRevision; revision <= this.revision; revision++) {
      if (refs.length > 0 && refs.length >= maxChanges) {
        const next = this.log.slice(refs.at(-1)! + 1).find((record) => record.modRevision >= revision)
        if (next === undefined) break
        return { refs, nextRevision: this.log[refs.at(-1)!]!.modRevision + 1 }
      }
      for (const ref of this.kept) if (this.log[ref]!.modRevision === revision) refs.push(ref)
    }
    return { refs, nextRevision: Math.max(this.revision + 1, fromRevision) }
  }

  compact(atRevision: number): void {
    this.compactedRevision = atRevision
    for (const ref of [...this.kept]) {
      const { key, modRevision, tombstone } = this.log[ref]!
      if (modRevision > atRevision) continue
      const isNewest = this.newestAt(key, atRevision) === ref
      if (!isNewest || (tombstone && modRevision < atRevision)) this.kept.delete(ref)
    }
  }

  reclaim(): boolean {
    return false
  }

  /** etcd's `hashByRev`, word for word: the keep map, then all records with its exceptions. */
  hash(atRevision: number): HashJob {
    const revision = atRevision === 0 ? this.revision : atRevision
    const keys = new Set(this.log.map((record) => record.key))
    const keep = new Set([...keys].map((key) => this.get(key, revision)).filter((ref) => ref !== noRecord))
    const parts: number[] = [...Buffer.from('key')]
    for (const ref of this.kept) {
      const { modRevision, subRevision, tombstone, key } = this.log[ref]!
      if (modRevision > revision) continue
      if (modRevision <= this.compactedRevision && keep.size > 0 && !keep.has(ref)) continue
      if (modRevision === this.compactedRevision && tombstone) continue
      const name = Buffer.alloc(17, '_')
      name.writeBigUInt64BE(BigInt(modRevision), 0)
      name.writeBigUInt64BE(BigInt(subRevision), 9)
      parts.push(...name, ...(tombstone ? [0x74, ...keyField(key)] : encode(this.log[ref]!)))
    }
    const hash = crc32c(Uint8Array.from(parts))
    return { step: () => hash, close: () => {} }
  }

  snapshot(): StoreSnapshot {
    throw new Error('the naive store has no images')
  }

  private newestAt(key: string, atRevision: number): RecordRef {
    return this.log.findLastIndex(
      (record, ref) => record.key === key && record.modRevision <= atRevision && this.kept.has(ref),
    )
  }
}

function keyField(key: string): number[] {
  return key === '' ? [] : [0x0a, ...varint(BigInt(key.length)), ...Buffer.from(key, 'latin1')]
}

function encode(record: NaiveRecord): number[] {
  const number = (tag: number, value: bigint) => (value === 0n ? [] : [tag, ...varint(BigInt.asUintN(64, value))])
  return [
    ...keyField(record.key),
    ...number(0x10, BigInt(record.createRevision)),
    ...number(0x18, BigInt(record.modRevision)),
    ...number(0x20, BigInt(record.version)),
    ...(record.value.length === 0 ? [] : [0x2a, ...varint(BigInt(record.value.length)), ...record.value]),
    ...number(0x30, record.lease),
  ]
}

function varint(value: bigint): number[] {
  return value < 0x80n ? [Number(value)] : [Number(value & 0x7fn) | 0x80, ...varint(value >> 7n)]
}
