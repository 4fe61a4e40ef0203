import type { BinaryString } from '../../base/index.ts'
import { assert } from '../../base/index.ts'
import { putLength, tombstoneLength, varintLength, writePut, writeTombstone, writeVarint } from './record-codec.ts'
import { type KeyRange, noRecord, type RecordRef, type WriteTransaction } from './store.ts'
import type { StoreState } from './store-state.ts'

/**
 * Owns the changes of the one open transaction. One object serves all transactions of a store, one after another.
 *
 * - I1  Changes take effect at once, at main revision `state.revision` + 1; `finish` makes it the store's.
 * - I2  `sub` is the number of changes so far.
 *
 * Worked example: at revision 7, `put a`, `delete a`, `put b` appends a at (8, 0), a's tombstone at (8, 1), b at (8,
 * 2), and leaves the store at 8. A transaction that only deletes missing keys appends nothing and leaves it at 7.
 */
export class Writer implements WriteTransaction {
  private readonly state: StoreState
  private sub = 0
  private open = false

  constructor(state: StoreState) {
    this.state = state
  }

  get revision(): number {
    return this.state.revision + 1
  }

  get changed(): boolean {
    return this.sub > 0
  }

  begin(): void {
    assert(!this.open, 'one write transaction at a time')
    this.open = true
    this.sub = 0
  }

  finish(): void {
    this.open = false
    if (this.sub > 0) this.state.revision++
  }

  put(key: BinaryString, value: Uint8Array, lease: bigint): RecordRef {
    assert(this.open, 'a transaction is used only inside its write()')
    const { state } = this
    const main = state.revision + 1
    const id = state.keys.find(key)
    let replaced = id < 0 ? noRecord : state.keys.head(id)
    let create = main
    let version = 1
    if (replaced !== noRecord) {
      if (state.table.isTombstone(replaced)) replaced = noRecord
      else {
        const reader = state.read(replaced)
        create = reader.createRevision
        version = reader.version + 1
      }
    }
    const signedLease = lease === 0n ? lease : BigInt.asIntN(64, lease)
    const length = putLength(key, create, main, version, value, signedLease)
    const target = state.arena.reserve(length + varintLength(this.sub))
    const end = writePut(target, state.arena.offset, key, create, main, version, value, signedLease)
    writeVarint(target, end, this.sub++)
    state.append(main, length, false, id, key)
    return replaced
  }

  delete(range: KeyRange): RecordRef[] {
    assert(this.open, 'a transaction is used only inside its write()')
    const { state } = this
    const deleted: RecordRef[] = []
    state.keys.scan(range, (head) => {
      if (!state.table.isTombstone(head)) deleted.push(head)
      return true
    })
    for (const slot of deleted) this.appendTombstone(state.key(slot))
    return deleted
  }

  private appendTombstone(key: BinaryString): void {
    const { state } = this
    const main = state.revision + 1
    const length = tombstoneLength(key, main)
    const target = state.arena.reserve(length + varintLength(this.sub))
    const end = writeTombstone(target, state.arena.offset, key, main)
    writeVarint(target, end, this.sub++)
    state.append(main, length, true, state.keys.find(key), key)
  }
}
