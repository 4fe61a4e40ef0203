import type { BinaryString } from '../../base/index.ts'
import { Arena } from './arena.ts'
import { KeyIndex } from './key-index.ts'
import { keyAt, RecordReader, varintLength } from './record-codec.ts'
import { RecordTable } from './record-table.ts'
import { RevisionMarks } from './revision-marks.ts'

/**
 * Owns the parts of an in-memory store, and what all who work on them must agree about. The writer and the loader
 * append records, the reclaimer releases them, everyone else reads.
 *
 * - I1  A record lies in the arena as its encoding followed by its sub revision as a varint.
 * - I2  While `pins` is not 0, no slot is released and no key removed.
 * - I3  `reclaimedRevision` <= `compactedRevision` <= `revision`. A record at or below `compactedRevision` is
 *       **kept** when no newer version of its key is at or below it, and it is no tombstone, or one made at that very
 *       revision (etcd keeps those, for watchers that resume there). Records that are not kept may still have slots,
 *       and must not be seen.
 * - I4  Of the records at or below `reclaimedRevision`, only kept ones have slots, besides tombstones that a newer
 *       version follows.
 *
 * Differs: when one transaction deletes a key and puts it again, and the compacted revision is that transaction's,
 * etcd keeps all its versions of the key, we keep the last. No request of etcd's API can do that.
 *
 * Worked example, key_index.go's: puts at 2 and 3, a tombstone at 4, a put at 5, a tombstone at 6.
 * - compacted at 3: the record of 2 is gone, that of 3 is kept.
 * - compacted at 5: 3 and 4 are gone; 5 is kept.
 * - compacted at 6: only the tombstone of 6 is kept.
 * - compacted at 7: nothing is left, and the key is removed.
 */
export class StoreState {
  readonly arena = new Arena()
  readonly table = new RecordTable()
  readonly marks = new RevisionMarks()
  readonly reader = new RecordReader()
  readonly keys: KeyIndex
  /** The main revision of the last finished transaction. */
  revision = 1
  compactedRevision = 0
  reclaimedRevision = 0
  /** Cursors, snapshots and hash jobs open. */
  pins = 0
  /** The first record of the revision list that the reclaimer has not dealt with, or -1. */
  unreclaimedFirst = -1

  constructor(hashSeed: number) {
    this.keys = new KeyIndex(this.table, this.arena, hashSeed)
  }

  /** The main revision of the newest record: one more than `revision` in a transaction that has changed something. */
  get newestRevision(): number {
    const last = this.table.last
    return last < 0 ? this.revision : Math.max(this.revision, this.table.main(last))
  }

  /** Enters a record whose bytes were just written at the arena's last reservation. `id` is -1 for a new key. */
  append(main: number, length: number, tombstone: boolean, id: number, key: BinaryString): number {
    const { arena, table, keys } = this
    const previous = id < 0 ? -1 : keys.head(id)
    const slot = table.append(main, arena.chunk, arena.offset, length, tombstone, previous)
    if (this.unreclaimedFirst < 0) this.unreclaimedFirst = slot
    this.marks.append(main, slot)
    if (id < 0) keys.add(key, slot)
    else keys.setHead(id, key, slot)
    return slot
  }

  /** Frees a record's slot and bytes. */
  release(slot: number): void {
    this.arena.release(this.table.chunk(slot), this.table.length(slot) + varintLength(this.sub(slot)))
    this.table.release(slot)
  }

  /** Moves a record's bytes to the arena's current chunk. */
  moveBytes(slot: number): void {
    const { arena, table } = this
    const from = table.chunk(slot)
    const start = table.offset(slot)
    const length = table.length(slot) + varintLength(this.sub(slot))
    const source = arena.bytes(from)
    const target = arena.reserve(length)
    source.copy(target, arena.offset, start, start + length)
    table.moveBytes(slot, arena.chunk, arena.offset)
    arena.release(from, length)
  }

  /** Points `reader` at a record. */
  read(slot: number): RecordReader {
    const { table, reader } = this
    const start = table.offset(slot)
    reader.read(this.arena.bytes(table.chunk(slot)), start, start + table.length(slot))
    return reader
  }

  key(slot: number): BinaryString {
    return keyAt(this.arena.bytes(this.table.chunk(slot)), this.table.offset(slot))
  }

  sub(slot: number): number {
    const bytes = this.arena.bytes(this.table.chunk(slot))
    let offset = this.table.offset(slot) + this.table.length(slot)
    let value = 0
    for (let scale = 1; ; scale *= 0x80) {
      const byte = bytes[offset++]!
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value
    }
  }

  /** The version live at `atRevision` in the chain from `head`, or -1. */
  liveAt(head: number, atRevision: number): number {
    const slot = this.table.findAt(head, atRevision)
    return slot < 0 || this.table.isTombstone(slot) ? -1 : slot
  }

  /** Whether a record is kept under compaction at `compacted` (I3). */
  isKept(slot: number, compacted: number): boolean {
    const { table } = this
    const main = table.main(slot)
    if (main > compacted) return true
    const isTombstone = table.isTombstone(slot)
    if (isTombstone && main < compacted) return false
    if (!table.isSuperseded(slot)) return true
    if (!isTombstone && this.reclaimedRevision >= compacted) return true
    return table.findAt(this.keys.headOf(this.key(slot)), compacted) === slot
  }
}
