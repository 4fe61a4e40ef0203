/**
 * Appends to a file shared with other processes (O_APPEND), through libuv's thread pool, so that a slow disk never stops
 * the event loop.
 *
 * I1. At most one write is under way; what is appended meanwhile waits in `queue`, at most `queuedBytesMax`, and leaves in
 *     one write. The kernel keeps one write whole; only a full disk cuts it.
 */
import * as fs from 'node:fs'
import type { AppendFile, AppendFiles, Logger } from '../index.ts'
import { callDisk } from './disk-file.ts'

const queuedBytesMax = 8 << 20
const standardOutput = 1

export class NodeAppendFiles implements AppendFiles {
  private readonly logger: Logger

  constructor(logger: Logger) {
    this.logger = logger
  }

  async open(path: string): Promise<AppendFile> {
    return new NodeAppendFile(path, path === '-' ? standardOutput : await openToAppend(path), this.logger)
  }
}

function openToAppend(path: string): Promise<number> {
  return callDisk<number>('open', path, (done) => fs.open(path, 'a', 0o640, done))
}

class NodeAppendFile implements AppendFile {
  droppedBytes = 0
  private readonly path: string
  private readonly logger: Logger
  private descriptor: number
  private queue: Uint8Array[] = []
  private queuedBytes = 0
  private isWriting = false
  private isClosed = false
  private isFailing = false
  private whenIdle: (() => void)[] = []

  constructor(path: string, descriptor: number, logger: Logger) {
    this.path = path
    this.descriptor = descriptor
    this.logger = logger
  }

  append(bytes: Uint8Array): void {
    if (this.isClosed || this.queuedBytes + bytes.length > queuedBytesMax) {
      this.droppedBytes += bytes.length
      return
    }
    this.queue.push(bytes)
    this.queuedBytes += bytes.length
    if (!this.isWriting) this.writeQueue()
  }

  async reopen(): Promise<void> {
    if (this.path === '-' || this.isClosed) return
    const fresh = await openToAppend(this.path)
    await this.idle()
    const old = this.descriptor
    this.descriptor = fresh
    await callDisk<void>('close', this.path, (done) => fs.close(old, done))
  }

  async close(): Promise<void> {
    if (this.isClosed) return
    this.isClosed = true
    while (this.isWriting || this.queue.length > 0) {
      this.continueWriting()
      await this.idle()
    }
    if (this.path !== '-') await callDisk<void>('close', this.path, (done) => fs.close(this.descriptor, done))
  }

  private idle(): Promise<void> {
    return this.isWriting ? new Promise((resolve) => this.whenIdle.push(resolve)) : Promise.resolve()
  }

  private writeQueue(): void {
    const bytes = this.queue.length === 1 ? this.queue[0]! : Buffer.concat(this.queue)
    this.queue = []
    this.queuedBytes = 0
    this.isWriting = true
    this.writeRest(bytes, 0)
  }

  private writeRest(bytes: Uint8Array, from: number): void {
    fs.write(this.descriptor, bytes, from, bytes.length - from, null, (error, written) => {
      if (error !== null) this.failed(error, bytes.length - from)
      else {
        this.isFailing = false
        if (from + written < bytes.length) {
          this.writeRest(bytes, from + written)
          return
        }
      }
      this.isWriting = false
      // Whoever waits to change the descriptor comes before the next write.
      for (const resolve of this.whenIdle.splice(0)) resolve()
      if (this.queue.length > 0) setImmediate(() => this.continueWriting())
    })
  }

  private continueWriting(): void {
    if (!this.isWriting && this.queue.length > 0) this.writeQueue()
  }

  private failed(error: NodeJS.ErrnoException, lostBytes: number): void {
    this.droppedBytes += lostBytes
    const wasFailing = this.isFailing
    this.isFailing = true
    // Once, not for every write to a full disk.
    if (wasFailing) return
    const advice = error.code === 'ENOSPC' || error.code === 'EDQUOT' ? '; free space there, or name another file' : ''
    const message = `cannot write: what is appended is dropped until it works again${advice}`
    this.logger.error(message, { path: this.path, error: error.code ?? error.message })
  }
}
