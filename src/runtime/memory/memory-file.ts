import { DiskError, type DiskFile } from '../index.ts'
import type { FileContents } from './file-contents.ts'

/** A handle of a file in memory. What it writes is there for as long as the {@link MemoryDisk} is. */
export class MemoryFile implements DiskFile {
  readonly path: string
  private readonly contents: FileContents
  private readonly writable: boolean
  private closed = false

  constructor(path: string, contents: FileContents, writable: boolean) {
    this.path = path
    this.contents = contents
    this.writable = writable
  }

  async sizeBytes(): Promise<number> {
    this.requireOpen()
    return this.contents.length
  }

  async read(position: number, length: number): Promise<Uint8Array> {
    this.requireOpen()
    return this.contents.read(position, length)
  }

  async write(position: number, chunks: readonly Uint8Array[]): Promise<void> {
    this.requireWritable()
    let at = position
    for (const chunk of chunks) {
      this.contents.write(at, chunk)
      at += chunk.length
    }
  }

  writeDurably(position: number, chunks: readonly Uint8Array[]): Promise<void> {
    return this.write(position, chunks)
  }

  async sync(): Promise<void> {
    this.requireOpen()
  }

  async truncate(sizeBytes: number): Promise<void> {
    this.requireWritable()
    this.contents.truncate(sizeBytes)
  }

  async close(): Promise<void> {
    this.closed = true
  }

  private requireOpen(): void {
    if (this.closed) throw new DiskError('CLOSED', this.path, `${this.path} was closed`)
  }

  private requireWritable(): void {
    this.requireOpen()
    if (!this.writable) throw new DiskError('PERMISSION_DENIED', this.path, `${this.path} was opened to be read only`)
  }
}
