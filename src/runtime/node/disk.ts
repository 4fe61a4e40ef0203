import * as fs from 'node:fs'
import { dirname } from 'node:path'
import { type Disk, DiskError, type DiskFile, type DiskLock, type OpenMode } from '../index.ts'
import { callDisk, NodeDiskFile } from './disk-file.ts'
import { acquireLock } from './lock.ts'

const { O_RDONLY, O_RDWR, O_CREAT, O_EXCL, O_DIRECTORY, O_DSYNC } = fs.constants

const flagsOf: Readonly<Record<OpenMode, number>> = {
  read: O_RDONLY,
  write: O_RDWR,
  create: O_RDWR | O_CREAT,
  'create-new': O_RDWR | O_CREAT | O_EXCL,
}

// macOS needs F_FULLFSYNC, which fdatasync sends and O_DSYNC does not; Windows has no O_DSYNC.
const syncingFlags = process.platform === 'linux' ? O_RDWR | O_DSYNC : undefined

/** The operating system's file system. Errors say what failed, where, and what to do. */
export class NodeDisk implements Disk {
  async open(path: string, mode: OpenMode): Promise<DiskFile> {
    const descriptor = await callDisk<number>('open', path, (done) => fs.open(path, flagsOf[mode], 0o640, done))
    if (mode === 'read' || syncingFlags === undefined) return new NodeDiskFile(path, descriptor, undefined)
    try {
      const syncing = await callDisk<number>('open', path, (done) => fs.open(path, syncingFlags, done))
      return new NodeDiskFile(path, descriptor, syncing)
    } catch (error) {
      fs.close(descriptor, () => {})
      throw error
    }
  }

  async readDirectory(path: string): Promise<string[]> {
    const names = await callDisk<string[]>('list the directory', path, (done) => fs.readdir(path, done))
    return names.sort()
  }

  async makeDirectory(path: string): Promise<void> {
    // Step by step: Node's own recursive mkdir never returns where a parent cannot be made, as below /proc.
    let made = ''
    for (const part of path.split('/')) {
      made += `${part}/`
      if (part === '' || part === '.' || part === '..') continue
      await callDisk<unknown>('make the directory', path, (done) =>
        fs.mkdir(made, { mode: 0o750 }, (error) =>
          error?.code === 'EEXIST' ? done(null, undefined) : done(error, undefined),
        ),
      )
    }
    const found = await this.stat(path)
    if (found?.kind !== 'directory') throw new DiskError('EXISTS', path, `${path} is there and is not a directory`)
  }

  async stat(path: string): Promise<{ readonly kind: 'file' | 'directory'; readonly sizeBytes: number } | undefined> {
    const stats = await callDisk<fs.Stats | undefined>('look at', path, (done) =>
      fs.stat(path, (error, found) => {
        if (error?.code === 'ENOENT' || error?.code === 'ENOTDIR') done(null, undefined)
        else done(error, found)
      }),
    )
    if (stats === undefined) return undefined
    return stats.isDirectory() ? { kind: 'directory', sizeBytes: 0 } : { kind: 'file', sizeBytes: stats.size }
  }

  rename(from: string, to: string): Promise<void> {
    return callDisk(`rename ${from} to`, to, (done) => fs.rename(from, to, done))
  }

  remove(path: string): Promise<void> {
    return callDisk('remove', path, (done) => fs.rm(path, { recursive: true, force: true }, done))
  }

  async syncDirectory(path: string): Promise<void> {
    const descriptor = await callDisk<number>('open the directory', path, (done) =>
      fs.open(path, O_RDONLY | O_DIRECTORY, done),
    )
    try {
      await callDisk<void>('sync the directory', path, (done) => fs.fsync(descriptor, done))
    } finally {
      await callDisk<void>('close the directory', path, (done) => fs.close(descriptor, done))
    }
  }

  async lock(path: string, owner: string): Promise<DiskLock> {
    return acquireLock(path, owner)
  }

  async availableBytes(path: string): Promise<number> {
    const nearest = await this.nearestExisting(path)
    const stats = await callDisk<fs.StatsFs>('ask the free space of', nearest, (done) => fs.statfs(nearest, done))
    return stats.bavail * stats.bsize
  }

  /** `path` itself, or the closest directory above it that exists. */
  private async nearestExisting(path: string): Promise<string> {
    let candidate = path
    while ((await this.stat(candidate)) === undefined && dirname(candidate) !== candidate)
      candidate = dirname(candidate)
    return candidate
  }
}
