/**
 * The disk of a simulated node. Its contents outlive the node's crashes; each life of the node opens its own
 * {@link SimulatedDisk} over them.
 *
 * Writes change what is read back when they are asked for and return later; all else happens when it returns. Nothing
 * returns after the node's death.
 */

import type { Disk, DiskFile, DiskLock, OpenMode } from '../index.ts'
import { DiskError } from '../index.ts'
import { type CrashPlan, type DiskOperation, syncError } from './disk-faults.ts'
import { SimulatedDiskFile } from './disk-file.ts'
import type { DiskState } from './disk-state.ts'
import type { Incarnation, Kernel } from './kernel.ts'
import type { SimulatedRandom } from './random.ts'

const availableBytesWhenUnlimited = 2 ** 40

/** An operation that was asked for. */
export interface BegunOperation extends DiskOperation {
  /** The crash that this very operation sets off. */
  readonly crash: CrashPlan | undefined
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
    return this.perform('disk-open', path, () => {
      if (this.state.fileSystem.wouldCreate(path, mode)) this.state.requireSpace(path, 1)
      const inode = this.state.fileSystem.open(path, mode)
      return new SimulatedDiskFile(this, path, inode, mode !== 'read')
    })
  }

  readDirectory(path: string): Promise<string[]> {
    return this.perform('disk-list', path, () => this.state.fileSystem.readDirectory(path))
  }

  makeDirectory(path: string): Promise<void> {
    return this.perform('disk-make-directory', path, () => {
      if (this.state.fileSystem.stat(path) === undefined) this.state.requireSpace(path, 1)
      this.state.fileSystem.makeDirectory(path)
    })
  }

  stat(path: string): ReturnType<Disk['stat']> {
    return this.perform('disk-stat', path, () => this.state.fileSystem.stat(path))
  }

  rename(from: string, to: string): Promise<void> {
    return this.perform('disk-rename', from, () => this.state.fileSystem.rename(from, to))
  }

  remove(path: string): Promise<void> {
    return this.perform('disk-remove', path, () => this.state.fileSystem.remove(path))
  }

  syncDirectory(path: string): Promise<void> {
    return this.perform(
      'disk-sync-directory',
      path,
      () => {
        if (this.state.faults.failSyncs) {
          this.state.report('sync-failed', path)
          throw syncError(path)
        }
        this.state.fileSystem.syncDirectory(path)
      },
      this.state.faults.syncDelayMs,
    )
  }

  lock(path: string, owner: string): Promise<DiskLock> {
    return this.perform('disk-lock', path, () => {
      const holder = this.state.locks.get(path)
      if (holder !== undefined) {
        const message = `${path} is held by a live process: ${holder}. Stop it first, or choose another data directory.`
        throw new DiskError('LOCKED', path, message)
      }
      // The lock files, named as those of the real disk.
      this.state.fileSystem.open(path, 'create')
      this.state.fileSystem.open(`${path}.owner`, 'create')
      this.state.locks.set(path, owner)
      return {
        release: () =>
          this.perform('disk-unlock', path, () => {
            this.state.fileSystem.remove(`${path}.owner`)
            this.state.locks.delete(path)
          }),
      }
    })
  }

  availableBytes(path: string): Promise<number> {
    return this.perform('disk-space', path, () => Math.min(this.state.freeBytes(), availableBytesWhenUnlimited))
  }

  get alive(): boolean {
    return this.incarnation.alive
  }

  perform<T>(kind: string, path: string, action: () => T, delayRangeMs = this.state.faults.delayMs): Promise<T> {
    return this.finish(this.begin(kind, path), action, delayRangeMs)
  }

  /** Must come before an operation's first effect: it may be the one at which the node crashes. */
  begin(kind: string, path: string): BegunOperation {
    const { state } = this
    const operation = { kind, path }
    if (!this.alive) return { ...operation, crash: undefined }
    state.operations++
    const plan = state.crashPlan
    if (plan?.counts(operation) !== true || --plan.remaining > 0) return { ...operation, crash: undefined }
    state.crashPlan = undefined
    if (plan.moment === 'before') state.options.crash(plan.kind)
    return { ...operation, crash: plan }
  }

  /** Runs `action` after a drawn delay; its outcome is the promise's. Once the node is dead neither ever happens. */
  finish<T>(operation: BegunOperation, action: () => T, delayRangeMs = this.state.faults.delayMs): Promise<T> {
    return new Promise((resolve, reject) => {
      if (!this.alive) return
      const complete = (): void => {
        if (this.state.faults.stuck) {
          this.state.report('io-stuck', `${operation.path}: ${operation.kind}`)
          this.state.waiting.push(() => this.schedule(0, operation.kind, complete))
          return
        }
        if (this.crashesAt(operation, 'between')) return
        let settle: () => void
        try {
          const value = action()
          settle = () => resolve(value)
        } catch (error) {
          settle = () => reject(error)
        }
        if (!this.crashesAt(operation, 'after')) settle()
      }
      this.schedule(this.random.delayMs(delayRangeMs) + this.mishapMs(operation), operation.kind, complete)
    })
  }

  private crashesAt({ crash }: BegunOperation, moment: CrashPlan['moment']): boolean {
    if (crash?.moment !== moment) return false
    this.state.options.crash(crash.kind)
    return true
  }

  /** How much longer an operation takes than it should. */
  private mishapMs({ kind, path }: DiskOperation): number {
    const { state } = this
    const { faults, mishaps } = state
    let delayMs = 0
    if (mishaps.chance(faults.latencySpikeProbability)) {
      delayMs += mishaps.delayMs(faults.latencySpikeMs)
      state.report('disk-latency-spike', `${path}: ${kind}`)
    }
    if (mishaps.chance(faults.stuckProbability)) {
      delayMs += mishaps.delayMs(faults.stuckMs)
      state.report('io-stuck', `${path}: ${kind}`)
    }
    return delayMs
  }

  private schedule(delayMs: number, kind: string, run: () => void): void {
    if (this.alive) this.kernel.push(this.incarnation, delayMs, kind, run)
  }
}
