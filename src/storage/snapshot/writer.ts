import type { SnapshotMeta } from '../../core/index.ts'
import type { Disk, DiskFile } from '../../runtime/index.ts'
import { SnapshotError, snapshotError } from './errors.ts'
import { encodeChunkHeader, encodeEnd, encodeHeader, type SnapshotOwner, snapshotChunkBytesMax } from './format.ts'

/** After this many bytes since the last sync the next chunk is synced, so that `finish` has little left to do. */
const unsyncedBytesMax = 8 * 1024 * 1024

/** What a writer is made of. */
export interface SnapshotWriterSetup {
  readonly disk: Disk
  readonly directory: string
  readonly temporaryPath: string
  readonly path: string
  readonly owner: SnapshotOwner
  readonly meta: SnapshotMeta
  /** Called once the snapshot is durable under its name. */
  readonly onFinished: () => Promise<void>
}

/**
 * Writes one snapshot: the node's own, or one that a leader streams. Made by `SnapshotFiles.create`.
 *
 * Invariants:
 * - I1  The file gets its name after all its bytes were synced; `finish` resolves after the name was.
 * - I2  After an error or an abort the temporary file is gone (or goes at the next start) and every call rejects.
 */
export class SnapshotWriter {
  readonly meta: SnapshotMeta
  private readonly setup: SnapshotWriterSetup
  private readonly file: DiskFile
  private position = 0
  private unsyncedBytes = 0
  private chunks = 0
  private payload = 0
  /** What the next chunk's CRC starts from. */
  private crc = 0
  private ended = false
  /** Writes one after another, however the caller calls. */
  private work: Promise<void> = Promise.resolve()

  private constructor(setup: SnapshotWriterSetup, file: DiskFile) {
    this.setup = setup
    this.meta = setup.meta
    this.file = file
  }

  static async create(setup: SnapshotWriterSetup): Promise<SnapshotWriter> {
    let writer: SnapshotWriter | undefined
    try {
      writer = new SnapshotWriter(setup, await setup.disk.open(setup.temporaryPath, 'create-new'))
      const header = encodeHeader(setup.owner, setup.meta)
      writer.crc = header.crc
      await writer.put([header.bytes])
      return writer
    } catch (error) {
      await writer?.discard()
      throw snapshotError('begun', error)
    }
  }

  /** Bytes of all chunks so far. */
  get payloadBytes(): number {
    return this.payload
  }

  /**
   * Appends a chunk; the reader gets the same chunks back. Best 256 KiB to 1 MiB, at most 64 MiB. Wait for each before the
   * next: that is the back-pressure. `chunk` must not change until then. Rejects with a {@link SnapshotError}
   * (`NO_SPACE`: retryable with a new writer); the writer has cleaned up then.
   */
  write(chunk: Uint8Array): Promise<void> {
    return this.run('written', async () => {
      if (chunk.length > snapshotChunkBytesMax) {
        throw new SnapshotError('TOO_LARGE', `A chunk of ${chunk.length} bytes; at most ${snapshotChunkBytesMax} fit.`)
      }
      const header = encodeChunkHeader(chunk, this.crc)
      await this.put([header.bytes, chunk])
      this.crc = header.crc
      this.chunks++
      this.payload += chunk.length
    })
  }

  /** Makes the snapshot durable under its name, then removes those it supersedes. */
  finish(): Promise<void> {
    return this.run('finished', async () => {
      const { disk, directory, temporaryPath, path, onFinished } = this.setup
      await this.file.writeDurably(this.position, [encodeEnd(this.chunks, this.payload, this.crc)])
      await this.file.close()
      await disk.rename(temporaryPath, path)
      this.ended = true
      try {
        await disk.syncDirectory(directory)
      } catch (error) {
        throw snapshotError('finished', error, 'unknown')
      }
      await onFinished()
    })
  }

  /** Gives up and removes what was written. Does nothing after `finish` or an error. */
  async abort(): Promise<void> {
    const ended = this.ended
    this.ended = true
    await this.work
    if (!ended) await this.discard()
  }

  private run(doing: string, step: () => Promise<void>): Promise<void> {
    const run = this.work.then(async () => {
      if (this.ended) throw new SnapshotError('CLOSED', 'This snapshot was ended before. Begin a new one.')
      try {
        await step()
      } catch (error) {
        if (!this.ended) {
          this.ended = true
          await this.discard()
        }
        throw snapshotError(doing, error)
      }
    })
    this.work = run.catch(() => undefined)
    return run
  }

  private async put(parts: readonly Uint8Array[]): Promise<void> {
    let length = 0
    for (const part of parts) length += part.length
    if (this.unsyncedBytes + length >= unsyncedBytesMax) {
      await this.file.writeDurably(this.position, parts)
      this.unsyncedBytes = 0
    } else {
      await this.file.write(this.position, parts)
      this.unsyncedBytes += length
    }
    this.position += length
  }

  private async discard(): Promise<void> {
    await this.file.close().catch(() => undefined)
    await this.setup.disk.remove(this.setup.temporaryPath).catch(() => undefined)
  }
}
