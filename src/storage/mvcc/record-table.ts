import { assert } from '../../base/index.ts'

/**
 * Owns the fixed-size facts about each record: 36 bytes in a **slot**, in chunked typed arrays, so that a million
 * records are no JavaScript objects and growth copies nothing. A slot's number is the record's `RecordRef`.
 *
 * Two lists run through the slots: the **key chain** (`previous`, newest version first, with `jump` pointers that
 * skip ahead), and the **revision list** (`before` and `after`, all records by revision).
 *
 * - I1  Along the key chain and each jump, revisions fall. A freed slot has an infinite revision, and a slot used
 *       again has a greater one than every record that may still point to its former owner. So a pointer leads to
 *       what it was made for exactly when the revision there is no greater than here: `olderVia` checks this, and
 *       nobody has to find and mend the pointers to a freed slot.
 * - I2  The revision list holds exactly the slots in use, in (main, sub) order.
 *
 * Jump pointers are those of E. W. Myers, "An applicative random-access stack" (1983): record n's jump goes back
 * 2^k - 1 records; `rank` is k. When the previous record and the one it jumps to have the same rank, the new record jumps
 * over both with rank k + 1, else it jumps to the previous one with rank 1. A search in a chain of n takes O(log n)
 * steps.
 *
 * Worked example: versions of one key in slots 0 to 6 jump to -, 0, 1, 0, 3, 4, 3. The search from slot 6 for the
 * revision of slot 0 goes 6, 3, 2, 1, 0; for that of slot 3 it is one jump.
 */

const slotsPerChunkBits = 12
const slotsPerChunk = 1 << slotsPerChunkBits
const slotMask = slotsPerChunk - 1

const mainLow = 0
const mainHigh = 1
const chunkField = 2
/** Offset in the arena chunk (24 bits), rank (5 bits), tombstone, superseded. A big record is alone in its chunk, at 0. */
const placeField = 3
const lengthField = 4
const previousField = 5
const jumpField = 6
const beforeField = 7
const afterField = 8
const stride = 9

const offsetMask = 0xff_ffff
const rankShift = 24
const rankMask = 0x1f
const tombstoneBit = 1 << 29
const supersededBit = 1 << 30

const freedHigh = 0x7fff_ffff
const none = -1

export class RecordTable {
  /** The ends of the revision list. */
  first = none
  last = none
  /** Slots in use. */
  count = 0

  private readonly chunks: Int32Array[] = []
  private slotCount = 0
  private free = none

  get sizeBytes(): number {
    return this.chunks.length * slotsPerChunk * stride * 4
  }

  get sizeInUseBytes(): number {
    return this.count * stride * 4
  }

  /** Takes a slot for a record at the end of the revision list, after `previous` in its key's chain. */
  append(main: number, chunk: number, offset: number, length: number, tombstone: boolean, previous: number): number {
    assert(offset <= offsetMask, 'an arena offset fits its field')
    const slot = this.allocate()
    const words = this.chunks[slot >> slotsPerChunkBits]!
    const at = (slot & slotMask) * stride
    words[at + mainLow] = main | 0
    words[at + mainHigh] = Math.floor(main / 0x1_0000_0000)
    words[at + chunkField] = chunk
    words[at + lengthField] = length
    words[at + previousField] = previous
    let rank = 0
    let jump = previous
    if (previous !== none) {
      rank = 1
      const far = this.olderVia(previous, jumpField)
      if (far !== none && this.rank(far) === this.rank(previous)) {
        const farther = this.olderVia(far, jumpField)
        if (farther !== none) {
          jump = farther
          rank = this.rank(far) + 1
        }
      }
      this.chunks[previous >> slotsPerChunkBits]![(previous & slotMask) * stride + placeField]! |= supersededBit
    }
    words[at + jumpField] = jump
    words[at + placeField] = offset | (rank << rankShift) | (tombstone ? tombstoneBit : 0)
    words[at + beforeField] = this.last
    words[at + afterField] = none
    if (this.last === none) this.first = slot
    else this.chunks[this.last >> slotsPerChunkBits]![(this.last & slotMask) * stride + afterField] = slot
    this.last = slot
    this.count++
    return slot
  }

