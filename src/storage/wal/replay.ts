import type { Entry } from '../../core/index.ts'
import { snapshotMissing } from './errors.ts'
import { type RecordSink, type RecordType, recordType } from './record.ts'
import type { SnapshotPosition } from './types.ts'

/**
 * Rebuilds the logs of all groups from records in the order they were written. Used once, by recovery.
 *
 * Also keeps, for the segment being read, the highest index each group has in it: a segment may be removed when every
 * group has released that much.
 */
export class Replay implements RecordSink {
  readonly groups = new Map<number, GroupReplay>()
  records = 0
  private segmentMaxima = new Map<number, number>()
  private readonly snapshots: ReadonlyMap<number, SnapshotPosition>
  private lastGroup = -1
  private lastReplay: GroupReplay | undefined

  /** What each group restores from: entries that it covers and nobody wants kept are passed over. */
  constructor(snapshots: ReadonlyMap<number, SnapshotPosition>) {
    this.snapshots = snapshots
  }

  /** Starts a segment; `maxima` is filled with each group's highest index in it. */
  beginSegment(maxima: Map<number, number>): void {
    this.segmentMaxima = maxima
  }

  wants(type: RecordType, group: number, index: number, term: number): boolean {
    this.records++
    const max = this.segmentMaxima.get(group)
    if (max === undefined || index > max) this.segmentMaxima.set(group, index)
    const replay = this.group(group)
    if (type === recordType.append) replay.append(index)
    return replay.wants(index, term)
  }

  entry(_type: RecordType, group: number, entry: Entry): void {
    this.group(group).put(entry)
  }

  restart(group: number, index: number): void {
    this.records++
    this.group(group).restart(index)
  }

  private group(group: number): GroupReplay {
    if (group === this.lastGroup && this.lastReplay !== undefined) return this.lastReplay
    let replay = this.groups.get(group)
    if (replay === undefined) {
      replay = new GroupReplay(this.snapshots.get(group) ?? noSnapshot)
      this.groups.set(group, replay)
    }
    this.lastGroup = group
    this.lastReplay = replay
    return replay
  }
}

/**
 * One group's log under reconstruction.
 *
 * Invariants:
 * - I1  `run` holds entries of consecutive indexes.
 * - I2  `scattered` holds entries whose index is not in `run`'s range.
 */
export class GroupReplay {
  /** The group was written in mode `log`, so gaps are damage. */
  gapless = false
  /** Mode `log`: one more than the log's last index. */
  nextIndex = 1
  /** Set by `finish` when the log was of a dead branch: the restart that is to be written. */
  restartAfter: number | undefined
  /** Entries below are not wanted. At most one above the snapshot's index. */
  private readonly keepFrom: number
  private readonly snapshot: SnapshotPosition
  /** The term of the entry at the snapshot's index, while there is one. */
  private termAtSnapshot: number | undefined
  private run: Entry[] = []
  private readonly scattered = new Map<number, Entry>()

  constructor(snapshot: SnapshotPosition) {
    this.snapshot = snapshot
    this.keepFrom = Math.min(snapshot.keepFrom ?? snapshot.index + 1, snapshot.index + 1)
  }

  /** The entry at `index` replaces every later one. `put` follows, if it is wanted. */
  append(index: number): void {
    if (index !== this.nextIndex || !this.gapless) this.truncate(index)
    this.gapless = true
    this.nextIndex = index + 1
  }

  wants(index: number, term: number): boolean {
    if (index === this.snapshot.index) this.termAtSnapshot = term
    return index >= this.keepFrom
  }

  put(entry: Entry): void {
    const { run, scattered } = this
    const index = entry.index
    const offset = run.length === 0 ? 0 : index - run[0]!.index
    if (offset >= 0 && offset < run.length) {
      run[offset] = entry
    } else if (offset === run.length) {
      run.push(entry)
      if (scattered.size > 0) scattered.delete(index)
    } else {
      scattered.set(index, entry)
    }
  }

  restart(index: number): void {
    this.gapless = true
    this.nextIndex = index + 1
    this.termAtSnapshot = undefined
    this.run = []
    this.scattered.clear()
  }

  /**
   * The entries the host gets. Throws `SNAPSHOT_MISSING` when something between the snapshot and the end of the log is not
   * there.
   */
  finish(group: number): Entry[] {
    const { snapshot, termAtSnapshot } = this
    const entries = this.sorted()
    if (!this.gapless) return entries
    const otherBranch = termAtSnapshot !== undefined && termAtSnapshot !== snapshot.term
    if (this.nextIndex <= snapshot.index || otherBranch) {
      this.restart(snapshot.index)
      this.restartAfter = snapshot.index
      return []
    }
    // Walk back from the end of the log as far as indexes follow one another.
    let from = entries.length
    let expected = this.nextIndex - 1
    while (from > 0 && entries[from - 1]!.index === expected) {
      from--
      expected--
    }
    if (expected > snapshot.index) throw gap(group, snapshot.index, expected + 1)
    return from === 0 ? entries : entries.slice(from)
  }

  /** Removes the entries from `index` on. */
  private truncate(index: number): void {
    const { run, scattered } = this
    if (index <= this.snapshot.index) this.termAtSnapshot = undefined
    if (run.length > 0) run.length = Math.min(run.length, Math.max(0, index - run[0]!.index))
    for (const key of scattered.keys()) if (key >= index) scattered.delete(key)
  }

  private sorted(): Entry[] {
    if (this.scattered.size === 0) return this.run
    return [...this.run, ...this.scattered.values()].sort((a, b) => a.index - b.index)
  }
}

/**
 * Throws `SNAPSHOT_MISSING` when entries above the snapshot were removed. `floor`: the highest index of `group` in a
 * segment that was removed.
 */
export function checkFloor(group: number, snapshotIndex: number, floor: number): void {
  if (floor > snapshotIndex) throw gap(group, snapshotIndex, floor + 1)
}

const noSnapshot: SnapshotPosition = { index: 0, term: 0 }

function gap(group: number, snapshotIndex: number, firstIndex: number): Error {
  const snapshot = snapshotIndex === 0 ? 'no snapshot was found' : `the newest snapshot found ends at ${snapshotIndex}`
  return snapshotMissing(
    `The log of group ${group} begins at index ${firstIndex}, but ${snapshot}: what lies between is lost`,
  )
}
