import type { Revision } from '../driver/index.ts'
import { SynodError } from '../errors.ts'
import type { KeyInput } from '../kv/index.ts'
import type { CallLimits } from '../limits.ts'

/** A stored value. */
export interface StoredValue {
  readonly value: Uint8Array
  /** The value as UTF-8 text. */
  text(): string
  /** The value as JSON; `T` is a claim. Throws `VALIDATION_FAILED` when it is none. */
  json<T = unknown>(): T
}

/** A value, and which it is. */
export interface VersionedValue extends StoredValue {
  /** 1 for the first since the key was made, then one more for each write. */
  readonly version: number
  /** The write that made it: never the same again, also not after the key was deleted and made anew. */
  readonly revision: Revision
}

/**
 * What a write has seen. `ifVersion: 0`: that the key is not there. Versions begin anew when a key is deleted and made
 * again; where that happens, say `ifRevision`.
 */
export type Unchanged =
  | { readonly ifVersion: number; readonly ifRevision?: never }
  | { readonly ifRevision: Revision; readonly ifVersion?: never }

/** Where a write has got its key to. */
export interface Written {
  readonly version: number
  readonly revision: Revision
}

/** A step in the life of a key. */
export type HistoryItem =
  | (VersionedValue & { readonly deleted: false })
  | { readonly deleted: true; readonly revision: Revision }

/** Somebody else wrote first. */
export class ConflictError extends SynodError {
  /** The key as it is instead; undefined when it is not there. */
  readonly current: VersionedValue | undefined

  constructor(key: string, seen: Unchanged, current: VersionedValue | undefined) {
    const expected = seen.ifVersion === undefined ? `revision ${seen.ifRevision}` : `version ${seen.ifVersion}`
    const found =
      current === undefined ? 'is not there' : `is at version ${current.version}, revision ${current.revision}`
    super('CONFLICT', `${key} ${found}, not at ${expected}: somebody else wrote it; decide anew on what is there now`, {
      retryable: false,
    })
    this.current = current
  }
}

/**
 * Optimistic concurrency: read a value with its version, and write only if it still is the one that was read. Keys are
 * the program's own, those of `synod.kv`, with the prefix before each.
 */
export interface Versioned {
  /** Undefined when the key is not there. Linearizable. */
  read(key: KeyInput, limits?: CallLimits): Promise<VersionedValue | undefined>
  /**
   * Writes if the key is as it was seen; else rejects with `CONFLICT`, whose `current` is what is there. After an
   * `outcome: 'unknown'` the same write may be sent again: it applies at most once, but a `CONFLICT` may then be with
   * itself; {@link update} can tell.
   *
   * @example
   * const account = await synod.versioned('accounts/').read('7')
   * await synod.versioned('accounts/').write('7', next(account), { ifVersion: account?.version ?? 0 })
   */
  write(key: KeyInput, value: string | Uint8Array, seen: Unchanged & CallLimits): Promise<Written>
  /** Deletes the key if it is as it was seen; else rejects with `CONFLICT`. */
  remove(key: KeyInput, seen: Unchanged & CallLimits): Promise<void>
  /**
   * Reads, lets `change` make the next value of it, and writes that if nobody was faster, else again with what they wrote.
   * `change` may run several times and must do nothing else; `undefined` leaves the key as it is. What it gave last was
   * applied exactly once when this resolves, whatever became of connections meanwhile: the write carries an id that hangs
   * on the shared session. Resolves to what is stored then. Default time: 10 s; `TIMEOUT`, `SESSION_LOST` and others tell
   * by their `outcome` whether it may have been applied. A key that hung on a session stays from then on.
   *
   * @example
   * await synod.versioned().update('visits', (seen) => String(Number(seen?.text() ?? 0) + 1))
   */
  update(key: KeyInput, change: Change, limits?: CallLimits): Promise<StoredValue | undefined>
}

/** Makes the next value of the one that is there. */
export type Change = (
  current: StoredValue | undefined,
) => string | Uint8Array | undefined | Promise<string | Uint8Array | undefined>

/** {@link Versioned} on engines that keep history: embedded, Synod, etcd. */
export interface VersionedWithHistory extends Versioned {
  /**
   * What the key has been, the newest first, back to where the engine's history begins (compaction), deletions included.
   * Read as the loop goes on: one read an item, and one watch for what was before the key was made last. A key that is not
   * there now shows nothing: watch it from a revision instead.
   */
  history(key: KeyInput, options?: { readonly limit?: number | undefined } & CallLimits): AsyncIterable<HistoryItem>
}
