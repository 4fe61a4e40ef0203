import type { BinaryString } from '../../base/index.ts'
import type { Arena } from './arena.ts'
import { hashKey, KeyDirectory } from './key-directory.ts'
import { OrderedIndex } from './ordered-index.ts'
import { compareKey, hasKey, keyAt } from './record-codec.ts'
import type { RecordTable } from './record-table.ts'
import type { KeyRange } from './store.ts'

/**
 * Owns which keys exist and the newest record (**head**) of each: a directory for single keys, a tree for ranges, and
 * one number a key that both lead to. Called by the store, its writer, loader and reclaimer.
 *
 * - I1  A key is here as long as its head has a slot, tombstones included.
 * - I2  The tree counts as live the keys whose head is no tombstone.
 *
 * Worked example: putting "b" gives it id 0 with head slot 0. Putting it again changes `heads[0]` to slot 1, and
 * neither the tree nor the directory is touched. Deleting it sets slot 2, a tombstone: the tree is told that one key
 * less is live. Compaction then removes the key, and id 0 is free for another.
 */

const headsPerChunk = 4096
const idMask = headsPerChunk - 1
const idBits = 12
/** An id and a head in a leaf two thirds full, with its share of nodes, prefixes and separators. */
const treeBytesPerKey = 30

export class KeyIndex {
  private readonly table: RecordTable
  private readonly arena: Arena
  private readonly tree: OrderedIndex
  private readonly directory: KeyDirectory
  private readonly heads: Int32Array[] = []
  private idCount = 0
  /** Free ids, linked through their heads. */
  private freeId = -1
  private readonly hashSeed: number

  constructor(table: RecordTable, arena: Arena, hashSeed: number) {
    this.table = table
    this.arena = arena
    this.hashSeed = hashSeed
    this.tree = new OrderedIndex({
      isLive: (id) => !table.isTombstone(this.head(id)),
      key: (id) => this.key(this.head(id)),
      compare: (id, key) => {
        const slot = this.head(id)
        return compareKey(arena.bytes(table.chunk(slot)), table.offset(slot), key)
      },
    })
    this.directory = new KeyDirectory((id, key) => {
      const slot = this.head(id)
      return hasKey(arena.bytes(table.chunk(slot)), table.offset(slot), key)
    })
  }

  get liveCount(): number {
    return this.tree.liveCount
  }

  /** An estimate for the tree's objects, exact for the rest. */
  get sizeBytes(): number {
    return this.tree.size * treeBytesPerKey + this.directory.sizeBytes + this.heads.length * headsPerChunk * 4
  }

  /** The id of `key`, or -1. Valid until the key is removed. */
  find(key: BinaryString): number {
    const id = this.directory.find(hashKey(key, this.hashSeed), key)
    return id === -2 ? this.tree.get(key) : id
  }

  head(id: number): number {
    return this.heads[id >> idBits]![id & idMask]!
  }

  /** The newest record of `key`, tombstone or not, or -1. */
  headOf(key: BinaryString): number {
    const id = this.find(key)
    return id < 0 ? -1 : this.head(id)
  }

  /** Makes `slot` the head of the key with this `id`. */
  setHead(id: number, key: BinaryString, slot: number): void {
    const heads = this.heads[id >> idBits]!
    const wasLive = !this.table.isTombstone(heads[id & idMask]!)
    const isLive = !this.table.isTombstone(slot)
    heads[id & idMask] = slot
    if (wasLive !== isLive) this.tree.adjustLive(key, isLive ? 1 : -1)
  }

  /** Adds a key whose first record is `slot`. */
  add(key: BinaryString, slot: number): void {
    let id = this.freeId
    if (id >= 0) this.freeId = this.head(id)
    else {
      if ((this.idCount & idMask) === 0) this.heads.push(new Int32Array(headsPerChunk))
      id = this.idCount++
    }
    this.heads[id >> idBits]![id & idMask] = slot
    this.directory.insert(hashKey(key, this.hashSeed), id)
    this.tree.insert(key, id)
  }

  remove(key: BinaryString): void {
    const id = this.find(key)
    this.tree.remove(key)
    this.directory.remove(hashKey(key, this.hashSeed), id)
    this.heads[id >> idBits]![id & idMask] = this.freeId
    this.freeId = id
  }

  /** Calls `visit` with the head of each key of `range` in key order, until it returns false. */
  scan(range: KeyRange, visit: (head: number) => boolean): void {
    if (range.end === undefined) {
      const head = this.headOf(range.key)
      if (head >= 0) visit(head)
      return
    }
    this.tree.scan(range.key, range.end === '\0' ? undefined : range.end, (id) => visit(this.head(id)))
  }

  /** The number of live keys in `range`. O(log n). */
  countLive(range: KeyRange): number {
    const { key, end } = range
    if (end === undefined) {
      const head = this.headOf(key)
      return head >= 0 && !this.table.isTombstone(head) ? 1 : 0
    }
    if (end === '\0') return this.tree.liveCount - this.tree.liveBefore(key)
    return end <= key ? 0 : this.tree.liveBefore(end) - this.tree.liveBefore(key)
  }

  private key(slot: number): BinaryString {
    return keyAt(this.arena.bytes(this.table.chunk(slot)), this.table.offset(slot))
  }
}
