/**
 * The disk of a simulated node. Its contents outlive the node's crashes; each life of the node opens its own
 * {@link SimulatedDisk} over them.
 *
 * Writes change what is read back when they are asked for and return later; all else happens when it returns. Nothing
 * returns after the node's death.
 */

import type { Disk, DiskFile, DiskLock, OpenMode } from '../index.ts'
import { DiskError } from '../index.ts'
import { PowerLossFileSystem } from '../power-loss/index.ts'
import { SimulatedDiskFile } from './disk-file.ts'
import type { Incarnation, Kernel } from './kernel.ts'
import type { DelayRangeMs, SimulatedRandom } from './random.ts'

/** How a node's disk behaves. */
export interface DiskFaults {
  /** How long all but syncs take. */
  readonly delayMs: DelayRangeMs
  /** How long syncs, of files and directories, and durable writes take. */
  readonly syncDelayMs: DelayRangeMs
  /** Files cannot grow and nothing can be made. What is there can be overwritten. */
  readonly full: boolean
  /** Syncs fail, and may lose what they were to make durable. */
  readonly failSyncs: boolean
}

const healthy: DiskFaults = { delayMs: [0.01, 0.05], syncDelayMs: [0.1, 0.4], full: false, failSyncs: false }
const availableBytesWhenNotFull = 2 ** 40

/** What outlives a crash. */
export interface DiskState {
  readonly fileSystem: PowerLossFileSystem
  /** The owner's line by path. A crash frees them all. */
  readonly locks: Map<string, string>
  faults: DiskFaults
}

export function createDiskState(): DiskState {
  return { fileSystem: new PowerLossFileSystem(), locks: new Map(), faults: healthy }
}

export class SimulatedDisk implements Disk {
  readonly state: DiskState
  readonly random: SimulatedRandom
  private readonly kernel: Kernel
  private readonly incarnation: Incarnation

  constructor(kernel: Kernel, incarnation: Incarnation, state: DiskState, random: SimulatedRandom) {
    this.kernel = kernel
    this.incarnation = incarnation
    this.state = state
    this.random = random
  }

  open(path: string, mode: OpenMode): Promise<DiskFile> {
    return this.perform('disk-open', () => {
      if (this.state.fileSystem.wouldCreate(path, mode)) this.requireSpace(path)
      const inode = this.state.fileSystem.open(path, mode)
      return new SimulatedDiskFile(this, path, inode, mode !== 'read')
    })
  }

  readDirectory(path: string): Promise<string[]> {
    return this.perform('disk-list', () => this.state.fileSystem.readDirectory(path))
  }

  makeDirectory(path: string): Promise<void> {
    return this.perform('disk-make-directory', () => {
      if (this.state.fileSystem.stat(path) === undefined) this.requireSpace(path)
      this.state.fileSystem.makeDirectory(path)
    })
  }

  stat(path: string): ReturnType<Disk['stat']> {
    return this.perform('disk-stat', () => this.state.fileSystem.stat(path))
  }

  rename(from: string, to: string): Promise<void> {
    return this.perform('disk-rename', () => this.state.fileSystem.rename(from, to))
  }

  remove(path: string): Promise<void> {
    return this.perform('disk-remove', () => this.state.fileSystem.remove(path))
  }

  syncDirectory(path: string): Promise<void> {
    return this.perform(
      'disk-sync-directory',
      () => {
        if (this.state.faults.failSyncs) throw syncError(path)
        this.state.fileSystem.syncDirectory(path)
      },
      this.state.faults.syncDelayMs,
    )
  }

  lock(path: string, owner: string): Promise<DiskLock> {
    return this.perform('disk-lock', () => {
      const holder = this.state.locks.get(path)
      if (holder !== undefined) {
        const message = `${path} is held by another live process: ${holder}. Stop it first, or choose another data directory.`
        throw new DiskError('LOCKED', path, message)
      }
      // The lock files, named as those of the real disk.
      this.state.fileSystem.open(path, 'create')
      this.state.fileSystem.open(`${path}.owner`, 'create')
      this.state.locks.set(path, owner)
      return {
        release: () =>
          this.perform('disk-unlock', () => {
            this.state.fileSystem.remove(`${path}.owner`)
            this.state.locks.delete(path)
          }),
      }
    })
  }

  availableBytes(_path: string): Promise<number> {
    return this.perform('disk-space', () => (this.state.faults.full ? 0 : availableBytesWhenNotFull))
  }

  requireSpace(path: string): void {
    if (!this.state.faults.full) return
    throw new DiskError('NO_SPACE', path, `cannot write: ${path}: ENOSPC. Free space on this file system.`)
  }

  /** Runs `action` after a drawn delay; its outcome is the promise's. Once the node is dead neither ever happens. */
  perform<T>(kind: string, action: () => T, delayRangeMs = this.state.faults.delayMs): Promise<T> {
    return new Promise((resolve, reject) => {
      if (!this.incarnation.alive) return
      this.kernel.push(this.incarnation, this.random.delayMs(delayRangeMs), kind, () => {
        try {
          resolve(action())
        } catch (error) {
          reject(error)
        }
      })
    })
  }

  get alive(): boolean {
    return this.incarnation.alive
  }
}

/** What a failed sync says. */
export function syncError(path: string): DiskError {
  return new DiskError('IO', path, `cannot sync: ${path}: EIO. Check the disk and the kernel log.`)
}
