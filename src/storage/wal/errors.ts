import { DiskError } from '../../runtime/index.ts'

/**
 * Why the log refused.
 *
 * - `CORRUPT`: durable bytes are damaged or missing. The member must be rebuilt from its peers.
 * - `SNAPSHOT_MISSING`: the log begins after the newest snapshot the host could read. Rebuild likewise.
 * - `FOREIGN`: the files belong to another member or cluster.
 * - `UNSUPPORTED_VERSION`: a newer Synod wrote the files.
 * - `NO_SPACE`: the disk is full and the log could not be opened. (A log that is open waits instead, see `Wal.retry`.)
 * - `TOO_LARGE`: one entry does not fit into a segment.
 * - `OVERLOADED`: more is queued than `queuedBytesMax`.
 * - `FAILED`: a write or a sync failed; this process must not use the log again.
 * - `CLOSED`: the log was closed.
 * - `IO`: the disk failed while the log was being opened.
 */
export type WalErrorCode =
  | 'CORRUPT'
  | 'SNAPSHOT_MISSING'
  | 'FOREIGN'
  | 'UNSUPPORTED_VERSION'
  | 'NO_SPACE'
  | 'TOO_LARGE'
  | 'OVERLOADED'
  | 'FAILED'
  | 'CLOSED'
  | 'IO'

/** The only error that leaves `storage/wal`. The message says what to do next. */
export class WalError extends Error {
  override readonly name = 'WalError'
  readonly code: WalErrorCode
  /** True when the same call can succeed later. */
  readonly retryable: boolean
  /** Whether what was asked for can have reached the disk. */
  readonly outcome: 'not-applied' | 'unknown'

  constructor(
    code: WalErrorCode,
    message: string,
    options?: { cause?: unknown; outcome?: 'not-applied' | 'unknown' | undefined },
  ) {
    super(message, options)
    this.code = code
    this.retryable = code === 'NO_SPACE' || code === 'OVERLOADED'
    this.outcome = options?.outcome ?? 'not-applied'
  }
}

const rebuildAdvice =
  'This member will not serve from damaged data. Rebuild it from its peers: stop it, remove it from the cluster, ' +
  'delete its data directory, and add it again as a new member. In a cluster of one, restore a backup.'

/** Damage to bytes that had been durable. `what` is a sentence without its full stop. */
export function corrupt(what: string, cause?: unknown): WalError {
  return new WalError('CORRUPT', `${what}. ${rebuildAdvice}`, { cause })
}

export function snapshotMissing(what: string): WalError {
  return new WalError('SNAPSHOT_MISSING', `${what}. ${rebuildAdvice}`)
}

export function unsupportedVersion(path: string, found: number, known: number): WalError {
  return new WalError(
    'UNSUPPORTED_VERSION',
    `${path} has format version ${found}; this Synod knows up to ${known}. Start the newer Synod that wrote it.`,
  )
}

export function foreign(path: string, found: string, expected: string): WalError {
  return new WalError(
    'FOREIGN',
    `${path} belongs to ${found}, but this is ${expected}. Point the node at its own data directory.`,
  )
}

/** Runs `work`, turning a {@link DiskError} into a {@link WalError}. `doing` completes "The log could not be …". */
export async function withDiskErrors<T>(doing: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof DiskError)) throw error
    const code = error.code === 'NO_SPACE' ? 'NO_SPACE' : 'IO'
    const advice = code === 'NO_SPACE' ? 'Free some space and try again' : 'Check the disk, then start the node again'
    throw new WalError(code, `The log could not be ${doing}: ${error.message}. ${advice}.`, {
      cause: error,
      outcome: 'unknown',
    })
  }
}
