import type { StoreState } from './store-state.ts'

/**
 * Owns the physical side of compaction: frees what `compactedRevision` has made unreachable, then evacuates chunks
 * that have become sparse. Works in slices; called through the store's `reclaim`.
 *
 * - I1  A pass runs to its end for one `target`, even if compaction moves on meanwhile; then the next one begins.
 * - I2  A pass starts at the first record at or above the last target: those at that very revision are looked at
 *       twice, because tombstones made there are kept until the compaction after.
 * - I3  No bytes move during a pass, and no record is released during an evacuation.
 *
 * Worked example: records a@2, b@3, a@4, tombstone b@5, a@6; compacted at 5. The pass visits a@2 (has no previous),
 * b@3, a@4: frees a@2; b@5: frees b@3, and is kept itself as a tombstone at 5. Compacted at 6: the pass starts at
 * b@5, which is the head of b: frees it and removes b; a@6: frees a@4.
 */

/** Records handled between two looks at the clock. */
const recordsPerCheck = 64
/** An evacuation starts when it would free this much, and a quarter of the arena. */
const evacuatedBytesMin = 2 * 1024 * 1024

export class Reclaimer {
  private readonly state: StoreState
  /** The revision the running pass compacts to; 0 when none runs. */
  private target = 0
  /** The first record at `target` that still has a slot, or -1: where the next pass starts (I2). */
  private firstAtTarget = -1
  /** The chunks being evacuated, by number; a chunk number used again is another chunk. */
  private victims: (Buffer | undefined)[] | undefined
  private evacuationNext = -1

  constructor(state: StoreState) {
    this.state = state
  }

  /** Works until `now()` has advanced by `budgetMs`. True while there is more that can be done. */
  run(budgetMs: number, now: () => number): boolean {
    const deadline = now() + budgetMs
    while (this.state.pins === 0) {
      if (!this.step()) return false
      if (now() >= deadline) return true
    }
    return false
  }

  /** Handles some records. False when nothing is left to do. */
  private step(): boolean {
    const { state } = this
    if (this.victims !== undefined) this.evacuate()
    else if (this.target > 0) this.pass()
    else if (state.reclaimedRevision < state.compactedRevision) {
      this.target = state.compactedRevision
      this.firstAtTarget = -1
    } else return false
    return true
  }

  private pass(): void {
    const { state } = this
    const { table } = state
    for (let i = 0; i < recordsPerCheck; i++) {
      const slot = state.unreclaimedFirst
      if (slot < 0 || table.main(slot) > this.target) {
        this.finishPass()
        return
      }
      state.unreclaimedFirst = table.after(slot)
      this.reclaim(slot)
    }
  }

  /** Frees what a record at or below the target makes unreachable: the version before it, itself if an old tombstone. */
  private reclaim(slot: number): void {
    const { state } = this
    const { table } = state
    const main = table.main(slot)
    if (main === this.target && this.firstAtTarget < 0) this.firstAtTarget = slot
    const previous = table.previous(slot)
    if (previous >= 0) {
      if (previous === this.firstAtTarget) this.firstAtTarget = table.after(previous)
      state.release(previous)
    }
    if (main === this.target || !table.isTombstone(slot) || table.isSuperseded(slot)) return
    state.keys.remove(state.key(slot))
    state.release(slot)
  }

  private finishPass(): void {
    const { state } = this
    if (this.firstAtTarget >= 0) state.unreclaimedFirst = this.firstAtTarget
    state.reclaimedRevision = this.target
    this.target = 0
    state.marks.trim(state.reclaimedRevision)
    this.victims = this.chooseVictims()
    this.evacuationNext = state.table.first
  }

  private chooseVictims(): (Buffer | undefined)[] | undefined {
    const { arena } = this.state
    let freed = 0
    const victims: (Buffer | undefined)[] = []
    for (let chunk = 0; chunk < arena.chunkCount; chunk++) {
      if (!arena.isSparse(chunk)) continue
      victims[chunk] = arena.bytes(chunk)
      freed += arena.deadBytes(chunk)
    }
    return freed >= evacuatedBytesMin && freed * 4 >= arena.sizeBytes ? victims : undefined
  }

  private evacuate(): void {
    const { state, victims } = this
    const { table, arena } = state
    for (let i = 0; i < recordsPerCheck; i++) {
      const slot = this.evacuationNext
      if (slot < 0 || victims === undefined) {
        this.victims = undefined
        return
      }
      this.evacuationNext = table.after(slot)
      const chunk = table.chunk(slot)
      if (victims[chunk] !== undefined && victims[chunk] === arena.bytes(chunk)) state.moveBytes(slot)
    }
  }
}