  /** Takes `slot` out of the revision list and makes it free. Pointers to it need no mending (I1). */
  release(slot: number): void {
    const before = this.before(slot)
    const after = this.after(slot)
    if (before === none) this.first = after
    else this.chunks[before >> slotsPerChunkBits]![(before & slotMask) * stride + afterField] = after
    if (after === none) this.last = before
    else this.chunks[after >> slotsPerChunkBits]![(after & slotMask) * stride + beforeField] = before
    const words = this.chunks[slot >> slotsPerChunkBits]!
    const at = (slot & slotMask) * stride
    assert(words[at + mainHigh] !== freedHigh, 'a slot is freed once')
    words[at + mainHigh] = freedHigh
    words[at + previousField] = this.free
    this.free = slot
    this.count--
  }

  main(slot: number): number {
    const words = this.chunks[slot >> slotsPerChunkBits]!
    const at = (slot & slotMask) * stride
    return words[at + mainHigh]! * 0x1_0000_0000 + (words[at + mainLow]! >>> 0)
  }

  chunk(slot: number): number {
    return this.chunks[slot >> slotsPerChunkBits]![(slot & slotMask) * stride + chunkField]!
  }

  offset(slot: number): number {
    return this.place(slot) & offsetMask
  }

  length(slot: number): number {
    return this.chunks[slot >> slotsPerChunkBits]![(slot & slotMask) * stride + lengthField]!
  }

  isTombstone(slot: number): boolean {
    return (this.place(slot) & tombstoneBit) !== 0
  }

  /** True when a newer version of the same key was written after this one. */
  isSuperseded(slot: number): boolean {
    return (this.place(slot) & supersededBit) !== 0
  }

  before(slot: number): number {
    return this.chunks[slot >> slotsPerChunkBits]![(slot & slotMask) * stride + beforeField]!
  }

  after(slot: number): number {
    return this.chunks[slot >> slotsPerChunkBits]![(slot & slotMask) * stride + afterField]!
  }

  /** The next older version of the same key that still has its slot, tombstone or not. */
  previous(slot: number): number {
    return this.olderVia(slot, previousField)
  }

  /** The newest version at or below main revision `atMain` in the key chain from `head`. O(log n). */
  findAt(head: number, atMain: number): number {
    let slot = head
    while (slot !== none && this.main(slot) > atMain) {
      const far = this.olderVia(slot, jumpField)
      slot = far !== none && this.main(far) > atMain ? far : this.olderVia(slot, previousField)
    }
    return slot
  }

  /** Records that the bytes of `slot` now lie elsewhere. */
  moveBytes(slot: number, chunk: number, offset: number): void {
    const words = this.chunks[slot >> slotsPerChunkBits]!
    const at = (slot & slotMask) * stride
    words[at + chunkField] = chunk
    words[at + placeField] = (words[at + placeField]! & ~offsetMask) | offset
  }

  private place(slot: number): number {
    return this.chunks[slot >> slotsPerChunkBits]![(slot & slotMask) * stride + placeField]!
  }

  private rank(slot: number): number {
    return (this.place(slot) >>> rankShift) & rankMask
  }

  private olderVia(slot: number, field: number): number {
    const target = this.chunks[slot >> slotsPerChunkBits]![(slot & slotMask) * stride + field]!
    return target !== none && this.main(target) <= this.main(slot) ? target : none
  }

  private allocate(): number {
    const slot = this.free
    if (slot !== none) {
      this.free = this.chunks[slot >> slotsPerChunkBits]![(slot & slotMask) * stride + previousField]!
      return slot
    }
    if ((this.slotCount & slotMask) === 0) this.chunks.push(new Int32Array(slotsPerChunk * stride))
    return this.slotCount++
  }
}
