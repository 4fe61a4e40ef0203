/** A file that several processes append whole lines to, such as an access log. */
export interface AppendFile {
  /**
   * Appends in one write, so that the lines of other processes never come within it; the caller must not change `bytes`
   * afterwards. Returns at once. Past the bound on what waits for a slow disk, bytes are dropped and counted.
   */
  append(bytes: Uint8Array): void
  /** Bytes dropped: the disk was too slow, or refused. */
  readonly droppedBytes: number
  /** Opens the path again, for whoever renamed the file. When that fails the old file is kept; rejects with a `DiskError`. */
  reopen(): Promise<void>
  /** Resolves when all that was appended is written. */
  close(): Promise<void>
}

export interface AppendFiles {
  /** Opens, or makes, the file; `-` is standard output. Rejects with a `DiskError`. */
  open(path: string): Promise<AppendFile>
}
