/** Decides how much of the applied log stays in memory: a tail for slow followers, bounded in entries and bytes. */
import type { CoreStatus, Entry } from '../../core/index.ts'
import type { GroupOptions } from './options.ts'

/** Entries looked at in one step back from the end. */
const stepCount = 1024

/** The index up to which entries may be forgotten; below `status.firstIndex` for none. */
export function trimTo(
  status: CoreStatus,
  appliedIndex: number,
  options: Pick<GroupOptions, 'tailCount' | 'tailBytes' | 'lagBytesMax'>,
  entries: (fromIndex: number, toIndex: number) => readonly Entry[],
): number {
  const { firstIndex, progress } = status
  const compactTo = Math.max(
    appliedIndex - options.tailCount,
    lastBeyond(firstIndex, appliedIndex, options.tailBytes, entries),
  )
  // A follower that answers but lags is spared a snapshot as long as the lag is bounded.
  let slowest = compactTo
  for (const peer of progress.values()) if (peer.recentlyActive) slowest = Math.min(slowest, peer.matchIndex)
  if (slowest >= compactTo) return compactTo
  return Math.max(slowest, lastBeyond(firstIndex, appliedIndex, options.lagBytesMax, entries))
}

/** The newest index such that the entries from it to `lastIndex` hold more than `bytesMax`; `firstIndex - 1` for none. */
function lastBeyond(
  firstIndex: number,
  lastIndex: number,
  bytesMax: number,
  entries: (fromIndex: number, toIndex: number) => readonly Entry[],
): number {
  let bytes = 0
  for (let to = lastIndex; to >= firstIndex; to -= stepCount) {
    const slice = entries(Math.max(firstIndex, to - stepCount + 1), to)
    for (let i = slice.length - 1; i >= 0; i--) {
      bytes += slice[i]!.payload.length
      if (bytes > bytesMax) return slice[i]!.index
    }
  }
  return firstIndex - 1
}
