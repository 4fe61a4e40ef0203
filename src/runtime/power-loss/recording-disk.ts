/**
 * A disk that does its work through another one and writes down what a power loss could take back. Wrapped around a
 * node's disk by tests; see `rebuildAt`.
 *
 * I1. A write or truncation is recorded when asked for, before the disk below hears of it, because a power loss may
 *     leave part of a write whose call never returned. Everything else is recorded when it is done, before the caller
 *     learns of it: what a caller was told is in the journal already.
 * I2. A sync covers the changes of its file, through whichever handle, that were complete when it began; a durable write
 *     only those of its own handle (a one-trip write syncs its own range).
 */
import { concatBytes } from '../../base/index.ts'
import type { Disk, DiskFile, DiskLock, OpenMode } from '../index.ts'
import type { JournalEvent, JournalSink } from './journal.ts'

/** What the recorder knows of one file, whatever its name is now. */
interface RecordedFile {
  /** Complete, and covered by no sync yet: the number of each change, and of the handle it came through. */
  readonly completed: Map<number, number>
}

export interface RecordingDiskOptions {
  readonly sink: JournalSink
  /** Stamps the records. Use a clock that all recorded processes share to cut them at one moment. */
  readonly nowMs: () => number
}

export class RecordingDisk implements Disk {
  private readonly inner: Disk
  private readonly options: RecordingDiskOptions
  /** The files and directories met so far, by their path now. */
  private readonly known = new Map<string, RecordedFile | 'directory'>()
  private numbers = 0

  constructor(inner: Disk, options: RecordingDiskOptions) {
    this.inner = inner
    this.options = options
    this.record({ op: 'run' })
  }

  /** Puts a mark into the journal. */
  mark(label: string): void {
    this.record({ op: 'mark', label })
  }

  async open(path: string, mode: OpenMode): Promise<DiskFile> {
    const before = await this.adopt(path)
    const file = await this.inner.open(path, mode)
    const known = this.known.get(path)
    const recorded = known === undefined || known === 'directory' ? { completed: new Map<number, number>() } : known
    this.known.set(path, recorded)
    const number = this.numbers++
    this.record({ op: 'open', path, file: number, created: before === undefined })
    return new RecordingFile(
      file,
      number,
      recorded,
      (event) => this.record(event),
      () => this.numbers++,
    )
  }

  readDirectory(path: string): Promise<string[]> {
    return this.inner.readDirectory(path)
  }

  async makeDirectory(path: string): Promise<void> {
    const missing: string[] = []
    for (let parent = path; parent !== '' && (await this.inner.stat(parent)) === undefined; ) {
      missing.unshift(parent)
      const slash = parent.lastIndexOf('/')
      parent = slash > 0 ? parent.slice(0, slash) : ''
    }
    if (missing.length === 0) await this.adopt(path)
    await this.inner.makeDirectory(path)
    for (const made of missing) {
      this.known.set(made, 'directory')
      this.record({ op: 'make-directory', path: made })
    }
  }

  stat(path: string): ReturnType<Disk['stat']> {
    return this.inner.stat(path)
  }

  async rename(from: string, to: string): Promise<void> {
    await this.adopt(from)
    await this.adopt(to)
    await this.inner.rename(from, to)
    this.forget(to)
    for (const [path, file] of [...this.known]) {
      if (path !== from && !path.startsWith(`${from}/`)) continue
      this.known.delete(path)
      this.known.set(to + path.slice(from.length), file)
    }
    this.record({ op: 'rename', path: from, to })
  }

  async remove(path: string): Promise<void> {
    await this.adopt(path)
    await this.inner.remove(path)
    this.forget(path)
    this.record({ op: 'remove', path })
  }

  async syncDirectory(path: string): Promise<void> {
    await this.inner.syncDirectory(path)
    this.record({ op: 'sync-directory', path })
  }

  /** Not recorded: no recovery depends on a lock file. */
  lock(path: string, owner: string): Promise<DiskLock> {
    return this.inner.lock(path, owner)
  }

  availableBytes(path: string): Promise<number> {
    return this.inner.availableBytes(path)
  }

  private record(event: JournalEvent): void {
    this.options.sink({ atMs: this.options.nowMs(), event })
  }

  private forget(path: string): void {
    for (const known of [...this.known.keys()]) {
      if (known === path || known.startsWith(`${path}/`)) this.known.delete(known)
    }
  }

  /** Notes what was at `path` before the recording; a directory with all below it. */
  private async adopt(path: string): Promise<'file' | 'directory' | undefined> {
    const known = this.known.get(path)
    if (known !== undefined) return known === 'directory' ? 'directory' : 'file'
    const stat = await this.inner.stat(path)
    if (stat === undefined) return undefined
    // Two calls may have waited for the same `stat`.
    if (this.known.has(path)) return stat.kind
    if (stat.kind === 'directory') {
      this.known.set(path, 'directory')
      this.record({ op: 'adopt-directory', path })
      for (const name of await this.inner.readDirectory(path)) await this.adopt(`${path}/${name}`)
      return 'directory'
    }
    this.known.set(path, { completed: new Map<number, number>() })
    const file = await this.inner.open(path, 'read')
    try {
      this.record({ op: 'adopt-file', path, bytes: await file.read(0, stat.sizeBytes) })
    } finally {
      await file.close()
    }
    return 'file'
  }
}

class RecordingFile implements DiskFile {
  private readonly inner: DiskFile
  private readonly number: number
  private readonly recorded: RecordedFile
  private readonly record: (event: JournalEvent) => void
  private readonly nextNumber: () => number

  constructor(
    inner: DiskFile,
    number: number,
    recorded: RecordedFile,
    record: (event: JournalEvent) => void,
    nextNumber: () => number,
  ) {
    this.inner = inner
    this.number = number
    this.recorded = recorded
    this.record = record
    this.nextNumber = nextNumber
  }

  get path(): string {
    return this.inner.path
  }

  sizeBytes(): Promise<number> {
    return this.inner.sizeBytes()
  }

  read(position: number, length: number): Promise<Uint8Array> {
    return this.inner.read(position, length)
  }

  async write(position: number, chunks: readonly Uint8Array[]): Promise<void> {
    const change = this.recordWrite(position, chunks)
    await this.inner.write(position, chunks)
    this.recorded.completed.set(change, this.number)
  }

  async writeDurably(position: number, chunks: readonly Uint8Array[]): Promise<void> {
    const change = this.recordWrite(position, chunks)
    const covered = [...this.recorded.completed].flatMap(([number, handle]) => (handle === this.number ? [number] : []))
    await this.inner.writeDurably(position, chunks)
    this.recordSync([...covered, change])
  }

  async sync(): Promise<void> {
    const covered = [...this.recorded.completed.keys()]
    await this.inner.sync()
    this.recordSync(covered)
  }

  async truncate(sizeBytes: number): Promise<void> {
    const change = this.nextNumber()
    this.record({ op: 'truncate', file: this.number, change, sizeBytes })
    await this.inner.truncate(sizeBytes)
    this.recorded.completed.set(change, this.number)
  }

  close(): Promise<void> {
    return this.inner.close()
  }

  private recordWrite(position: number, chunks: readonly Uint8Array[]): number {
    const change = this.nextNumber()
    this.record({ op: 'write', file: this.number, change, position, bytes: concatBytes(chunks) })
    return change
  }

  private recordSync(changes: readonly number[]): void {
    for (const change of changes) this.recorded.completed.delete(change)
    this.record({ op: 'sync', file: this.number, changes })
  }
}
