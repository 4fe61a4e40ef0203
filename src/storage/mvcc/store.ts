import type { BinaryString } from '../../base/index.ts'

/**
 * The multi-version store: every change has a revision, and any revision since the last compaction can be read.
 * Semantics are etcd's (`server/storage/mvcc`). This file is its interface; `memory-store.ts` implements it.
 *
 * Revisions: an empty store is at revision 1. A write transaction that changes something makes the next **main**
 * revision; its changes are numbered by **sub** revision from 0. Both are numbers, at most 2^53 - 1 and 2^32 - 1.
 *
 * One writer, many readers, all in one thread: `write()` runs to its end in one turn. Reads that take long are done
 * in slices (see {@link RangeCursor}), pinned against compaction.
 */

/**
 * Points at one version of one key: a **record**. Valid until the loop next turns, or as long as a cursor or snapshot
 * pins it.
 */
export type RecordRef = number

/** No record. */
export const noRecord: RecordRef = -1

/** Keys from `key` to before `end`, in byte order. `end` undefined: just `key`. `end` '\0': `key` and all after it. */
export interface KeyRange {
  readonly key: BinaryString
  readonly end: BinaryString | undefined
}

/** A record, decoded. `lease` is an int64, 0n for none. A tombstone has only `key` and `modRevision`. */
export interface RecordFields {
  readonly key: BinaryString
  readonly createRevision: number
  readonly modRevision: number
  readonly subRevision: number
  /** 1 for a key's first put since it was created; 0 marks a tombstone. */
  readonly version: number
  readonly lease: bigint
  readonly tombstone: boolean
}

/** What a write transaction can do. Reads inside it see its own changes. */
export interface WriteTransaction {
  /** The main revision that the first change of this transaction gets (or has got). */
  readonly revision: number
  /** True once something changed. */
  readonly changed: boolean
  /**
   * Sets `key`. Returns the version it replaced, or {@link noRecord}. `value` is copied. `lease` is taken modulo
   * 2^64, and read back as the int64 that etcd has on the wire: -2^63 to 2^63 - 1.
   */
  put(key: BinaryString, value: Uint8Array, lease: bigint): RecordRef
  /** Deletes all live keys of the range in key order, a tombstone each. Returns the versions it deleted. */
  delete(range: KeyRange): RecordRef[]
}

/** Walks a range at one revision in slices, so that a long answer never holds the loop. Pinned until `close`. */
export interface RangeCursor {
  /**
   * Appends up to `max` records to `into`, in key order; fewer, even none, where many keys are not live. Returns
   * false when the range is exhausted.
   */
  next(max: number, into: RecordRef[]): boolean
  close(): void
}

export interface MvccStore {
  /** The newest main revision. 1 when empty. */
  readonly revision: number
  /** Revisions below this are gone, as are superseded versions at it. 0 before the first compaction. */
  readonly compactedRevision: number
  /** Bytes of memory held for data (arenas, tables and index, live or not yet reclaimed). */
  readonly sizeBytes: number
  /** Of those, bytes still in use. */
  readonly sizeInUseBytes: number
  /** Keys that are live now. */
  readonly keyCount: number

  /**
   * Runs `body` as one transaction at the next revision. Returns what `body` returns. There is no rollback: when
   * `body` throws, the changes it made stay.
   */
  write<T>(body: (transaction: WriteTransaction) => T): T

  /** The version of `key` that is live at `atRevision` (0: now), or {@link noRecord}. */
  get(key: BinaryString, atRevision: number): RecordRef
  /**
   * The live versions in `range` at `atRevision` (0: now), in key order, at most `limit` (0: all), with the total
   * that a call without limit would find. `countOnly` leaves `refs` empty. Synchronous: for bounded results, and
   * inside transactions.
   */
  range(range: KeyRange, atRevision: number, limit: number, countOnly: boolean): { refs: RecordRef[]; count: number }
  /** As `range` without limit, in slices. `atRevision` must not be compacted or in the future. */
  cursor(range: KeyRange, atRevision: number): RangeCursor

