import { type HardState, noMember } from '../../core/index.ts'
import type { Disk, Logger, Random } from '../../runtime/index.ts'
import { corrupt, withDiskErrors } from './errors.ts'
import { type HardStateFile, openHardStateFile } from './hard-state-file.ts'
import { alignUp, defaultQueuedBytesMax, defaultSegmentBytes, segmentNumber } from './layout.ts'
import { listSegments, type Recovered, recoverSegments } from './recovery.ts'
import { checkFloor, Replay } from './replay.ts'
import { SegmentChain } from './segment-chain.ts'
import { prepareSegment } from './segment-file.ts'
import type { NodeTag, RecoveredGroup, RecoveryReport, SnapshotPosition, WalState } from './types.ts'
import { Wal } from './wal.ts'

export interface OpenWalOptions {
  readonly disk: Disk
  /** Made when absent. Its parent must exist durably. */
  readonly directory: string
  readonly logger: Logger
  /** For the salts of segments. */
  readonly random: Random
  /** A directory written under another tag is refused. */
  readonly nodeTag: NodeTag
  /** Size of new segments; existing ones keep theirs. At least 8 KiB, rounded up to sectors. Default 64 MiB. */
  readonly segmentBytes?: number | undefined
  /**
   * Size of the first segment of a new log, likewise: it is filled with zeros before the log opens, so that a small one opens
   * sooner. Default `segmentBytes`.
   */
  readonly firstSegmentBytes?: number | undefined
  /** Past this many bytes waiting for the disk `append` rejects with `OVERLOADED`. Default 256 MiB. */
  readonly queuedBytesMax?: number | undefined
  /** What each group restores from besides the log. A group that is not named has no snapshot. */
  readonly snapshots?: ReadonlyMap<number, SnapshotPosition> | undefined
  /** Called on every change, after it. */
  readonly onStateChange?: ((state: WalState) => void) | undefined
  /** Called once when a write or sync failed, before the pending appends reject. The node must end. */
  readonly onFailure?: ((error: unknown) => void) | undefined
}

export interface OpenedWal {
  readonly wal: Wal
  readonly groups: Map<number, RecoveredGroup>
  readonly report: RecoveryReport
}

const segmentBytesMin = 8192

/**
 * Opens the log in `directory`, or makes a new one when nothing is there (`report.fresh`). When it resolves, everything it
 * returns is durable. The caller holds the lock of the data directory.
 *
 * Rejects with a {@link WalError}: `CORRUPT`, `SNAPSHOT_MISSING`, `FOREIGN`, `UNSUPPORTED_VERSION`, `NO_SPACE` (only for a
 * new log), `IO`.
 */
export async function openWal(options: OpenWalOptions): Promise<OpenedWal> {
  return withDiskErrors('opened', async () => {
    const { disk, directory, nodeTag } = options
    await disk.makeDirectory(directory)
    await disk.syncDirectory(parentOf(directory))
    const state = await openHardStateFile(disk, directory, nodeTag)
    try {
      return await openWith(options, state)
    } catch (error) {
      await state.twin.close()
      throw error
    }
  })
}

async function openWith(options: OpenWalOptions, state: HardStateFile): Promise<OpenedWal> {
  const { disk, directory, logger, nodeTag } = options
  const segmentBytes = alignUp(Math.max(options.segmentBytes ?? defaultSegmentBytes, segmentBytesMin))
  const fresh = state.twin.found === undefined
  if (fresh) await beginLog(options, state)
  await disk.syncDirectory(directory)
  let numbers = await listSegments(disk, directory, state)
  const firstSegmentBytes = alignUp(Math.max(options.firstSegmentBytes ?? segmentBytes, segmentBytesMin))
  if (numbers.length === 0) numbers = await makeFirstSegment(options, firstSegmentBytes)
  const snapshots = options.snapshots ?? new Map<number, SnapshotPosition>()
  const replay = new Replay(snapshots)
  const recovered = await recoverSegments(disk, directory, numbers, nodeTag, replay, logger)
  try {
    const groups = restoreGroups(replay, state, snapshots)
    if (state.lastSegment < numbers.at(-1)!) {
      state.lastSegment = numbers.at(-1)!
      await state.save()
    }
    const wal = startWal(options, segmentBytes, state, recovered, replay)
    const { repairedCopies } = state.twin
    if (repairedCopies > 0) logger.warn('rewrote a stale or damaged copy of the hard state', { directory })
    const { frames, tornBytes } = recovered
    const segments = recovered.segments.length
    return { wal, groups, report: { fresh, segments, frames, records: replay.records, tornBytes, repairedCopies } }
  } catch (error) {
    for (const segment of recovered.segments) await segment.file.close().catch(() => undefined)
    throw error
  }
}

/** Writes the first hard state file of a directory without one. */
async function beginLog(options: OpenWalOptions, state: HardStateFile): Promise<void> {
  const names = await options.disk.readDirectory(options.directory)
  const segment = names.find((name) => segmentNumber(name) !== undefined)
  if (segment !== undefined) throw corrupt(`${state.path} is missing, though ${segment} is there`)
  await state.save()
}

async function makeFirstSegment(options: OpenWalOptions, segmentBytes: number): Promise<number[]> {
  const { disk, directory, random, nodeTag } = options
  const size = { number: 1, sizeBytes: segmentBytes }
  const segment = await prepareSegment({ disk, directory, random, tag: nodeTag, ...size, stopped: () => false })
  await segment?.file.close()
  return [1]
}

function restoreGroups(
  replay: Replay,
  state: HardStateFile,
  snapshots: ReadonlyMap<number, SnapshotPosition>,
): Map<number, RecoveredGroup> {
  const groups = new Map<number, RecoveredGroup>()
  for (const [group, { hardState, floor }] of state.groups) {
    checkFloor(group, snapshots.get(group)?.index ?? 0, floor)
    groups.set(group, { hardState, entries: [] })
  }
  for (const [group, log] of replay.groups) {
    const hardState: HardState = groups.get(group)?.hardState ?? { term: 0, votedFor: noMember }
    groups.set(group, { hardState, entries: log.finish(group) })
  }
  return groups
}

function startWal(
  options: OpenWalOptions,
  segmentBytes: number,
  state: HardStateFile,
  recovered: Recovered,
  replay: Replay,
): Wal {
  const { disk, directory, logger, random, nodeTag } = options
  let wal: Wal | undefined
  const onFailure = (error: unknown) => wal?.fail(error)
  const start = { segments: recovered.segments, active: recovered.active, ...recovered.position }
  const chain = new SegmentChain({ disk, directory, logger, random, nodeTag, segmentBytes, onFailure }, state, start)
  const nextIndexes = new Map<number, number>()
  for (const [group, log] of replay.groups) {
    if (log.gapless) nextIndexes.set(group, log.nextIndex)
  }
  wal = new Wal(chain, state, nextIndexes, {
    logger,
    segmentBytes,
    queuedBytesMax: options.queuedBytesMax ?? defaultQueuedBytesMax,
    onStateChange: options.onStateChange,
    onFailure: options.onFailure,
  })
  chain.prepareAhead()
  for (const [group, { restartAfter }] of replay.groups) {
    if (restartAfter === undefined) continue
    // Not awaited: it goes to the disk before anything appended later. If the log fails, that fails too.
    wal.append([{ group, restartAfter, entries: [], hardState: undefined }]).catch(() => undefined)
  }
  return wal
}

function parentOf(path: string): string {
  const slash = path.replace(/\/+$/, '').lastIndexOf('/')
  return slash < 0 ? '.' : slash === 0 ? '/' : path.slice(0, slash)
}
