import { concatBytes } from '../../base/index.ts'
import { DiskError, type DiskFile } from '../index.ts'
import type { FileChange, FileInode } from '../power-loss/index.ts'
import { type SimulatedDisk, syncError } from './disk.ts'

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
    return this.perform('disk-read', () => this.inode.current.read(position, length))
  }

  write(position: number, chunks: readonly Uint8Array[]): Promise<void> {
    return this.change('disk-write', () => this.writeNow(position, chunks))
  }

  truncate(sizeBytes: number): Promise<void> {
    return this.change('disk-truncate', () => {
      if (sizeBytes > this.inode.current.length) this.disk.requireSpace(this.path)
      return this.inode.truncate(sizeBytes)
    })
  }

  /** A one-trip write syncs its own range and what this handle wrote before, but not what other handles wrote. */
  async writeDurably(position: number, chunks: readonly Uint8Array[]): Promise<void> {
    this.requireSyncable()
    const change = this.beginChange(() => this.writeNow(position, chunks))
    const covered = this.inode.coverable().filter((each) => !this.syncedOnce || this.ownChanges.has(each))
    await this.syncChanges('disk-write-durably', [...covered, change])
  }

  async sync(): Promise<void> {
    this.requireSyncable()
    await this.syncChanges('disk-sync', this.inode.coverable())
  }

  async close(): Promise<void> {
    if (this.closed) return
    await this.perform('disk-close', () => {})
    this.closed = true
  }

  private async syncChanges(kind: string, changes: readonly FileChange[]): Promise<void> {
    const finish = (): void => {
      if (this.disk.state.faults.failSyncs) {
        this.syncFailed = true
        this.inode.syncFailed(changes, this.disk.random)
        throw syncError(this.path)
      }
      for (const change of changes) this.ownChanges.delete(change)
      this.syncedOnce = true
      this.inode.sync(changes)
    }
    await this.disk.perform(kind, finish, this.disk.state.faults.syncDelayMs)
  }

  private async change(kind: string, begin: () => FileChange): Promise<void> {
    const change = this.beginChange(begin)
    await this.disk.perform(kind, () => {
      change.completed = true
    })
  }

  /** Changes the file now, unless the node is dead: then the change that comes back belongs to no file. */
  private beginChange(begin: () => FileChange): FileChange {
    this.requireOpen()
    if (!this.disk.alive) return { position: 0, bytes: undefined, completed: true }
    const change = begin()
    this.ownChanges.add(change)
    return change
  }

  private writeNow(position: number, chunks: readonly Uint8Array[]): FileChange {
    if (!this.writable) {
      throw new DiskError('CLOSED', this.path, `cannot write: ${this.path}: it was opened to read only.`)
    }
    const bytes = concatBytes(chunks)
    if (position + bytes.length > this.inode.current.length) this.disk.requireSpace(this.path)
    return this.inode.write(position, bytes)
  }

  private async perform<T>(kind: string, action: () => T): Promise<T> {
    this.requireOpen()
    return this.disk.perform(kind, action)
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
