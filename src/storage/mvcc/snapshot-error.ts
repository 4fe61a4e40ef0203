/**
 * An image that cannot be loaded. `SNAPSHOT_DAMAGED`: it is cut, altered or was never one: take it anew from its
 * source. `SNAPSHOT_VERSION`: it was written by a program of another version: upgrade this one. Not retryable with
 * the same bytes; nothing is kept of what was loaded.
 */
export class SnapshotError extends Error {
  override readonly name = 'SnapshotError'
  readonly code: 'SNAPSHOT_DAMAGED' | 'SNAPSHOT_VERSION'
  readonly retryable = false
  readonly outcome = 'not-applied'

  constructor(code: SnapshotError['code'], problem: string) {
    super(`cannot load the store's image: ${problem}`)
    this.code = code
  }
}
