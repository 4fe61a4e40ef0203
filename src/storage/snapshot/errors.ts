import { DiskError } from '../../runtime/index.ts'

/**
 * - `DAMAGED`: the file is not what was written. Another snapshot, or a peer's, must be used.
 * - `NO_SPACE`: the disk is full. The attempt left nothing behind and may be repeated.
 * - `IO`: the disk failed. The attempt left nothing behind under a snapshot's name, unless `outcome` is `unknown`.
 * - `UNSUPPORTED_VERSION`: a newer Synod wrote the file.
 * - `FOREIGN`: the file belongs to another member or cluster.
 * - `TOO_LARGE`: a chunk above `snapshotChunkBytesMax`.
 * - `CLOSED`: the writer was aborted, finished or failed before, or the reader was closed.
 */
export type SnapshotErrorCode =
  | 'DAMAGED'
  | 'NO_SPACE'
  | 'IO'
  | 'UNSUPPORTED_VERSION'
  | 'FOREIGN'
  | 'TOO_LARGE'
  | 'CLOSED'

/** The only error that leaves `storage/snapshot`. */
export class SnapshotError extends Error {
  override readonly name = 'SnapshotError'
  readonly code: SnapshotErrorCode
  /** True when a new attempt can succeed. */
  readonly retryable: boolean
  readonly outcome: 'not-applied' | 'unknown'

  constructor(
    code: SnapshotErrorCode,
    message: string,
    options?: { cause?: unknown; outcome?: 'not-applied' | 'unknown' | undefined },
  ) {
    super(message, options)
    this.code = code
    this.retryable = code === 'NO_SPACE'
    this.outcome = options?.outcome ?? 'not-applied'
  }
}

export function damaged(path: string, what: string): SnapshotError {
  return new SnapshotError('DAMAGED', `The snapshot ${path} is damaged: ${what}. Restore from another one or a peer.`)
}

/** Turns a {@link DiskError} into a {@link SnapshotError}; anything else comes back as it is. */
export function snapshotError(doing: string, error: unknown, outcome?: 'unknown'): unknown {
  if (!(error instanceof DiskError)) return error
  const noSpace = error.code === 'NO_SPACE'
  const advice = noSpace ? 'Free some space; it is tried again' : 'Check the disk'
  return new SnapshotError(
    noSpace ? 'NO_SPACE' : 'IO',
    `The snapshot could not be ${doing}: ${error.message} ${advice}.`,
    {
      cause: error,
      outcome,
    },
  )
}
