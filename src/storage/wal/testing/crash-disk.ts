import { concatBytes, Prng } from '../../../base/index.ts'
import {
  type Disk,
  DiskError,
  type DiskFile,
  type DiskLock,
  type OpenMode,
  type Random,
} from '../../../runtime/index.ts'
import { type FileChange, type FileInode, PowerLossFileSystem } from '../../../runtime/power-loss/index.ts'

/** What a {@link CrashDisk} does wrong. All fields may be changed at any time. */
export interface CrashDiskFaults {
  /** The power fails at this operation boundary; there are two for each operation, before it and in its middle. */
  crashAtBoundary: number | undefined
  /** Files cannot grow and nothing can be made. */
  full: boolean
  /** Durable writes and syncs whose path this accepts fail, and may lose what they cover. */
  failSync: ((path: string) => boolean) | undefined
  /**
   * Syncs whose operation and path this accepts report success and do nothing: as if the code had not made them. Proves
   * that a test would notice.
   */
  skipSync: ((operation: 'write' | 'sync' | 'directory', path: string) => boolean) | undefined
}

/**
 * A disk for crash tests of storage: files in memory, real promises, no virtual time, and the power fails at a numbered
 * boundary. After that no call returns; `afterPowerLoss` is the disk of the next process.
 */
export class CrashDisk implements Disk {
  readonly faults: CrashDiskFaults = {
    crashAtBoundary: undefined,
    full: false,
    failSync: undefined,
    skipSync: undefined,
  }
  readonly random: TestRandom
  readonly fileSystem: PowerLossFileSystem
  /** Resolves when the power has failed. */
  readonly crashed: Promise<void>
  boundaries = 0
  private dead = false
  private announceCrash: () => void = () => undefined

  constructor(random: TestRandom, fileSystem = new PowerLossFileSystem()) {
    this.random = random
    this.fileSystem = fileSystem
    this.crashed = new Promise((resolve) => {
      this.announceCrash = resolve
    })
  }

  get alive(): boolean {
    return !this.dead
  }

  /** The power fails now. */
  crash(): void {
    this.dead = true
    this.announceCrash()
  }

  /** What the next process finds: unsynced changes are kept, torn or lost, each by a draw. */
  afterPowerLoss(): CrashDisk {
    this.crash()
    this.fileSystem.losePower(this.random)
    return new CrashDisk(this.random, this.fileSystem)
  }

  /** What the next process finds when only the process died. */
  afterProcessDeath(): CrashDisk {
    this.crash()
    this.fileSystem.completeAll()
    return new CrashDisk(this.random, this.fileSystem)
  }

  async open(path: string, mode: OpenMode): Promise<DiskFile> {
    await this.boundary()
    if (this.fileSystem.wouldCreate(path, mode)) this.requireSpace(path)
    return new CrashDiskFile(this, path, this.fileSystem.open(path, mode))
  }

  async readDirectory(path: string): Promise<string[]> {
    await this.boundary()
    return this.fileSystem.readDirectory(path)
  }

  async makeDirectory(path: string): Promise<void> {
    await this.boundary()
    this.fileSystem.makeDirectory(path)
    await this.boundary()
  }

  async stat(path: string): ReturnType<Disk['stat']> {
    await this.boundary()
    return this.fileSystem.stat(path)
  }

  async rename(from: string, to: string): Promise<void> {
    await this.boundary()
    this.fileSystem.rename(from, to)
    await this.boundary()
  }

  async remove(path: string): Promise<void> {
    await this.boundary()
    this.fileSystem.remove(path)
    await this.boundary()
  }

  async syncDirectory(path: string): Promise<void> {
    await this.boundary()
    if (this.faults.skipSync?.('directory', path) !== true) this.fileSystem.syncDirectory(path)
    await this.boundary()
  }

  lock(): Promise<DiskLock> {
    return Promise.reject(new Error('not needed by storage'))
  }

  async availableBytes(): Promise<number> {
    await this.boundary()
    return this.faults.full ? 0 : 2 ** 40
  }

  requireSpace(path: string): void {
    if (this.faults.full) throw new DiskError('NO_SPACE', path, `cannot write: ${path}: ENOSPC.`)
  }

  /** Where the power may fail, and other calls may come in between. Never returns once it has. */
  async boundary(): Promise<void> {
    for (let turns = this.random.below(4); turns > 0; turns--) await null
    if (this.boundaries++ === this.faults.crashAtBoundary) this.crash()
    if (this.dead) await new Promise<never>(() => undefined)
  }
}

class CrashDiskFile implements DiskFile {
  readonly path: string
  private readonly disk: CrashDisk
  private readonly inode: FileInode
  private closed = false
  private syncFailed = false

  constructor(disk: CrashDisk, path: string, inode: FileInode) {
    this.disk = disk
    this.path = path
    this.inode = inode
  }

  async sizeBytes(): Promise<number> {
    await this.enter()
    return this.inode.current.length
  }

  async read(position: number, length: number): Promise<Uint8Array> {
    await this.enter()
    return this.inode.current.read(position, length)
  }

  async write(position: number, chunks: readonly Uint8Array[]): Promise<void> {
    await this.enter()
    const change = this.begin(position, chunks)
    await this.disk.boundary()
    change.completed = true
  }

  async writeDurably(position: number, chunks: readonly Uint8Array[]): Promise<void> {
    await this.enter()
    this.requireSyncable()
    const covered = this.inode.coverable()
    const change = this.begin(position, chunks)
    await this.disk.boundary()
    this.finishSync('write', [...covered, change])
    change.completed = true
  }

  async sync(): Promise<void> {
    await this.enter()
    this.requireSyncable()
    const covered = this.inode.coverable()
    await this.disk.boundary()
    this.finishSync('sync', covered)
  }

  async truncate(sizeBytes: number): Promise<void> {
    await this.enter()
    this.inode.truncate(sizeBytes).completed = true
  }

  async close(): Promise<void> {
    if (this.closed) return
    await this.disk.boundary()
    this.closed = true
  }

  private begin(position: number, chunks: readonly Uint8Array[]): FileChange {
    const bytes = concatBytes(chunks)
    if (position + bytes.length > this.inode.current.length) this.disk.requireSpace(this.path)
    return this.inode.write(position, bytes)
  }

  private finishSync(operation: 'write' | 'sync', changes: readonly FileChange[]): void {
    const { faults, random } = this.disk
    if (faults.failSync?.(this.path) === true) {
      this.syncFailed = true
      this.inode.syncFailed(changes, random)
      throw new DiskError('IO', this.path, `cannot sync: ${this.path}: EIO.`)
    }
    if (faults.skipSync?.(operation, this.path) !== true) this.inode.sync(changes)
  }

  private async enter(): Promise<void> {
    await this.disk.boundary()
    if (this.closed) throw new DiskError('CLOSED', this.path, `cannot use ${this.path}: it was closed.`)
  }

  private requireSyncable(): void {
    if (this.syncFailed) throw new DiskError('IO', this.path, `cannot sync: ${this.path}: an earlier sync failed.`)
  }
}

/** A seeded `Random` for tests. */
export class TestRandom implements Random {
  private readonly seed: string
  private readonly prng: Prng

  constructor(seed: string) {
    this.seed = seed
    this.prng = new Prng(seed)
  }

  uint32(): number {
    return this.prng.uint32()
  }

  below(bound: number): number {
    return this.prng.below(bound)
  }

  float(): number {
    return this.prng.float()
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.prng.below(256))
  }

  fork(label: string): Random {
    return new TestRandom(`${this.seed}/${label}`)
  }
}
