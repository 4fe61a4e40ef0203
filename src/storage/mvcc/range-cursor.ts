import type { KeyRange, RangeCursor, RecordRef } from './store.ts'
import type { StoreState } from './store-state.ts'

/** How many keys a slice looks at, at most, for each record it may return: others may have been deleted. */
const visitsPerRecord = 4
const visitsMin = 64

/**
 * Walks a range at one revision in slices. Between slices the index may change: each begins by seeking the key at
 * which the last one stopped.
 *
 * Worked example: over keys a b c d with `max` 2, the first slice returns a and b, stops at c and keeps "c"; if c is
 * deleted and "bb" is put meanwhile, the second slice starts at c, whose version at the cursor's revision is still
 * there, returns c and d; "bb" is newer than the cursor and not seen.
 */
export class StoreRangeCursor implements RangeCursor {
  private readonly state: StoreState
  private readonly range: KeyRange
  private readonly atRevision: number
  /** Where the next slice starts; undefined when the range is exhausted. */
  private nextKey: string | undefined
  private open = true

  constructor(state: StoreState, range: KeyRange, atRevision: number) {
    this.state = state
    this.range = range
    this.atRevision = atRevision
    this.nextKey = range.key
    state.pins++
  }

  next(max: number, into: RecordRef[]): boolean {
    if (this.nextKey === undefined || !this.open) return false
    const { state, atRevision } = this
    let found = 0
    let visits = Math.max(visitsMin, max * visitsPerRecord)
    let stop: number | undefined
    state.keys.scan({ key: this.nextKey, end: this.range.end }, (head) => {
      if (found === max || visits-- === 0) {
        stop = head
        return false
      }
      const slot = state.liveAt(head, atRevision)
      if (slot >= 0) {
        into.push(slot)
        found++
      }
      return true
    })
    this.nextKey = stop === undefined ? undefined : state.key(stop)
    return stop !== undefined
  }

  close(): void {
    if (!this.open) return
    this.open = false
    this.state.pins--
  }
}
