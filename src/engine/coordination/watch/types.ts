import type { BinaryString } from '../../../base/index.ts'
import type { KeyRange, MvccStore, RecordRef } from '../../../storage/mvcc/index.ts'

/** Names a watcher on its stream: an int64, chosen by the client or, when it gives 0, by the server. */
export type WatchId = bigint

/** What a client asks for. */
export interface WatchRequest {
  /** The keys to watch, as in a read. An empty range is refused. */
  readonly range: KeyRange
  /** The first revision to deliver: 0 for what comes after now; may lie in the future. */
  readonly startRevision: number
  /** 0n lets the stream choose. */
  readonly watchId: WatchId
  /** Send an empty delivery now and then, so that the client knows how far it is. */
  readonly progressNotify: boolean
  /** Leave out puts. */
  readonly noPut: boolean
  /** Leave out deletions. */
  readonly noDelete: boolean
}

/** The reasons are etcd's: a range that holds nothing, an id in use on this stream, more watchers than a stream may have. */
export type CreateOutcome =
  | { readonly ok: true; readonly watchId: WatchId }
  | { readonly ok: false; readonly reason: 'empty-range' | 'duplicate-id' | 'too-many' }

/**
 * One change as watchers see it. Made once and given to every watcher it concerns, so `shared` may hold what encoding
 * it cost, for the next one. Its refs are valid during the delivery only.
 */
export interface WatchEvent {
  readonly ref: RecordRef
  readonly key: BinaryString
  readonly modRevision: number
  readonly tombstone: boolean
  /** How many watchers take it in this delivery round; final before the first `events` call of the round. */
  watchers: number
  /** Scratch space of the consumer: encoded forms, without and with the previous version. */
  shared: Uint8Array | undefined
  sharedWithPrevious: Uint8Array | undefined
}

/** What one watcher gets at once: whole revisions, in order, each revision once. Never empty. */
export interface WatchDelivery {
  readonly watchId: WatchId
  readonly events: readonly WatchEvent[]
  /** Everything the watcher was to see up to this revision has been delivered with this. */
  readonly revision: number
  /** The store that the events' refs belong to. */
  readonly store: MvccStore
}

/** Where a stream's deliveries go. Called in order, never inside a call to the stream's own `create` or `cancel`. */
export interface WatchSink {
  /**
   * Takes a delivery; its refs must be used before this returns. Returning false says that the consumer is behind:
   * nothing but `compacted` and `progress` comes until `WatchStream.drained()`.
   */
  events(delivery: WatchDelivery): boolean
  /** The watcher is at `revision` and nothing is outstanding. `watchId` is undefined when it speaks for all of the stream. */
  progress(watchId: WatchId | undefined, revision: number): void
  /** The watcher is gone: it needed revisions below `compactRevision`. */
  compacted(watchId: WatchId, compactRevision: number): void
}

/** The bounds and periods of a hub. */
export interface WatchHubOptions {
  /** Between two progress notifications to an idle watcher, in milliseconds; up to a tenth is added at random. */
  readonly progressIntervalMs: number
  /** The most watchers one stream may have. */
  readonly watchersPerStreamMax: number
  /** A delivery is cut at the first revision boundary past this many bytes. */
  readonly deliveryBytesMax: number
  /** Changes read from the store at once. */
  readonly sliceChangesMax: number
  /** A round of deliveries ends at the first revision boundary past this many (event, watcher) pairs. */
  readonly sliceMatchesMax: number
  /** And at the first one past this many bytes, counted once for each watcher. */
  readonly sliceBytesMax: number
  /** How long the hub may hold the event loop in one turn, in milliseconds. */
  readonly turnBudgetMs: number
}

export const defaultWatchHubOptions: WatchHubOptions = {
  progressIntervalMs: 10 * 60_000,
  watchersPerStreamMax: 100_000,
  deliveryBytesMax: 64 * 1024,
  sliceChangesMax: 1000,
  sliceMatchesMax: 20_000,
  sliceBytesMax: 8 * 1024 * 1024,
  turnBudgetMs: 4,
}

/** Counts for metrics. */
export interface WatchHubStats {
  readonly streams: number
  readonly watchers: number
  /** Watchers that are behind: reading history, or parked because their stream is not read. */
  readonly slowWatchers: number
  /** Events handed to sinks since the start. */
  readonly eventsTotal: number
}
