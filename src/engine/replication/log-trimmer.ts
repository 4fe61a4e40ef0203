/** Decides how much of the applied log stays in memory: a tail for slow followers, bounded in entries and bytes. */
import type { CoreStatus, Entry } from '../../core/index.ts'
import type { GroupOptions } from './options.ts'

/** Entries looked at in one step back from the end. */
const stepCount = 1024
/** Entries applied between two looks; also after as many bytes as the tail may have. */
const lookEvery = 1024

type Entries = (fromIndex: number, toIndex: number) => readonly Entry[]

export class LogTrimmer {
  private readonly options: Pick<GroupOptions, 'tailCount' | 'tailBytes' | 'lagBytesMax'>
  private readonly entries: Entries
  /** Applied since the last look. */
  private count = 0
  private bytes = 0

  constructor(options: Pick<GroupOptions, 'tailCount' | 'tailBytes' | 'lagBytesMax'>, entries: Entries) {
    this.options = options
    this.entries = entries
  }

  noteApplied(entry: Entry): void {
    this.count++
    this.bytes += entry.payload.length
  }

  get isDue(): boolean {
    return this.count >= lookEvery || this.bytes > this.options.tailBytes
  }

  /** The index up to which entries may be forgotten; below `status.firstIndex` for none. */
  trimTo(status: CoreStatus, appliedIndex: number): number {
    this.count = this.bytes = 0
    const { tailCount, tailBytes, lagBytesMax } = this.options
    const { firstIndex, progress } = status
    const compactTo = Math.max(appliedIndex - tailCount, this.lastBeyond(firstIndex, appliedIndex, tailBytes))
    // A follower that answers but lags is spared a snapshot as long as the lag is bounded.
    let slowest = compactTo
    for (const peer of progress.values()) if (peer.recentlyActive) slowest = Math.min(slowest, peer.matchIndex)
    if (slowest >= compactTo) return compactTo
    return Math.max(slowest, this.lastBeyond(firstIndex, appliedIndex, lagBytesMax))
  }

  /** The newest index such that the entries from it to `lastIndex` hold more than `bytesMax`; `firstIndex - 1` for none. */
  private lastBeyond(firstIndex: number, lastIndex: number, bytesMax: number): number {
    let bytes = 0
    for (let to = lastIndex; to >= firstIndex; to -= stepCount) {
      const slice = this.entries(Math.max(firstIndex, to - stepCount + 1), to)
      for (let i = slice.length - 1; i >= 0; i--) {
        bytes += slice[i]!.payload.length
        if (bytes > bytesMax) return slice[i]!.index
      }
    }
    return firstIndex - 1
  }
}
