import type { Clock, Scheduler, Timer } from '../../../runtime/index.ts'
import type { AutoCompaction } from '../api.ts'

/** etcd looks every five minutes in revision mode. */
const revisionIntervalMs = 5 * 60_000
/** In periodic mode etcd compacts at most this often, however long the retention. */
const periodicIntervalMsMax = 60 * 60_000
/** In periodic mode the revision is noted this many times an interval. */
const notesPerInterval = 10

export interface AutoCompactorContext {
  readonly clock: Clock
  readonly scheduler: Scheduler
  readonly revision: () => number
  /** Only the leader compacts; the others keep notes, so that a new leader need not wait a whole retention. */
  readonly leads: () => boolean
  /** Proposes a compaction; tells whether the key space is now compacted at that revision or beyond. */
  readonly compact: (revision: number, done: (compacted: boolean) => void) => void
}

/**
 * Compacts the key space by itself, as etcd's `--auto-compaction-mode` and `--auto-compaction-retention` say. Periodic:
 * keeps the history of the last retention time. Revision: keeps the last so many revisions.
 */
export class AutoCompactor {
  private readonly context: AutoCompactorContext
  private readonly stopPolicy: () => void

  constructor(context: AutoCompactorContext, settings: AutoCompaction) {
    this.context = context
    this.stopPolicy = this.startPolicy(settings)
  }

  stop(): void {
    this.stopPolicy()
  }

  private startPolicy(settings: AutoCompaction): () => void {
    switch (settings.mode) {
      case 'off':
        return () => {}
      case 'revision':
        return this.keepRevisions(settings.retention)
      case 'periodic':
        return this.keepTime(settings.retentionMs)
    }
  }

  private keepRevisions(retention: number): () => void {
    let compacted = 0
    return this.every(revisionIntervalMs, () => {
      const target = this.context.revision() - retention
      if (target <= 0 || target === compacted || !this.context.leads()) return
      this.context.compact(target, (ok) => {
        if (ok) compacted = target
      })
    })
  }

  private keepTime(retentionMs: number): () => void {
    const { clock } = this.context
    const intervalMs = Math.min(retentionMs, periodicIntervalMsMax)
    const noteMs = intervalMs / notesPerInterval
    const notesMax = Math.floor(retentionMs / noteMs) + 1
    /** The revision at each past note; the first is the one at about `retentionMs` ago. */
    const notes = [this.context.revision()]
    let compacted = 0
    let lastMs = clock.monotonicMs()
    /** The first compaction waits out the retention; after it one follows each interval. */
    let waitMs = retentionMs
    return this.every(noteMs, () => {
      const target = notes[0]!
      // A millisecond of grace: timers may fire a fraction early against this clock.
      const due = clock.monotonicMs() - lastMs >= waitMs - 1
      if (due && target !== compacted && this.context.leads()) {
        waitMs = intervalMs
        this.context.compact(target, (ok) => {
          if (!ok) return
          compacted = target
          lastMs = clock.monotonicMs()
        })
      }
      notes.push(this.context.revision())
      if (notes.length > notesMax) notes.shift()
    })
  }

  private every(intervalMs: number, action: () => void): () => void {
    const { scheduler } = this.context
    let timer: Timer
    const arm = (): void => {
      timer = scheduler.setTimer(intervalMs, () => {
        arm()
        action()
      })
    }
    arm()
    return () => timer.cancel()
  }
}
