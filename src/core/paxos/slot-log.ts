import { assert, assertDefined, emptyBytes } from '../../base/index.ts'
import type { Entry } from '../replicated-log.ts'
import type { Proposal } from './synod/index.ts'

/**
 * What this acceptor has accepted in one slot: the ballot, and the value. The value carries the round that proposed it first
 * (`value.term`), which is part of it and therefore the same on all nodes, in whatever ballot they accepted it.
 */
export type Slot = Proposal<Entry>

/**
 * The window of slots held in memory: those after a base position. Owned by `PaxosState`; slots before the base are in a
 * snapshot.
 *
 * Invariants:
 * - L1  Element i of the window is slot `baseIndex + 1 + i`, or a gap. The last element is no gap.
 * - L2  `bytes` is the sum of `entryBytes` over the window.
 */
export class SlotLog {
  private window: (Slot | undefined)[] = []
  /** The position just before the window. */
  private baseIndex: number
  private sizeBytes = 0

  constructor(baseIndex: number, slots: readonly Slot[]) {
    this.baseIndex = baseIndex
    for (const slot of slots) this.put(slot)
  }

  /** The first slot held, or the one after the base when the window is empty. */
  get firstIndex(): number {
    return this.baseIndex + 1
  }

  /** The highest slot that is accepted here; `firstIndex - 1` when there is none. */
  get lastIndex(): number {
    return this.baseIndex + this.window.length
  }

  /** Memory the slots are accounted for: payloads and a fixed overhead each. */
  get bytes(): number {
    return this.sizeBytes
  }

  /** Undefined for a gap and outside the window. */
  at(index: number): Slot | undefined {
    return this.window[index - this.baseIndex - 1]
  }

  /** The ballot in which `index` was accepted; 0 when it was not, or lies outside the window. */
  ballotAt(index: number): number {
    return this.window[index - this.baseIndex - 1]?.ballot ?? 0
  }

  entryAt(index: number): Entry {
    return assertDefined(this.at(index), 'the slot is accepted here').value
  }

  /** The values of the slots from `fromIndex` to `toIndex`, both included; none is a gap. */
  entries(fromIndex: number, toIndex: number): readonly Entry[] {
    assert(fromIndex > this.baseIndex, 'the entries start in the window')
    assert(toIndex <= this.lastIndex, 'the entries end in the window')
    const entries: Entry[] = []
    for (let index = fromIndex; index <= toIndex; index++) entries.push(this.entryAt(index))
    return entries
  }

  /** Values from `fromIndex` to at most `toIndex`, as many as fit `maxBytes`, and at least one if there is any. */
  batch(fromIndex: number, toIndex: number, maxBytes: number): readonly Entry[] {
    const entries: Entry[] = []
    let bytes = 0
    for (let index = fromIndex; index <= toIndex; index++) {
      const entry = this.entryAt(index)
      bytes += entryBytes(entry)
      if (bytes > maxBytes && entries.length > 0) break
      entries.push(entry)
    }
    return entries
  }

  /** Accepts: replaces what the slot held. */
  put(slot: Slot): void {
    const at = slot.value.index - this.baseIndex - 1
    assert(at >= 0, 'a slot before the window is never accepted anew')
    const known = this.window[at]
    if (known !== undefined) this.sizeBytes -= entryBytes(known.value)
    while (this.window.length < at) this.window.push(undefined)
    this.window[at] = slot
    this.sizeBytes += entryBytes(slot.value)
  }

  /** Forgets the slots up to `index`; what lies above stays. */
  compactTo(index: number): void {
    if (index <= this.baseIndex) return
    const dropped = this.window.splice(0, index - this.baseIndex)
    for (const slot of dropped) if (slot !== undefined) this.sizeBytes -= entryBytes(slot.value)
    this.baseIndex = index
  }

  /** Checks all of a small window, and the end of a large one. */
  validate(): void {
    let bytes = 0
    const from = Math.max(0, this.window.length - validatedMax)
    for (let i = from; i < this.window.length; i++) {
      const slot = this.window[i]
      if (slot === undefined) continue
      assert(slot.value.index === this.baseIndex + 1 + i, 'values sit at their slot (L1)')
      assert(slot.value.term <= slot.ballot, 'a value was proposed before it was accepted')
      bytes += entryBytes(slot.value)
    }
    assert(this.window.length === 0 || this.window.at(-1) !== undefined, 'the window ends with a slot (L1)')
    assert(bytes <= this.sizeBytes, 'bytes are accounted for (L2)')
    assert(from > 0 || bytes === this.sizeBytes, 'bytes are accounted for (L2)')
  }
}

/** Slots that `validate` looks at in one call. */
const validatedMax = 512

/** What a value counts for in limits: its payload and a fixed overhead. */
export function entryBytes(entry: Entry): number {
  return entry.payload.length + 16
}

/** The payload of the value that fills gaps and opens a leader's round. */
export const noopPayload: Uint8Array = emptyBytes
