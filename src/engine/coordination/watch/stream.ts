import type { Timer } from '../../../runtime/index.ts'
import type { WatchHub } from './hub.ts'
import type { CreateOutcome, WatchId, WatchRequest, WatchSink } from './types.ts'
import { intervalEnd, type Watcher } from './watcher.ts'

/**
 * The watchers that one client multiplexes over one stream: their ids, the stream's back-pressure, and its progress
 * ticks. Made by `WatchHub.openStream`.
 *
 * - I1  `behind` holds exactly the stream's watchers that are unsynced or parked.
 * - I2  While `full`, the watchers of `behind` are parked; otherwise they are unsynced.
 */
export class WatchStream {
  readonly sink: WatchSink
  /** The consumer refused more; nothing is delivered until `drained`. */
  full = false
  readonly watchers = new Map<WatchId, Watcher>()
  readonly behind = new Set<Watcher>()
  private readonly hub: WatchHub
  private nextId = 0n
  private progressTimer: Timer | undefined = undefined
  private closed = false

  constructor(hub: WatchHub, sink: WatchSink) {
    this.hub = hub
    this.sink = sink
  }

  /** Adds a watcher. Its deliveries begin in a later turn, or at the end of this one. */
  create(request: WatchRequest): CreateOutcome {
    const end = intervalEnd(request.range.end)
    if (end !== undefined && request.range.key >= end) return { ok: false, reason: 'empty-range' }
    if (this.closed || this.watchers.size >= this.hub.options.watchersPerStreamMax)
      return { ok: false, reason: 'too-many' }
    let watchId = request.watchId
    if (watchId === 0n) {
      while (this.watchers.has(this.nextId)) this.nextId++
      watchId = this.nextId++
    } else if (this.watchers.has(watchId)) {
      return { ok: false, reason: 'duplicate-id' }
    }
    const watcher: Watcher = {
      id: watchId,
      stream: this,
      start: request.range.key,
      end,
      startRevision: request.startRevision,
      noPut: request.noPut,
      noDelete: request.noDelete,
      progressNotify: request.progressNotify,
      state: 'gone',
      next: request.startRevision,
      quiet: true,
      slot: 0,
      pending: [],
      pendingBytes: 0,
      cutAt: 0,
    }
    this.watchers.set(watchId, watcher)
    this.hub.admit(watcher)
    if (request.progressNotify) this.startProgressTimer()
    return { ok: true, watchId }
  }

  /** Ends a watcher: nothing more comes for it. False when there is none of that id. */
  cancel(watchId: WatchId): boolean {
    const watcher = this.watchers.get(watchId)
    if (watcher === undefined) return false
    this.hub.dismiss(watcher)
    return true
  }

  /**
   * Answers with one `progress` for the whole stream if all its watchers have everything up to now; else does nothing,
   * as etcd does.
   */
  requestProgress(): void {
    if (this.watchers.size === 0) return
    this.hub.flush()
    if (this.full || this.behind.size > 0) return
    for (const watcher of this.watchers.values()) if (!this.hub.isCurrent(watcher)) return
    this.sink.progress(undefined, this.hub.position)
  }

  /** The consumer has room again after it refused more. */
  drained(): void {
    if (!this.full || this.closed) return
    this.full = false
    this.hub.unpark(this.behind)
  }

  /** Ends the stream and all its watchers. */
  close(): void {
    if (this.closed) return
    this.closed = true
    this.progressTimer?.cancel()
    for (const watcher of [...this.watchers.values()]) this.hub.dismiss(watcher)
    this.hub.forget(this)
  }

  private startProgressTimer(): void {
    if (this.progressTimer !== undefined) return
    this.progressTimer = this.hub.startProgressTimer(() => this.progressTick())
  }

  /** Tells the quiet watchers where they are. One that got an event since the last tick knows. */
  private progressTick(): void {
    this.progressTimer = undefined
    if (this.closed) return
    this.hub.flush()
    let any = false
    for (const watcher of this.watchers.values()) {
      if (!watcher.progressNotify) continue
      any = true
      if (watcher.quiet && !this.full && this.hub.isCurrent(watcher)) this.sink.progress(watcher.id, this.hub.position)
      watcher.quiet = true
    }
    if (any) this.startProgressTimer()
  }
}
