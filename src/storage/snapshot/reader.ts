import type { SnapshotMeta } from '../../core/index.ts'
import type { Disk, DiskFile } from '../../runtime/index.ts'
import { damaged, SnapshotError, snapshotError } from './errors.ts'
import {
  chunkHeaderBytes,
  chunkIntact,
  claimedHeaderLength,
  decodeChunkHeader,
  decodeEnd,
  decodeHeader,
  headerPrefixBytes,
  type SnapshotOwner,
} from './format.ts'

/**
 * Reads one snapshot, chunk by chunk. Made by `SnapshotFiles`; stays usable when the file is pruned meanwhile.
 *
 * Invariants:
 * - I1  A chunk is handed out only when its CRC, and so that of every chunk before it, is right.
 * - I2  `next` yields undefined only after the end was read and agrees with what came before it, and nothing follows it.
 */
export class SnapshotReader {
  readonly meta: SnapshotMeta
  readonly path: string
  readonly fileBytes: number
  private readonly file: DiskFile
  private position: number
  private crc: number
  private chunks = 0
  private payload = 0
  private atEnd = false
  private closed = false

  private constructor(file: DiskFile, fileBytes: number, start: { meta: SnapshotMeta; crc: number; position: number }) {
    this.file = file
    this.path = file.path
    this.fileBytes = fileBytes
    this.meta = start.meta
    this.crc = start.crc
    this.position = start.position
  }

  /** Opens a snapshot and checks its header. Rejects with a {@link SnapshotError}. */
  static async open(disk: Disk, path: string, owner: SnapshotOwner): Promise<SnapshotReader> {
    let file: DiskFile | undefined
    try {
      file = await disk.open(path, 'read')
      const fileBytes = await file.sizeBytes()
      const length = claimedHeaderLength(await file.read(0, headerPrefixBytes), path)
      const header = await file.read(0, length)
      if (header.length < length) throw damaged(path, `it was cut off inside its header, at ${fileBytes} bytes`)
      return new SnapshotReader(file, fileBytes, { ...decodeHeader(header, path, owner), position: length })
    } catch (error) {
      await file?.close().catch(() => undefined)
      throw snapshotError('opened', error)
    }
  }

  /** The next chunk, or undefined after the last. Rejects with a {@link SnapshotError} (`DAMAGED`, `IO`, `CLOSED`). */
  async next(): Promise<Uint8Array | undefined> {
    if (this.closed) throw new SnapshotError('CLOSED', 'This snapshot reader is closed. Open another.')
    if (this.atEnd) return undefined
    try {
      return await this.readChunk()
    } catch (error) {
      throw snapshotError('read', error)
    }
  }

  /** Reads all that is left and checks it. */
  async verify(): Promise<void> {
    while ((await this.next()) !== undefined);
  }

  async close(): Promise<void> {
    if (this.closed) return
    this.closed = true
    await this.file.close()
  }

  private async readChunk(): Promise<Uint8Array | undefined> {
    const at = this.position
    const header = await this.file.read(at, chunkHeaderBytes)
    const found = decodeChunkHeader(header)
    if (found === undefined) throw damaged(this.path, `there is no chunk at byte ${at} of ${this.fileBytes}`)
    const bodyEnd = at + chunkHeaderBytes + found.length
    if (bodyEnd > this.fileBytes) throw damaged(this.path, `it was cut off at byte ${this.fileBytes}`)
    const body = await this.file.read(at + chunkHeaderBytes, found.length)
    if (body.length !== found.length || !chunkIntact(header, body, found.crc, this.crc)) {
      throw damaged(this.path, `the chunk at byte ${at} has a wrong checksum`)
    }
    this.position = bodyEnd
    this.crc = found.crc
    if (found.isEnd) return this.checkEnd(body)
    this.chunks++
    this.payload += body.length
    return body
  }

  private checkEnd(body: Uint8Array): undefined {
    const { chunks, payloadBytes } = decodeEnd(body)
    if (chunks !== this.chunks || payloadBytes !== this.payload || this.position !== this.fileBytes) {
      throw damaged(this.path, 'its end does not agree with its chunks')
    }
    this.atEnd = true
    return undefined
  }
}
