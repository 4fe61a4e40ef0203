/** What went wrong on a disk. `IO` covers everything the caller cannot act on by kind. */
export type DiskErrorCode = 'NOT_FOUND' | 'EXISTS' | 'NO_SPACE' | 'LOCKED' | 'PERMISSION_DENIED' | 'CLOSED' | 'IO'

/** The error every {@link Disk} and {@link DiskFile} method rejects with. */
export class DiskError extends Error {
  override readonly name = 'DiskError'
  readonly code: DiskErrorCode
  readonly path: string

  constructor(code: DiskErrorCode, path: string, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
    this.path = path
  }
}

/**
 * How `open` treats the file.
 * `read`: must exist, read only. `write`: must exist, read and write. `create`: read and write, made when absent, its
 * bytes kept when present. `create-new`: must not exist.
 */
export type OpenMode = 'read' | 'write' | 'create' | 'create-new'

/** An open file. Positions and lengths are in bytes. */
export interface DiskFile {
  readonly path: string
  sizeBytes(): Promise<number>
  /** Reads up to `length` bytes; fewer only at the end of the file. */
  read(position: number, length: number): Promise<Uint8Array>
  /** Writes all `chunks` one after another from `position`. Survives the process, not a power loss, until synced. */
  write(position: number, chunks: readonly Uint8Array[]): Promise<void>
  /** As `write` then `sync`, in one trip to the disk. */
  writeDurably(position: number, chunks: readonly Uint8Array[]): Promise<void>
  /**
   * Makes every earlier write to this file durable, and its length. The file's *name* is durable only after
   * `syncDirectory`. After a rejection nothing may be assumed of any unsynced byte, and it must not be retried: the
   * kernel may have dropped the pages.
   */
  sync(): Promise<void>
  truncate(sizeBytes: number): Promise<void>
  close(): Promise<void>
}

/** An exclusive claim on a path, freed by `release` or by the kernel when the process dies. */
export interface DiskLock {
  release(): Promise<void>
}

/** Durable storage, real or simulated. Paths use `/`. */
export interface Disk {
  open(path: string, mode: OpenMode): Promise<DiskFile>
  /** The names in a directory, sorted. Rejects with `NOT_FOUND`. */
  readDirectory(path: string): Promise<string[]>
  /** Makes a directory and its missing parents. An existing one is no error. */
  makeDirectory(path: string): Promise<void>
  /** `undefined` when nothing is there. */
  stat(path: string): Promise<{ readonly kind: 'file' | 'directory'; readonly sizeBytes: number } | undefined>
  /** Atomically replaces `to`. Durable after `syncDirectory` of the parent. */
  rename(from: string, to: string): Promise<void>
  /** Removes a file, or a directory with all below it. A missing one is no error. */
  remove(path: string): Promise<void>
  /** Makes creations, renames and removals directly inside `path` durable. */
  syncDirectory(path: string): Promise<void>
  /**
   * Claims `path` for this process. `owner` is a line about the claimant (its process id and address). Rejects with
   * `LOCKED` and a message that carries the line of the owner, when another live process holds it.
   */
  lock(path: string, owner: string): Promise<DiskLock>
  /** Bytes a normal process may still write to the file system that holds `path`. */
  availableBytes(path: string): Promise<number>
}
