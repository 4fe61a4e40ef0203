/**
 * Makes the beginning of a new group out of what one member of a lost one has: offline, from one directory into another.
 *
 * - C1  Everything in the member's log is applied, whether it was known to be committed or not: what a majority had
 *       acknowledged is kept wherever this member has it, at the price of keeping what never was acknowledged, too. In
 *       Paxos this may go over gaps, which are reported.
 * - C2  The old directory keeps all it had. The new one is whole and durable when this resolves, and means nothing before
 *       somebody points to it.
 */
import type { Entry, MemberId, SnapshotMeta } from '../../core/index.ts'
import type { Runtime } from '../../runtime/index.ts'
import { openSnapshotFiles, type SnapshotFiles } from '../../storage/snapshot/index.ts'
import { openWal } from '../../storage/wal/index.ts'
import type { Algorithm } from './algorithm.ts'
import { commandOf } from './envelope.ts'
import { restoreState } from './restore-state.ts'
import type { StateMachine } from './state-machine.ts'

const chunkBytes = 256 * 1024

export interface CollapseSetup {
  readonly runtime: Runtime
  readonly group: number
  readonly memberId: MemberId
  readonly algorithm: Algorithm<unknown>
  readonly machine: StateMachine<unknown>
  /** Where the member's `wal/` and `snap/` are. */
  readonly from: { readonly directory: string; readonly clusterId: bigint }
  /** Where the new ones go; made, durably, and in place of what is there. Undefined: only read. */
  readonly to: { readonly directory: string; readonly clusterId: bigint } | undefined
  readonly walSegmentBytes?: number | undefined
  /** Called with everything applied, before the new state is written. */
  readonly prepare: () => void
}

export interface CollapseReport {
  /** The index of the last entry that the member had; 0 when it had none. */
  readonly lastIndex: number
  /**
   * The highest term in which an entry was written: Raft's last entry has it, in Paxos it is a ballot. Of several members
   * the one with the highest is the most up-to-date, and among those the one with the highest index (Raft §5.4.1).
   */
  readonly lastTerm: number
  /** The latest that the member had entered. */
  readonly term: number
  /** The index of its snapshot; everything up to it was committed. */
  readonly snapshotIndex: number
  /** Entries applied after the snapshot. */
  readonly entries: number
  /** Entries up to `lastIndex` that the member never received, Paxos only: they were accepted out of order. */
  readonly missing: number
}

/** Rejects with a WalError, SnapshotError, RestoreError or DiskError. Without any entry, nothing is written. */
export async function collapseGroup(setup: CollapseSetup): Promise<CollapseReport> {
  const survivor = await readSurvivor(setup)
  if (survivor.lastIndex === 0) return survivor
  setup.prepare()
  if (setup.to !== undefined) await writeBeginning(setup, setup.to, survivor)
  return survivor
}

async function readSurvivor(setup: CollapseSetup): Promise<CollapseReport> {
  const { runtime, group, algorithm, machine, from } = setup
  const files = await openFiles(setup, from)
  const newest = await restoreNewest(setup, files)
  const snapshot = newest ?? { index: 0, term: 0 }
  const opened = await openWal({
    ...walOptions(setup, from),
    snapshots: newest === undefined ? undefined : new Map([[group, { index: snapshot.index, term: snapshot.term }]]),
  })
  await opened.wal.close()
  const recovered = opened.groups.get(group)
  const records = (recovered?.entries ?? []).filter((record) => record.index > snapshot.index)
  const entries = algorithm.entriesOf(records)
  let appliedTerm = snapshot.term
  for (const entry of entries) {
    appliedTerm = Math.max(appliedTerm, entry.term)
    apply(machine, entry, appliedTerm)
  }
  const lastTerm = records.reduce((highest, record) => Math.max(highest, record.term), snapshot.term)
  const term = Math.max(lastTerm, recovered?.hardState.term ?? 0)
  const lastIndex = entries.at(-1)?.index ?? snapshot.index
  runtime.logger.info('read what the member had', { lastIndex, lastTerm, term, snapshotIndex: snapshot.index })
  const missing = lastIndex - snapshot.index - entries.length
  return { lastIndex, lastTerm, term, snapshotIndex: snapshot.index, entries: entries.length, missing }
}

/** Leaves the machine as the newest snapshot has it that can be restored; undefined when there is none. */
async function restoreNewest(
  { runtime, machine }: CollapseSetup,
  files: SnapshotFiles,
): Promise<SnapshotMeta | undefined> {
  let reader = (await files.openNewest()).reader
  let meta: SnapshotMeta | undefined
  while (reader !== undefined) {
    meta = reader.meta
    reader = await restoreState(reader, files, machine, (path, reason) => {
      runtime.logger.error('a snapshot cannot be restored; taking the one before it', { path, reason })
    })
  }
  return meta
}

/** `term` as `CommandPosition` has it. */
function apply(machine: StateMachine<unknown>, { index, kind, payload }: Entry, term: number): void {
  if (kind === 'command') machine.apply(commandOf(payload), { index, term }, false)
}

/** A snapshot at the last index, a log that begins after it, and nothing else (C2). */
async function writeBeginning(
  setup: CollapseSetup,
  to: CollapseSetup['from'],
  { lastIndex, term }: CollapseReport,
): Promise<void> {
  const { runtime, group, memberId, machine } = setup
  const { disk } = runtime
  await disk.remove(to.directory)
  await disk.makeDirectory(to.directory)
  await disk.syncDirectory(to.directory.slice(0, to.directory.lastIndexOf('/')) || '/')
  const files = await openFiles(setup, to)
  const image = machine.snapshot()
  try {
    const configuration = { voters: [memberId], outgoing: [], learners: [] }
    const writer = await files.create({ index: lastIndex, term, configuration })
    for (let chunk = image.next(chunkBytes); chunk !== undefined; chunk = image.next(chunkBytes))
      await writer.write(chunk)
    await writer.finish()
  } finally {
    image.close()
  }
  const { wal } = await openWal({
    ...walOptions(setup, to),
    snapshots: new Map([[group, { index: lastIndex, term }]]),
  })
  try {
    await wal.append([{ group, entries: [], hardState: { term, votedFor: 0n } }])
  } finally {
    await wal.close()
  }
}

function openFiles({ runtime, group, memberId }: CollapseSetup, place: CollapseSetup['from']): Promise<SnapshotFiles> {
  const { directory, clusterId } = place
  const { disk, logger } = runtime
  return openSnapshotFiles({ disk, directory: `${directory}/snap`, logger, group, clusterId, memberId })
}

function walOptions({ runtime, memberId, walSegmentBytes }: CollapseSetup, place: CollapseSetup['from']) {
  const { directory, clusterId } = place
  return {
    disk: runtime.disk,
    directory: `${directory}/wal`,
    logger: runtime.logger,
    random: runtime.random.fork('wal'),
    nodeTag: { clusterId, memberId },
    segmentBytes: walSegmentBytes,
  }
}
