import { concatBytes } from '../../base/index.ts'
import { DiskError, type DiskFile } from '../index.ts'
import type { FileChange, FileInode } from '../power-loss/index.ts'
import type { BegunOperation, SimulatedDisk } from './disk.ts'
import { ioError, noSpaceError, syncError } from './disk-faults.ts'

/** What became of a write or truncation as it was asked for. */
interface Begun {
  readonly operation: BegunOperation
  readonly changes: readonly FileChange[]
  /** What it fails with when it returns. */
  readonly error: DiskError | undefined
}

/** An open file of a simulated node. */
export class SimulatedDiskFile implements DiskFile {
  readonly path: string
  private readonly disk: SimulatedDisk
  private readonly inode: FileInode
  private readonly writable: boolean
  private closed = false
  /** Set by a failed sync; refuses all later ones, as the real disk's file does. */
  private syncFailed = false
  /** The unsynced changes made through this handle. */
  private readonly ownChanges = new Set<FileChange>()
  /** Set by the first sync through this handle, which covers what others left unsynced too. */
  private syncedOnce = false

  constructor(disk: SimulatedDisk, path: string, inode: FileInode, writable: boolean) {
    this.disk = disk
    this.path = path
    this.inode = inode
    this.writable = writable
  }

  sizeBytes(): Promise<number> {
    return this.perform('disk-size', () => this.inode.current.length)
  }

  read(position: number, length: number): Promise<Uint8Array> {
    return this.perform('disk-read', () => this.readNow(position, length))
  }

  write(position: number, chunks: readonly Uint8Array[]): Promise<void> {
    return this.change('disk-write', () => this.writeNow(position, chunks))
  }

  truncate(sizeBytes: number): Promise<void> {
    return this.change('disk-truncate', () => {
      const growth = sizeBytes - this.inode.current.length
      if (growth > 0) this.disk.state.requireSpace(this.path, growth)
      return { changes: [this.inode.truncate(sizeBytes)], error: undefined }
    })
  }

  /** A one-trip write syncs its own range and what this handle wrote before, but not what other handles wrote. */
  async writeDurably(position: number, chunks: readonly Uint8Array[]): Promise<void> {
    this.requireSyncable()
    const { operation, changes, error } = this.beginChange('disk-write-durably', () => this.writeNow(position, chunks))
    const covered = this.inode.coverable().filter((each) => !this.syncedOnce || this.ownChanges.has(each))
    await this.syncChanges(operation, [...covered, ...changes], error)
  }

  async sync(): Promise<void> {
    this.requireSyncable()
    await this.syncChanges(this.disk.begin('disk-sync', this.path), this.inode.coverable(), undefined)
  }

  async close(): Promise<void> {
    if (this.closed) return
    await this.perform('disk-close', () => {})
    this.closed = true
  }

  private async syncChanges(
    operation: BegunOperation,
    changes: readonly FileChange[],
    writeError: DiskError | undefined,
  ): Promise<void> {
    const { state } = this.disk
    const finish = (): void => {
      if (writeError !== undefined) {
        if (writeError.code === 'IO') this.syncFailed = true
        for (const change of changes) change.completed = true
        throw writeError
      }
      if (state.faults.failSyncs) {
        this.syncFailed = true
        this.inode.syncFailed(changes, state.mishaps)
        state.report('sync-failed', this.path)
        throw syncError(this.path)
      }
      for (const change of changes) this.ownChanges.delete(change)
      this.syncedOnce = true
      this.inode.sync(changes)
    }
    await this.disk.finish(operation, finish, state.faults.syncDelayMs)
  }

  private async change(kind: string, begin: () => Omit<Begun, 'operation'>): Promise<void> {
    const { operation, changes, error } = this.beginChange(kind, begin)
    await this.disk.finish(operation, () => {
      for (const change of changes) change.completed = true
      if (error !== undefined) throw error
    })
  }

  /** Changes the file now, unless the node is dead, which it may be from this very operation on. */
  private beginChange(kind: string, begin: () => Omit<Begun, 'operation'>): Begun {
    this.requireOpen()
    const operation = this.disk.begin(kind, this.path)
    if (!this.disk.alive) return { operation, changes: [], error: undefined }
    const { changes, error } = begin()
    for (const change of changes) this.ownChanges.add(change)
    return { operation, changes, error }
  }

  private writeNow(position: number, chunks: readonly Uint8Array[]): Omit<Begun, 'operation'> {
    if (!this.writable) {
      throw new DiskError('CLOSED', this.path, `cannot write: ${this.path}: it was opened to read only.`)
    }
    const bytes = concatBytes(chunks)
    const { state } = this.disk
    const { faults, mishaps } = state
    const growth = position + bytes.length - this.inode.current.length
    const lacking = growth > 0 ? growth - state.freeBytes() : 0
    if (lacking > 0) {
      state.report('no-space', this.path)
      return this.writePrefix(position, bytes, faults.full ? 0 : bytes.length - lacking, noSpaceError(this.path))
    }
    if (mishaps.chance(faults.writeErrorProbability)) {
      state.report('write-error', this.path)
      return this.writePrefix(position, bytes, mishaps.below(bytes.length + 1), ioError('write', this.path))
    }
    if (mishaps.chance(faults.misdirectedWriteProbability)) {
      state.misdirect(this.path, bytes)
      return { changes: growth > 0 ? [this.inode.truncate(position + bytes.length)] : [], error: undefined }
    }
    return { changes: [this.inode.write(position, bytes)], error: undefined }
  }

  private writePrefix(position: number, bytes: Uint8Array, length: number, error: DiskError): Omit<Begun, 'operation'> {
    return { changes: length > 0 ? [this.inode.write(position, bytes.subarray(0, length))] : [], error }
  }

  private readNow(position: number, length: number): Uint8Array {
    const { state } = this.disk
    const { faults, mishaps } = state
    if (mishaps.chance(faults.readErrorProbability)) {
      state.report('read-error', this.path)
      throw ioError('read', this.path)
    }
    const bytes = this.inode.current.read(position, length)
    if (bytes.length === 0 || !mishaps.chance(faults.misdirectedReadProbability)) return bytes
    const elsewhere = mishaps.below(this.inode.current.length - bytes.length + 1)
    state.report('read-misdirected', `${this.path}: ${bytes.length} bytes at ${position} from ${elsewhere}`)
    return this.inode.current.read(elsewhere, bytes.length)
  }

  private async perform<T>(kind: string, action: () => T): Promise<T> {
    this.requireOpen()
    return this.disk.perform(kind, this.path, action)
  }

  private requireOpen(): void {
    if (this.closed) {
      throw new DiskError('CLOSED', this.path, `cannot use ${this.path}: the file was closed before this call.`)
    }
  }

  private requireSyncable(): void {
    this.requireOpen()
    if (this.syncFailed) {
      const message = `cannot sync: ${this.path}: an earlier sync failed, so unsynced bytes may be lost. Restart the node.`
      throw new DiskError('IO', this.path, message)
    }
  }
}
