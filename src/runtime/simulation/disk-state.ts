/**
 * What of a simulated disk outlives the crashes of its node: the files, the faults in force, and what waits for an
 * operation. Shared by the {@link SimulatedDisk} of each life.
 */
import type { Random } from '../index.ts'
import { PowerLossFileSystem } from '../power-loss/index.ts'
import { type CrashPlan, type DiskDamage, type DiskFaults, healthyDisk, noSpaceError } from './disk-faults.ts'
import type { FaultKind } from './fault-ledger.ts'
import type { CrashKind } from './node.ts'
import type { SimulatedRandom } from './random.ts'

/** Where misdirected writes land is a multiple of this. */
const sectorBytes = 512

export interface DiskStateOptions {
  readonly crash: (kind: CrashKind) => void
  readonly report: (kind: FaultKind, detail: string) => void
  /** Decides what goes wrong. The delays of operations have a stream of their own. */
  readonly mishaps: SimulatedRandom
}

export class DiskState {
  readonly fileSystem = new PowerLossFileSystem()
  /** The owner's line by path. A crash frees them all. */
  readonly locks = new Map<string, string>()
  readonly options: DiskStateOptions
  faults: DiskFaults = healthyDisk
  /** Operations asked for, over all lives. */
  operations = 0
  /** All silent damage so far. */
  readonly damages: DiskDamage[] = []
  crashPlan: CrashPlan | undefined
  /** What returned while the disk was stuck, in order. */
  waiting: (() => void)[] = []

  constructor(options: DiskStateOptions) {
    this.options = options
  }

  get mishaps(): SimulatedRandom {
    return this.options.mishaps
  }

  report(kind: FaultKind, detail: string): void {
    this.options.report(kind, detail)
  }

  usedBytes(): number {
    let sum = 0
    for (const { inode } of this.fileSystem.filesBelow('/')) sum += inode.current.length
    return sum
  }

  /** How many bytes files may still grow by. */
  freeBytes(): number {
    const { full, capacityBytes } = this.faults
    if (full) return 0
    return capacityBytes === Number.POSITIVE_INFINITY ? capacityBytes : Math.max(0, capacityBytes - this.usedBytes())
  }

  /** Throws when `bytes` more do not fit. */
  requireSpace(path: string, bytes: number): void {
    if (this.freeBytes() >= Math.max(1, bytes)) return
    this.report('no-space', path)
    throw noSpaceError(path)
  }

  /** Overwrites, silently, sectors of some file, this one three times of four, with the first of `bytes`. */
  misdirect(path: string, bytes: Uint8Array): void {
    const { mishaps } = this
    const files = this.fileSystem.filesBelow('/').filter(({ inode }) => inode.current.length > 0)
    const own = files.filter((file) => file.path === path)
    const from = own.length > 0 && mishaps.below(4) > 0 ? own : files
    if (from.length === 0) {
      this.report('write-misdirected', `${path}: to nowhere`)
      return
    }
    const victim = from[mishaps.below(from.length)]!
    const size = victim.inode.current.length
    const position = mishaps.below(Math.ceil(size / sectorBytes)) * sectorBytes
    const length = Math.min(bytes.length, size - position)
    const synced = victim.inode.damage(position, length, (_, at) => bytes[at - position]!)
    this.recordDamage({ kind: 'write-misdirected', path: victim.path, position, length, synced })
  }

  /** Flips bits of one byte that holds something. Undefined when no file below `path` does. */
  rot(path: string, random: Random): DiskDamage | undefined {
    const places = this.fileSystem.filesBelow(path).flatMap(({ path: where, inode }) => {
      return [...inode.current.extents()].map(({ position, bytes }) => ({ path: where, position, bytes }))
    })
    if (places.length === 0) return undefined
    const place = places[random.below(places.length)]!
    return this.flip(place.path, place.position + random.below(usedLength(place.bytes)), 1 << random.below(8))
  }

  /** Flips the bits of `mask` in one byte. Undefined when the file has no such byte. */
  flip(path: string, position: number, mask: number): DiskDamage | undefined {
    const inode = this.fileSystem.find(path)
    if (inode?.kind !== 'file' || position >= inode.current.length) return undefined
    const synced = inode.damage(position, 1, (byte) => byte ^ mask)
    return this.recordDamage({ kind: 'bit-rot', path, position, length: 1, synced })
  }

  private recordDamage(damage: DiskDamage): DiskDamage {
    this.damages.push(damage)
    this.report(damage.kind, `${damage.path}: ${damage.length} bytes at ${damage.position}`)
    return damage
  }
}

/** Up to the last byte that is not zero, of which there is one. */
function usedLength(bytes: Uint8Array): number {
  let length = bytes.length
  while (length > 1 && bytes[length - 1] === 0) length--
  return length
}
