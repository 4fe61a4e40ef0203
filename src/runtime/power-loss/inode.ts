/**
 * What a power loss may leave of one file. Owned by {@link PowerLossFileSystem}.
 *
 * Worked example: write A, sync begins (covers A), write B, sync ends, power loss. A is in `durable`; B is in `unsynced`
 * and survives whole, in some of its sectors, or not at all, each by a draw.
 *
 * I1. `current` is `durable` with all of `unsynced` applied in order, except for changes that a failed sync lost.
 */
import type { Random } from '../index.ts'
import { SparseBytes } from './sparse-bytes.ts'

/** What a disk writes whole or not at all. */
const sectorBytes = 512

/** A write or truncation that no sync has covered yet. */
export interface FileChange {
  /** For a truncation the new size, and `bytes` is undefined. */
  readonly position: number
  bytes: Uint8Array | undefined
  /** Set once the call that made it returned: only then may a sync that starts later cover it. */
  completed: boolean
}

export class FileInode {
  readonly kind = 'file'
  /** What a running process reads. */
  current = new SparseBytes()
  /** What is on the platters. */
  private durable = new SparseBytes()
  /** In the order they were made. */
  private unsynced: FileChange[] = []

  /** `bytes` is kept, not copied. */
  write(position: number, bytes: Uint8Array): FileChange {
    return this.change({ position, bytes, completed: false })
  }

  truncate(sizeBytes: number): FileChange {
    return this.change({ position: sizeBytes, bytes: undefined, completed: false })
  }

  /** What a sync that starts now would cover. */
  coverable(): FileChange[] {
    return this.unsynced.filter((change) => change.completed)
  }

  /** Nobody waits for its calls any more. */
  completeAll(): void {
    for (const change of this.unsynced) change.completed = true
  }

  /** A sync of `changes` succeeded. */
  sync(changes: readonly FileChange[]): void {
    const covered = new Set(changes)
    // In the order they were made, whatever the order in `changes`.
    for (const change of this.unsynced) {
      if (covered.has(change)) apply(this.durable, change)
    }
    this.unsynced = this.unsynced.filter((change) => !covered.has(change))
  }

  /** A sync of `changes` failed: the kernel calls the pages clean, though only some of them reached the disk. */
  syncFailed(changes: readonly FileChange[], random: Random): void {
    const covered = new Set(changes)
    for (const change of this.unsynced) {
      if (covered.has(change) && random.below(2) === 0) apply(this.durable, change)
    }
    this.unsynced = this.unsynced.filter((change) => !covered.has(change))
  }

  /** All that is there now counts as durable. */
  settle(): void {
    this.durable = this.current.copy()
    this.unsynced = []
  }

  /** Loses, keeps or tears each unsynced change; tells of each that it did not keep. */
  losePower(random: Random, onLoss?: (fate: 'lost' | 'torn', change: FileChange) => void): void {
    for (const change of this.unsynced) {
      const fate = random.below(3)
      if (fate === 0) {
        onLoss?.('lost', change)
      } else if (fate === 1 || change.bytes === undefined) {
        apply(this.durable, change)
      } else {
        tear(this.durable, change.position, change.bytes, random)
        onLoss?.('torn', change)
      }
    }
    this.unsynced = []
    this.current = this.durable.copy()
  }

  /**
   * Damages bytes at rest, wherever copies of them are: on the platters and in what is still unsynced. The file does not
   * grow. Returns whether all of the range was synced.
   */
  damage(position: number, length: number, alter: (byte: number, at: number) => number): boolean {
    alterBytes(this.current, position, length, alter)
    alterBytes(this.durable, position, length, alter)
    let synced = position + length <= this.durable.length
    for (const change of this.unsynced) {
      if (change.bytes === undefined) continue
      const from = Math.max(position, change.position)
      const end = Math.min(position + length, change.position + change.bytes.length)
      if (from >= end) continue
      synced = false
      // A copy: the bytes belong to whoever wrote them.
      change.bytes = Uint8Array.from(change.bytes)
      for (let at = from; at < end; at++) {
        change.bytes[at - change.position] = alter(change.bytes[at - change.position]!, at)
      }
    }
    return synced
  }

  private change(change: FileChange): FileChange {
    apply(this.current, change)
    this.unsynced.push(change)
    return change
  }
}

function alterBytes(
  contents: SparseBytes,
  position: number,
  length: number,
  alter: (byte: number, at: number) => number,
): void {
  const bytes = contents.read(position, length)
  if (bytes.length === 0) return
  contents.write(
    position,
    bytes.map((byte, i) => alter(byte, position + i)),
  )
}

function apply(contents: SparseBytes, change: FileChange): void {
  if (change.bytes === undefined) contents.resize(change.position)
  else contents.write(change.position, change.bytes)
}

/** Writes some of the sectors: a prefix of them, or each by its own draw. The file may have grown all the same. */
function tear(contents: SparseBytes, position: number, bytes: Uint8Array, random: Random): void {
  const end = position + bytes.length
  const sectors = Math.ceil(end / sectorBytes) - Math.floor(position / sectorBytes)
  const prefix = random.below(2) === 0 ? random.below(sectors + 1) : undefined
  let start = position
  for (let sector = 0; start < end; sector++) {
    const next = Math.min(end, (Math.floor(start / sectorBytes) + 1) * sectorBytes)
    const kept = prefix === undefined ? random.below(2) === 0 : sector < prefix
    if (kept) contents.write(start, bytes.subarray(start - position, next - position))
    start = next
  }
  if (random.below(2) === 0 && contents.length < end) contents.resize(end)
}
