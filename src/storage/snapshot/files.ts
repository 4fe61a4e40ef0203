import type { SnapshotMeta } from '../../core/index.ts'
import type { Disk, Logger } from '../../runtime/index.ts'
import { SnapshotError, snapshotError } from './errors.ts'
import type { SnapshotOwner } from './format.ts'
import { SnapshotReader } from './reader.ts'
import { SnapshotWriter } from './writer.ts'

export interface OpenSnapshotFilesOptions extends SnapshotOwner {
  readonly disk: Disk
  /** Made when absent; its parent must exist durably. Several groups may share it. */
  readonly directory: string
  readonly logger: Logger
  /** How many finished snapshots stay. Default 2: if the newest rots, the one before it and a longer log can do. */
  readonly keep?: number | undefined
}

/** Where a snapshot stands in the log. */
export interface SnapshotName {
  readonly index: number
  readonly term: number
}

const namePattern = /^g(\d{10})-i(\d{16})-t(\d{16})\.snap$/

/** Opens the snapshots of one group, and removes what unfinished attempts left. Rejects with a {@link SnapshotError}. */
export async function openSnapshotFiles(options: OpenSnapshotFilesOptions): Promise<SnapshotFiles> {
  const { disk, directory, group } = options
  try {
    await disk.makeDirectory(directory)
    await disk.syncDirectory(parentOf(directory))
    const names: SnapshotName[] = []
    for (const name of await disk.readDirectory(directory)) {
      if (name.startsWith(groupPrefix(group)) && name.endsWith('.tmp')) await disk.remove(`${directory}/${name}`)
      const match = namePattern.exec(name)
      if (match !== null && Number(match[1]) === group) names.push({ index: Number(match[2]), term: Number(match[3]) })
    }
    // A name may have been seen only: a rename that was not synced. What is returned must survive.
    await disk.syncDirectory(directory)
    return new SnapshotFiles(options, names)
  } catch (error) {
    throw snapshotError('opened', error)
  }
}

/**
 * The snapshots of one group on one node, named `g<group>-i<index>-t<term>.snap`. Owned by the group's host.
 *
 * Invariants:
 * - I1  A file with a snapshot's name was whole and durable once; if it is not whole now, it was damaged.
 * - I2  The newest `keep` stay.
 */
export class SnapshotFiles {
  private readonly options: OpenSnapshotFilesOptions
  /** Oldest first. */
  private names: SnapshotName[]
  private attempts = 0

  constructor(options: OpenSnapshotFilesOptions, names: readonly SnapshotName[]) {
    this.options = options
    this.names = [...names].sort(byIndex)
  }

  /**
   * The finished snapshots, oldest first. A host that wants to survive the loss of the newest releases its log only up to
   * the one before it.
   */
  list(): readonly SnapshotName[] {
    return this.names
  }

  /** Begins to write a snapshot at `meta`. Rejects with a {@link SnapshotError}. */
  create(meta: SnapshotMeta): Promise<SnapshotWriter> {
    const { disk, directory } = this.options
    const path = this.pathOf(meta)
    const temporaryPath = `${path}.${this.attempts++}.tmp`
    const onFinished = () => this.add({ index: meta.index, term: meta.term })
    return SnapshotWriter.create({ disk, directory, temporaryPath, path, owner: this.options, meta, onFinished })
  }

  /**
   * The newest intact snapshot, at its first chunk, or undefined when there is none. All of it is read and checked before.
   * Damaged ones are logged as errors, passed over and named in `damagedPaths`: whether the log still reaches back to the
   * older one, `openWal` knows (`SNAPSHOT_MISSING`). `below` leaves out those at that index and after. Rejects with `UNSUPPORTED_VERSION`, `FOREIGN` or `IO`.
   */
  async openNewest(
    below = Number.POSITIVE_INFINITY,
  ): Promise<{ readonly reader: SnapshotReader | undefined; readonly damagedPaths: string[] }> {
    const damagedPaths: string[] = []
    for (const name of this.names.filter(({ index }) => index < below).reverse()) {
      try {
        await this.verify(name)
        return { reader: await this.open(name), damagedPaths }
      } catch (error) {
        if (!(error instanceof SnapshotError && error.code === 'DAMAGED')) throw error
        this.options.logger.error('a snapshot is damaged', { path: this.pathOf(name), reason: error.message })
        damagedPaths.push(this.pathOf(name))
      }
    }
    return { reader: undefined, damagedPaths }
  }

  /** Opens a snapshot of `list()`, to be checked while it is read. */
  async open(name: SnapshotName): Promise<SnapshotReader> {
    const reader = await SnapshotReader.open(this.options.disk, this.pathOf(name), this.options)
    if (reader.meta.index === name.index && reader.meta.term === name.term) return reader
    await reader.close()
    throw new SnapshotError(
      'DAMAGED',
      `${reader.path} holds the snapshot at ${reader.meta.index}, not at ${name.index}.`,
    )
  }

  private async verify(name: SnapshotName): Promise<void> {
    const reader = await this.open(name)
    try {
      await reader.verify()
    } finally {
      await reader.close()
    }
  }

  private async add(name: SnapshotName): Promise<void> {
    const others = this.names.filter((other) => other.index !== name.index || other.term !== name.term)
    this.names = [...others, name].sort(byIndex)
    const { disk, directory, keep = 2, logger } = this.options
    const superseded = this.names.splice(0, Math.max(0, this.names.length - Math.max(1, keep)))
    try {
      for (const old of superseded) await disk.remove(this.pathOf(old))
      if (superseded.length > 0) await disk.syncDirectory(directory)
    } catch (error) {
      // Harmless: the new snapshot is durable, and the next start lists and prunes what is left.
      logger.warn('an old snapshot was not removed', { directory, reason: String(error) })
    }
  }

  private pathOf(name: SnapshotName): string {
    const index = String(name.index).padStart(16, '0')
    const term = String(name.term).padStart(16, '0')
    return `${this.options.directory}/${groupPrefix(this.options.group)}i${index}-t${term}.snap`
  }
}

function byIndex(a: SnapshotName, b: SnapshotName): number {
  return a.index - b.index || a.term - b.term
}

function groupPrefix(group: number): string {
  return `g${String(group).padStart(10, '0')}-`
}

function parentOf(path: string): string {
  const slash = path.replace(/\/+$/, '').lastIndexOf('/')
  return slash < 0 ? '.' : slash === 0 ? '/' : path.slice(0, slash)
}
