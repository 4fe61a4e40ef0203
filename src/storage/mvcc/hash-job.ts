import { crc32c } from '../../base/index.ts'
import { RecordReader } from './record-codec.ts'
import type { HashJob } from './store.ts'
import type { StoreState } from './store-state.ts'

/**
 * etcd's HashKV (`server/storage/mvcc/hash.go`, 3.6): CRC-32C over the bucket's name "key", then, in revision order,
 * for each record up to the hashed revision: its revision (8 bytes main, '_', 8 bytes sub, 't' for a tombstone) and
 * its bytes.
 *
 * At or below the compacted revision etcd hashes only what it would keep if it compacted at the **hashed** revision,
 * unless that is nothing; and never a tombstone at the compacted revision itself. A tombstone's bytes in etcd
 * are its key alone: ours carry the modification revision after it, which is left out here.
 *
 * Worked example: a put of "k" = "v" at 2 hashes `key`, `00 00 00 00 00 00 00 02 5f 00 00 00 00 00 00 00 00`, and
 * `0a 01 6b 10 02 18 02 20 01 2a 01 76`.
 */

const bucketName = Buffer.from('key')
const revisionBytes = 17
const scratchBytes = 64 * 1024
/** Longer records are hashed where they lie. */
const copiedLengthMax = 4096

export class StoreHashJob implements HashJob {
  private readonly state: StoreState
  private readonly atRevision: number
  private readonly compactedRevision: number
  private readonly reader = new RecordReader()
  private readonly scratch = Buffer.allocUnsafe(scratchBytes)
  private used = 0
  private crc = crc32c(bucketName)
  /** The next record to hash; -1 at the end. */
  private slot: number
  private open = true
  /** Whether any key is live at the hashed revision; undefined while still looking, from `lookFrom` on. */
  private keepsAny: boolean | undefined
  private lookFrom = ''

  constructor(state: StoreState, atRevision: number) {
    this.state = state
    this.atRevision = atRevision
    this.compactedRevision = state.compactedRevision
    this.slot = state.table.first
    state.pins++
  }

  step(records: number): number | undefined {
    let left = records
    if (this.keepsAny === undefined) left = this.look(left)
    const { table } = this.state
    for (; left > 0 && this.slot >= 0; left--) {
      const slot = this.slot
      this.slot = table.main(slot) > this.atRevision ? -1 : table.after(slot)
      if (this.isHashed(slot)) this.add(slot)
    }
    if (this.keepsAny === undefined || this.slot >= 0) return undefined
    this.flush()
    this.close()
    return this.crc
  }

  close(): void {
    if (!this.open) return
    this.open = false
    this.state.pins--
  }

  /** Looks for a key that is live at the hashed revision, over `max` keys; returns what is left of them. */
  private look(max: number): number {
    const { state } = this
    let left = max
    let stop: number | undefined
    state.keys.scan({ key: this.lookFrom, end: '\0' }, (head) => {
      if (left-- === 0) {
        stop = head
        return false
      }
      if (state.liveAt(head, this.atRevision) < 0) return true
      this.keepsAny = true
      return false
    })
    if (stop === undefined) this.keepsAny ??= false
    else this.lookFrom = state.key(stop)
    return this.keepsAny === undefined ? 0 : Math.max(left, 0)
  }

  private isHashed(slot: number): boolean {
    const { state, atRevision, compactedRevision } = this
    const { table } = state
    const main = table.main(slot)
    if (main > atRevision) return false
    if (main > compactedRevision) return true
    if (table.isTombstone(slot)) return false
    if (!this.keepsAny) return state.isKept(slot, compactedRevision)
    return !table.isSuperseded(slot) || table.findAt(state.keys.headOf(state.key(slot)), atRevision) === slot
  }

  private add(slot: number): void {
    const { table, arena } = this.state
    const isTombstone = table.isTombstone(slot)
    const bytes = arena.bytes(table.chunk(slot))
    const start = table.offset(slot)
    let end = start + table.length(slot)
    if (isTombstone) {
      this.reader.read(bytes, start, end)
      end = this.reader.keyEnd
    }
    const length = end - start
    if (this.used + revisionBytes + 1 + Math.min(length, copiedLengthMax) > scratchBytes) this.flush()
    this.addRevision(table.main(slot), this.state.sub(slot), isTombstone)
    if (length <= copiedLengthMax) {
      this.used += bytes.copy(this.scratch, this.used, start, end)
    } else {
      this.flush()
      this.crc = crc32c(bytes.subarray(start, end), this.crc)
    }
  }

  private addRevision(main: number, sub: number, isTombstone: boolean): void {
    const { scratch, used } = this
    scratch.writeUInt32BE(Math.floor(main / 0x1_0000_0000), used)
    scratch.writeUInt32BE(main % 0x1_0000_0000, used + 4)
    scratch[used + 8] = 0x5f
    scratch.writeUInt32BE(0, used + 9)
    scratch.writeUInt32BE(sub, used + 13)
    this.used += revisionBytes
    if (isTombstone) scratch[this.used++] = 0x74
  }

  private flush(): void {
    if (this.used > 0) this.crc = crc32c(this.scratch.subarray(0, this.used), this.crc)
    this.used = 0
  }
}