  /** Decodes a record's fields, except its value. */
  fields(ref: RecordRef): RecordFields
  key(ref: RecordRef): BinaryString
  modRevision(ref: RecordRef): number
  version(ref: RecordRef): number
  isTombstone(ref: RecordRef): boolean
  lease(ref: RecordRef): bigint
  /** A view of the value. Its bytes never change, and stay readable as long as the view is held. */
  value(ref: RecordRef): Uint8Array
  /**
   * A view of the record encoded as etcd's `mvccpb.KeyValue` protobuf message (key = 1, create_revision = 2,
   * mod_revision = 3, version = 4, value = 5, lease = 6; zero and empty fields omitted): records are stored in this
   * form, so answers are copies. A tombstone has only key and mod_revision. Its bytes never change, and stay readable
   * as long as the view is held.
   */
  encoded(ref: RecordRef): Uint8Array
  /** The length of `encoded(ref)`; `withoutValue` (`keys_only`): of what is left without field 5. Default false. */
  encodedLength(ref: RecordRef, withoutValue?: boolean): number
  /**
   * Copies the encoded record to `target`, which has room for it, at `offset`; returns the offset after it.
   * `withoutValue` leaves field 5 out.
   */
  copyEncoded(ref: RecordRef, target: Uint8Array, offset: number, withoutValue: boolean): number
  /**
   * The version of the same key just before this one, if not compacted and (etcd's prev_kv) not a tombstone. None for
   * a record at or below `compactedRevision`.
   */
  previous(ref: RecordRef): RecordRef

  /**
   * The changes from `fromRevision` (more than `compactedRevision`, or equal to it for what is kept there) in
   * revision order: whole revisions only, at least one if there is any, stopping after the revision in which
   * `maxChanges` is reached. Returns them with the next revision to ask for. At `compactedRevision`, the changes kept
   * include deletes made there.
   */
  changes(fromRevision: number, maxChanges: number): { refs: RecordRef[]; nextRevision: number }

  /**
   * Forgets what only revisions below `atRevision` could see. Its effect on reads is immediate; memory is reclaimed
   * in slices by `reclaim`. `atRevision` must be more than `compactedRevision` and at most `revision`.
   */
  compact(atRevision: number): void
  /**
   * Does up to about `budgetMs` of reclaiming, measured by the caller's `now`. Returns true while there is more that
   * it can do now. It can do nothing, and returns false, while a cursor, hash job or snapshot is open: call again
   * after `compact` and after each of those is closed, or now and then. Never called inside a transaction. Ends the
   * validity of references.
   */
  reclaim(budgetMs: number, now: () => number): boolean

  /**
   * etcd 3.6's HashKV: CRC-32C over all versions kept at `atRevision` (0: now; at least `compactedRevision`). The
   * same on every node with the same history and compacted revision, and on an etcd. In slices: call `step` until it
   * returns the hash, which closes the job. Pinned meanwhile.
   */
  hash(atRevision: number): HashJob

  /** A consistent image of all versions at this moment, read in chunks while the store goes on changing. */
  snapshot(): StoreSnapshot
}

export interface HashJob {
  /** Hashes about `records` more; returns the hash when done, else undefined. */
  step(records: number): number | undefined
  close(): void
}

export interface StoreSnapshot {
  readonly revision: number
  readonly compactedRevision: number
  /** The next chunk (about `chunkBytes`), or undefined at the end. Synchronous; take one chunk a turn. */
  next(chunkBytes: number): Uint8Array | undefined
  /** Must be called, also after the end: frees what the snapshot pins. */
  close(): void
}

/** Builds a store from the chunks of a {@link StoreSnapshot}, in order, cut anywhere. */
export interface StoreLoader {
  write(chunk: Uint8Array): void
  /** Throws when the image is incomplete or damaged. */
  finish(): MvccStore
}
