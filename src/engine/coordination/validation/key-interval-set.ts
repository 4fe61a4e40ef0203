/**
 * A set of key intervals that answers whether any of them holds a key. Kept as a few sorted runs whose sizes fall
 * geometrically (each new run swallows the smaller ones before it), so that adding n intervals one batch at a time costs
 * O(n log² n) however a hostile request arranges them.
 */
import type { BinaryString } from '../../../base/index.ts'

export interface KeyInterval {
  readonly begin: BinaryString
  /** Exclusive; greater than `begin`. */
  readonly end: BinaryString
}

interface Run {
  /** Sorted by `begin`. */
  readonly intervals: readonly KeyInterval[]
  /** At i: the greatest end among the intervals 0 to i. */
  readonly maxEnds: readonly BinaryString[]
}

export class KeyIntervalSet {
  /** Largest first; each at least twice as long as the next. */
  private readonly runs: Run[] = []

  add(intervals: readonly KeyInterval[]): void {
    if (intervals.length === 0) return
    let merged = intervals
    for (let last = this.runs.at(-1); last !== undefined; last = this.runs.at(-1)) {
      if (last.intervals.length >= merged.length * 2) break
      merged = last.intervals.concat(merged)
      this.runs.pop()
    }
    this.runs.push(makeRun(merged))
  }

  addAll(other: KeyIntervalSet): void {
    for (const run of other.runs) this.add(run.intervals)
  }

  has(key: BinaryString): boolean {
    return this.runs.some((run) => runHas(run, key))
  }
}

function makeRun(intervals: readonly KeyInterval[]): Run {
  const sorted = intervals.toSorted((a, b) => (a.begin < b.begin ? -1 : a.begin > b.begin ? 1 : 0))
  const maxEnds: BinaryString[] = []
  let maxEnd = ''
  for (const { end } of sorted) {
    if (end > maxEnd) maxEnd = end
    maxEnds.push(maxEnd)
  }
  return { intervals: sorted, maxEnds }
}

/** Some interval holds `key` when, of those that begin at or before it, one ends after it. */
function runHas(run: Run, key: BinaryString): boolean {
  let low = 0
  let high = run.intervals.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (run.intervals[middle]!.begin <= key) low = middle + 1
    else high = middle
  }
  return low > 0 && run.maxEnds[low - 1]! > key
}
