/**
 * Writes the node's own snapshots, so that a restart reads a bounded log.
 *
 * - K1  One snapshot at a time; it never holds the loop for longer than one chunk takes.
 * - K2  Log is released only after the snapshot that covers it is durable under its final name.
 * - K3  A failed attempt (no space) is logged, leaves nothing behind, and is tried again later.
 */
import type { Entry, SnapshotMeta } from '../../core/index.ts'
import type { SnapshotFiles, SnapshotWriter } from '../../storage/snapshot/index.ts'
import type { GroupPort } from './group-port.ts'
import type { GroupOptions } from './options.ts'
import type { StateSnapshot } from './state-machine.ts'

/** After a failed attempt, this long passes before the next. */
const retryDelayMs = 5000
/** About what an entry takes on disk beyond its payload. */
const entryOverheadBytes = 32

export class SnapshotKeeper {
  private readonly port: GroupPort
  private readonly files: SnapshotFiles
  private readonly options: GroupOptions
  private readonly taken: (meta: SnapshotMeta) => void
  private underWay = false
  private lastIndex: number
  private lastSizeBytes = 0
  /** Log written since the last snapshot. */
  private logBytes = 0
  private notBeforeMs = 0
  private closed = false
  private work: Promise<void> = Promise.resolve()

  constructor(
    port: GroupPort,
    files: SnapshotFiles,
    options: GroupOptions,
    lastIndex: number,
    taken: (meta: SnapshotMeta) => void,
  ) {
    this.port = port
    this.files = files
    this.options = options
    this.lastIndex = lastIndex
    this.taken = taken
  }

  onLogWritten(entries: readonly Entry[]): void {
    for (const entry of entries) this.logBytes += entry.payload.length + entryOverheadBytes
  }

  /** A snapshot from the leader took the place of the state and is on disk. */
  onRestored(index: number): void {
    this.lastIndex = index
    this.logBytes = 0
  }

  isDue(appliedIndex: number): boolean {
    if (this.underWay || this.closed || appliedIndex - this.lastIndex < this.options.snapshotCount) return false
    const { snapshotLogBytes } = this.options
    // A snapshot costs as much writing as the state is large: let the log grow in proportion, within bounds.
    const enough = Math.min(Math.max(snapshotLogBytes, this.lastSizeBytes), snapshotLogBytes * 8)
    return this.logBytes >= enough && this.port.runtime.clock.monotonicMs() >= this.notBeforeMs
  }

  /** Starts to write `image`, the state at `meta`. */
  begin(meta: SnapshotMeta, image: StateSnapshot): void {
    this.underWay = true
    const logBytesBefore = this.logBytes
    this.work = this.write(meta, image).then(
      (sizeBytes) => {
        this.underWay = false
        this.port.guard(() => {
          if (this.closed || meta.index <= this.lastIndex) return
          this.lastIndex = meta.index
          this.lastSizeBytes = sizeBytes
          this.logBytes -= Math.min(this.logBytes, logBytesBefore)
          this.taken(meta)
        })
      },
      (error: unknown) => {
        this.underWay = false
        this.notBeforeMs = this.port.runtime.clock.monotonicMs() + retryDelayMs
        if (!this.closed)
          this.port.runtime.logger.warn('could not write a snapshot; will try again', { reason: String(error) })
      },
    )
  }

  close(): void {
    this.closed = true
  }

  /** Resolves when no snapshot is being written any more. */
  settled(): Promise<void> {
    return this.work
  }

  private async write(meta: SnapshotMeta, image: StateSnapshot): Promise<number> {
    let writer: SnapshotWriter | undefined
    let sizeBytes = 0
    try {
      writer = await this.files.create(meta)
      for (;;) {
        if (this.closed) throw new Error('the node is stopping')
        const chunk = image.next(this.options.snapshotChunkBytes)
        if (chunk === undefined) break
        sizeBytes += chunk.length
        await writer.write(chunk)
      }
      await writer.finish()
      return sizeBytes
    } catch (error) {
      await writer?.abort()
      throw error
    } finally {
      image.close()
    }
  }
}
