import type { Disk, Logger } from '../../runtime/index.ts'
import { corrupt } from './errors.ts'
import type { HardStateFile } from './hard-state-file.ts'
import { alignUp, segmentHeaderBytes, segmentName, segmentNumber } from './layout.ts'
import type { Replay } from './replay.ts'
import { openSegment, preparationName, type Segment } from './segment-file.ts'
import { type LogPosition, type SegmentScan, scanSegment } from './segment-scan.ts'
import type { NodeTag } from './types.ts'

/**
 * Reads a log that exists. Called once, by `openWal`, before anything is written.
 *
 * What is proven and what is not:
 * - A frame is proven durable by any later frame, in its segment or (as the synced position of a first frame) in the next
 *   one. Damage to a proven frame, or its absence, is `CORRUPT`.
 * - The last frame is proven by nothing (nor is a run of damaged frames that reaches the end). If it is damaged it counts as torn and is cut, although it may have been
 *   acknowledged and have rotted since: the two look the same. A seal, written when the log is closed, narrows this to
 *   logs that were not closed. If it is intact it may be in the page cache only (its sync failed or never came), so it is
 *   written again and synced before the log is used.
 * - Nothing here notices that the whole directory was replaced by an older copy of itself.
 */
export interface Recovered {
  /** All segments, oldest first, open. */
  readonly segments: Segment[]
  /** Which of them takes the next frame. */
  readonly active: number
  readonly position: LogPosition
  readonly frames: number
  readonly tornBytes: number
}

/** The numbers of the segments present, which must be the ones that `state` knows of. Removes leftovers. */
export async function listSegments(disk: Disk, directory: string, state: HardStateFile): Promise<number[]> {
  const numbers: number[] = []
  for (const name of await disk.readDirectory(directory)) {
    const number = segmentNumber(name)
    const released = number !== undefined && number < state.firstSegment
    if (released || name === preparationName) await disk.remove(`${directory}/${name}`)
    else if (number !== undefined) numbers.push(number)
  }
  for (let number = state.firstSegment; number <= Math.max(state.lastSegment, numbers.at(-1) ?? 0); number++) {
    if (!numbers.includes(number)) throw corrupt(`${directory}/${segmentName(number)} is missing`)
  }
  return numbers
}

/** Scans the segments `numbers`, cuts a torn tail, and makes the last frame durable. */
export async function recoverSegments(
  disk: Disk,
  directory: string,
  numbers: readonly number[],
  tag: NodeTag,
  replay: Replay,
  logger: Logger,
): Promise<Recovered> {
  const segments: Segment[] = []
  try {
    for (const number of numbers) segments.push(await openSegment(disk, directory, number, tag))
    return await scanAll(segments, replay, logger)
  } catch (error) {
    for (const segment of segments) await segment.file.close().catch(() => undefined)
    throw error
  }
}

async function scanAll(segments: Segment[], replay: Replay, logger: Logger): Promise<Recovered> {
  const scans: SegmentScan[] = []
  let active = 0
  let frames = 0
  let position: LogPosition = startOf(segments[0]!)
  for (const [i, segment] of segments.entries()) {
    replay.beginSegment(segment.maxima)
    const scan = await scanSegment(segment.file, segment.header, position, replay)
    scans.push(scan)
    if (scan.frames === 0) continue
    active = i
    frames += scan.frames
    position = { sequence: scan.lastFrame!.sequence + 1, syncedSegment: segment.number, syncedOffset: scan.end }
  }
  checkUnused(segments, scans, active)
  const tornBytes = await cutTail(segments, scans, active, logger)
  if (position.sequence === 0) position = { ...position, sequence: 1 }
  return { segments, active, position, frames, tornBytes }
}

/** What the first frame of the oldest segment must say: nothing is known but for segment 1. */
function startOf(oldest: Segment): LogPosition {
  return { sequence: oldest.number === 1 ? 1 : 0, syncedSegment: oldest.number - 1, syncedOffset: 0 }
}

/**
 * Checks what follows the last frame of each segment. Bytes in a later segment were written after all before them had
 * been synced, so before them there is no torn frame. (A segment can be empty: a frame that is larger goes to the next.)
 */
function checkUnused(segments: readonly Segment[], scans: readonly SegmentScan[], active: number): void {
  for (let i = 0; i < scans.length; i++) {
    const { file } = segments[i]!
    const { end, dirtyEnd } = scans[i]!
    if (i < active && dirtyEnd > end) {
      throw corrupt(`${file.path} is damaged at byte ${end}, and the log goes on in later segments`)
    }
    const laterDirty = scans.slice(i + 1).some((later) => later.dirtyEnd > later.end)
    if (dirtyEnd > end && laterDirty) {
      throw corrupt(`${file.path} is damaged at byte ${end}, and a later segment has been written to`)
    }
  }
}

/** Zeroes what follows the last intact frame and writes that frame again, so that both are certain. */
async function cutTail(
  segments: readonly Segment[],
  scans: readonly SegmentScan[],
  active: number,
  logger: Logger,
): Promise<number> {
  let tornBytes = 0
  for (let i = active; i < scans.length; i++) {
    const { file } = segments[i]!
    const { lastFrame, end, dirtyEnd } = scans[i]!
    const torn = dirtyEnd - end
    if (torn > 0) logger.warn('cut a torn frame off the log', { path: file.path, position: end, bytes: torn })
    tornBytes += torn
    const chunks: Uint8Array[] = lastFrame === undefined ? [] : [lastFrame.bytes]
    const from = lastFrame?.offset ?? segmentHeaderBytes
    const zeroBytes = alignUp(dirtyEnd) - from - (lastFrame?.bytes.length ?? 0)
    if (zeroBytes > 0) chunks.push(new Uint8Array(zeroBytes))
    if (chunks.length > 0) await file.writeDurably(from, chunks)
  }
  return tornBytes
}
