/**
 * One open file on the operating system's file system. Made by `NodeDisk.open`, called by storage.
 *
 * Every call goes through libuv's thread pool, so a slow disk never stops the event loop, and through Node's callback
 * API, which costs less than `fs/promises`.
 *
 * `writeDurably` is the hot path: one call a batch. Measured here (ext4, preallocated file, 30 kB and 600 B batches,
 * median latency / CPU a call): `writevSync` then `fdatasync` 105 to 118 us / 60 to 77 us; `writev` then `fdatasync`
 * 121 to 170 us / 79 to 106 us; one `writev` on an `O_DSYNC` descriptor 114 to 133 us / 61 to 74 us. The last has the
 * least cost among those that do not write on the event loop, where a full page cache or a slow journal would stall
 * it; so a writable file keeps a second, `O_DSYNC` descriptor.
 *
 * I1. An `O_DSYNC` write makes durable its own range only. `writeDurably` promises all earlier writes, so it takes the
 *     one-trip way only when no plain write or truncation is unsynced (`changesStarted === changesSynced`).
 * I2. After a failed sync the file refuses all further syncs: the kernel may have dropped the dirty pages and would
 *     report success for them (`syncFailure`). Only opening and reading the file again shows what is there.
 */
import * as fs from 'node:fs'
import { concatBytes } from '../../base/index.ts'
import { DiskError, type DiskFile } from '../index.ts'
import { diskErrorFrom } from './disk-errors.ts'

/** Linux refuses longer vectors; libuv would split them, and an `O_DSYNC` descriptor would sync once a part. */
const vectorLengthMax = 1024

export class NodeDiskFile implements DiskFile {
  readonly path: string
  private readonly descriptor: number
  /** A second descriptor opened with `O_DSYNC`, where the platform's `O_DSYNC` is as strong as its `fdatasync`. */
  private readonly syncingDescriptor: number | undefined
  private closed = false
  /** Plain writes and truncations begun so far, and one more for what a process before us may have left unsynced. */
  private changesStarted = 1
  /** Of those, how many have not finished. */
  private changesInFlight = 0
  /** All changes up to this count are durable. Never above `changesStarted`. */
  private changesSynced = 0
  private syncFailure: DiskError | undefined

  constructor(path: string, descriptor: number, syncingDescriptor: number | undefined) {
    this.path = path
    this.descriptor = descriptor
    this.syncingDescriptor = syncingDescriptor
  }

  sizeBytes(): Promise<number> {
    return this.call<fs.Stats>('read the size', (done) => fs.fstat(this.descriptor, done)).then((stats) => stats.size)
  }

  async read(position: number, length: number): Promise<Uint8Array> {
    const bytes = Buffer.allocUnsafeSlow(length)
    let filled = 0
    while (filled < length) {
      const from = filled
      const count = await this.call<number>(`read ${length} bytes at ${position}`, (done) =>
        fs.read(this.descriptor, bytes, from, length - from, position + from, done),
      )
      if (count === 0) break
      filled += count
    }
    return filled === length ? bytes : bytes.subarray(0, filled)
  }

  write(position: number, chunks: readonly Uint8Array[]): Promise<void> {
    return this.change(() => this.writeAll(this.descriptor, position, chunks))
  }

  truncate(sizeBytes: number): Promise<void> {
    return this.change(() =>
      this.call(`truncate to ${sizeBytes} bytes`, (done) => fs.ftruncate(this.descriptor, sizeBytes, done)),
    )
  }

  writeDurably(position: number, chunks: readonly Uint8Array[]): Promise<void> {
    if (this.syncFailure !== undefined) return Promise.reject(this.refusal(this.syncFailure))
    if (this.syncingDescriptor === undefined || this.changesStarted !== this.changesSynced) {
      return this.write(position, chunks).then(() => this.sync())
    }
    return this.writeAll(this.syncingDescriptor, position, chunks).catch((error: DiskError) => {
      // No earlier byte was unsynced (I1), so running out of space here harms only the range of this call.
      if (error.code === 'IO') this.syncFailure = error
      throw error
    })
  }

  async sync(): Promise<void> {
    if (this.syncFailure !== undefined) throw this.refusal(this.syncFailure)
    const covered = this.changesInFlight === 0 ? this.changesStarted : this.changesSynced
    try {
      await this.call<void>('sync', (done) => fs.fdatasync(this.descriptor, done))
    } catch (error) {
      if (error instanceof DiskError && error.code !== 'CLOSED') this.syncFailure = error
      throw error
    }
    this.changesSynced = Math.max(this.changesSynced, covered)
  }

  async close(): Promise<void> {
    if (this.closed) return
    this.closed = true
    const syncing = this.syncingDescriptor
    if (syncing !== undefined) await callDisk<void>('close', this.path, (done) => fs.close(syncing, done))
    await callDisk<void>('close', this.path, (done) => fs.close(this.descriptor, done))
  }

  private async change(run: () => Promise<void>): Promise<void> {
    this.changesStarted++
    this.changesInFlight++
    try {
      await run()
    } finally {
      this.changesInFlight--
    }
  }

  /** Writes all of `chunks`, however little of them each call to the kernel takes. */
  private writeAll(descriptor: number, position: number, chunks: readonly Uint8Array[]): Promise<void> {
    if (this.closed) return Promise.reject(this.closedError('write'))
    let length = 0
    for (const chunk of chunks) length += chunk.length
    const vector = chunks.length === 1 || chunks.length > vectorLengthMax ? undefined : chunks
    const single = vector === undefined ? (chunks.length === 1 ? chunks[0]! : concatBytes(chunks)) : undefined
    return new Promise((resolve, reject) => {
      const done = (error: NodeJS.ErrnoException | null, written: number): void => {
        if (error !== null) {
          reject(diskErrorFrom(error, `write ${length} bytes at ${position}`, this.path))
        } else if (written === length) {
          resolve()
        } else {
          const rest = concatBytes(chunks).subarray(written)
          resolve(this.writeAll(descriptor, position + written, [rest]))
        }
      }
      if (single !== undefined) fs.write(descriptor, single, 0, length, position, done)
      else fs.writev(descriptor, vector as Uint8Array[], position, done)
    })
  }

  private call<T>(action: string, start: (done: Done<T>) => void): Promise<T> {
    if (this.closed) return Promise.reject(this.closedError(action))
    return callDisk(action, this.path, start)
  }

  private closedError(action: string): DiskError {
    return new DiskError('CLOSED', this.path, `cannot ${action}: ${this.path}: the file was closed before this call.`)
  }

  private refusal(cause: DiskError): DiskError {
    const message = `cannot sync: ${this.path}: an earlier sync failed, so unsynced bytes may be lost. Restart the node.`
    return new DiskError('IO', this.path, message, { cause })
  }
}

type Done<T> = (error: NodeJS.ErrnoException | null, value: T) => void

/** Turns one callback-style call of `node:fs` into a promise that rejects with a `DiskError`. */
export function callDisk<T>(action: string, path: string, start: (done: Done<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, value) => {
      // `error` is undefined or null on success, depending on the function.
      if (error) reject(diskErrorFrom(error, action, path))
      else resolve(value)
    })
  })
}
