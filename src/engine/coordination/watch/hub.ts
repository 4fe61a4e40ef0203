import type { Clock, Random, Scheduler, Timer } from '../../../runtime/index.ts'
import type { MvccStore } from '../../../storage/mvcc/index.ts'
import type { CoordinationState } from '../api.ts'
import { DeliveryRound } from './delivery-round.ts'
import { WatchStream } from './stream.ts'
import { defaultWatchHubOptions, type WatchHubOptions, type WatchHubStats, type WatchSink } from './types.ts'
import { type Watcher, WatcherIndex } from './watcher.ts'

/** What a hub needs of the outside. */
export interface WatchHubContext {
  readonly clock: Clock
  readonly scheduler: Scheduler
  readonly random: Random
  readonly state: Pick<CoordinationState, 'store' | 'observe'>
}

/**
 * All watchers of one node. It observes the state machine: when the store has moved on, the hub reads what changed from
 * the store itself, so it never keeps an event longer than a turn. A watcher that follows is **synced** and gets
 * changes as they come; one that starts in the past, or whose stream was full, is **unsynced** and is brought up by
 * catch-up rounds over history, all unsynced watchers sharing each round.
 *
 * Called by: the coordination state machine, as an observer, and `WatchStream`.
 *
 * - I1  Every change up to `position` has been delivered to each synced watcher that it concerns.
 * - I2  An unsynced or parked watcher has been delivered exactly the changes before its `next`, and
 *       `next <= position`.
 * - I3  A delivery holds whole revisions, in order; so each watcher sees each revision once and at once.
 * - I4  The hub holds no events between turns: what a full stream cannot take is read again from the store.
 */
export class WatchHub {
  readonly options: WatchHubOptions
  private readonly context: WatchHubContext
  private readonly streams = new Set<WatchStream>()
  private readonly synced = new WatcherIndex()
  private readonly unsynced = new WatcherIndex()
  /** The watchers of `unsynced`, to walk over. */
  private readonly catchingUp = new Set<Watcher>()
  private parkedCount = 0
  private positionRevision: number
  /** Catch-up goes upwards through history and then starts over, so that new old starts cannot starve the others. */
  private catchUpFrom = 0
  private flushScheduled = false
  private catchUpScheduled = false
  private delivering = false
  private eventsTotal = 0
  private readonly unsubscribe: () => void

  constructor(context: WatchHubContext, options: Partial<WatchHubOptions> = {}) {
    this.context = context
    this.options = { ...defaultWatchHubOptions, ...options }
    this.positionRevision = context.state.store.revision
    this.unsubscribe = context.state.observe({
      onRevision: () => this.advanced(),
      // A change that is compacted away cannot be read any more.
      onCompacting: () => this.flush(),
      onRestored: () => this.replaced(),
    })
  }

  /** The revision up to which synced watchers have been served. */
  get position(): number {
    return this.positionRevision
  }

  get stats(): WatchHubStats {
    return {
      streams: this.streams.size,
      watchers: this.synced.size + this.unsynced.size + this.parkedCount,
      slowWatchers: this.unsynced.size + this.parkedCount,
      eventsTotal: this.eventsTotal,
    }
  }

  openStream(sink: WatchSink): WatchStream {
    const stream = new WatchStream(this, sink)
    this.streams.add(stream)
    return stream
  }

  /** Ends all streams, without a word to their sinks. */
  stop(): void {
    this.unsubscribe()
    for (const stream of [...this.streams]) stream.close()
  }

  /** The store has a new revision. Deliveries follow at the end of the turn, for all its revisions together. */
  private advanced(): void {
    if (this.flushScheduled || this.synced.size === 0) return
    this.flushScheduled = true
    this.context.scheduler.endOfTurn(() => this.followInTime())
  }

  /** As `flush`, but leaves what does not fit into this turn's time to a later one. */
  private followInTime(): void {
    const { clock, scheduler, state } = this.context
    const until = clock.monotonicMs() + this.options.turnBudgetMs
    while (this.positionRevision < state.store.revision && this.synced.size > 0) {
      this.follow(state.store)
      if (clock.monotonicMs() < until) continue
      scheduler.setTimer(0, () => this.followInTime())
      return
    }
    this.flushScheduled = false
    this.flush()
  }

  /** Serves synced watchers up to the store's revision, now. */
  flush(): void {
    if (this.delivering) return
    const store = this.context.state.store
    while (this.positionRevision < store.revision) {
      if (this.synced.size === 0) {
        this.positionRevision = store.revision
        return
      }
      this.follow(store)
    }
  }

  /** The store was replaced by a restored one: everyone reads on from where it was. */
  private replaced(): void {
    for (const stream of this.streams) {
      for (const watcher of stream.watchers.values()) {
        if (watcher.state !== 'synced') continue
        watcher.next = Math.max(watcher.next, this.positionRevision + 1)
        if (watcher.next <= this.context.state.store.revision) this.fallBehind(watcher)
      }
    }
    this.positionRevision = this.context.state.store.revision
  }

  /** Puts a new watcher in its place. For `WatchStream`. */
  admit(watcher: Watcher): void {
    const { revision } = this.context.state.store
    if (this.synced.size === 0) this.positionRevision = revision
    if (watcher.next === 0) watcher.next = revision + 1
    watcher.state = 'synced'
    this.synced.add(watcher)
    if (watcher.next <= this.positionRevision) this.fallBehind(watcher)
  }

  /** Takes a watcher out for good. For `WatchStream`. */
  dismiss(watcher: Watcher): void {
    this.leaveIndex(watcher)
    watcher.state = 'gone'
    watcher.stream.behind.delete(watcher)
    watcher.stream.watchers.delete(watcher.id)
  }

  /** For `WatchStream`. */
  forget(stream: WatchStream): void {
    this.streams.delete(stream)
  }

  /** Whether a watcher has everything there is, and its start has come. For `WatchStream`. */
  isCurrent(watcher: Watcher): boolean {
    return watcher.state === 'synced' && watcher.startRevision <= this.positionRevision
  }

  /** Lets parked watchers read on. For `WatchStream`. */
  unpark(watchers: Iterable<Watcher>): void {
    for (const watcher of watchers) {
      if (watcher.state !== 'parked') continue
      this.leaveIndex(watcher)
      this.enterUnsynced(watcher)
    }
  }

  /** For `WatchStream`. */
  startProgressTimer(tick: () => void): Timer {
    const { progressIntervalMs } = this.options
    return this.context.scheduler.setTimer(progressIntervalMs * (1 + this.context.random.float() / 10), tick)
  }

  /** One round for synced watchers. */
  private follow(store: MvccStore): void {
    const round = new DeliveryRound(store, this.options)
    round.gather(this.positionRevision + 1, this.synced, (watcher, revision) => revision >= watcher.next)
    this.positionRevision = round.endRevision
    this.deliver(round, store)
  }

  /** Rounds for unsynced watchers, until they are done or this turn's time is up. */
  private catchUp(): void {
    this.catchUpScheduled = false
    const { clock } = this.context
    const until = clock.monotonicMs() + this.options.turnBudgetMs
    do {
      this.cancelCompacted()
      if (this.unsynced.size === 0) return
      this.catchUpRound()
    } while (clock.monotonicMs() < until)
    this.scheduleCatchUp(true)
  }

  private catchUpRound(): void {
    const store = this.context.state.store
    if (this.synced.size === 0) this.positionRevision = store.revision
    const from = this.chooseCatchUpStart()
    const round = new DeliveryRound(store, this.options)
    round.gather(from, this.unsynced, (watcher, revision) => watcher.next >= from && watcher.next <= revision)
    const { endRevision } = round
    this.catchUpFrom = endRevision + 1
    // Those that the round concerned but who got nothing, or all of it, have now seen it to its end.
    for (const watcher of this.catchingUp) {
      if (watcher.next < from || watcher.next > endRevision || watcher.pending.length > 0) continue
      watcher.next = endRevision + 1
      if (watcher.next > this.positionRevision) this.becomeSynced(watcher)
    }
    this.deliver(round, store)
  }

  /** The least `next` at or after where the last round ended, or else the least of all. */
  private chooseCatchUpStart(): number {
    let least = Number.POSITIVE_INFINITY
    let leastAhead = Number.POSITIVE_INFINITY
    for (const { next } of this.catchingUp) {
      if (next < least) least = next
      if (next >= this.catchUpFrom && next < leastAhead) leastAhead = next
    }
    return leastAhead === Number.POSITIVE_INFINITY ? least : leastAhead
  }

  private cancelCompacted(): void {
    const { compactedRevision } = this.context.state.store
    for (const watcher of this.catchingUp) {
      if (watcher.next >= compactedRevision) continue
      const { sink } = watcher.stream
      this.dismiss(watcher)
      sink.compacted(watcher.id, compactedRevision)
    }
  }

  /** Hands out what a round gathered, and moves each watcher to where that leaves it. */
  private deliver(round: DeliveryRound, store: MvccStore): void {
    this.delivering = true
    for (const watcher of round.touched) {
      const events = watcher.pending
      const cutAt = watcher.cutAt
      watcher.pending = []
      watcher.pendingBytes = 0
      watcher.cutAt = 0
      if (watcher.state === 'gone') continue
      const { stream } = watcher
      if (stream.full) {
        watcher.next = (events[0] as (typeof events)[0]).modRevision
        this.fallBehind(watcher)
        continue
      }
      const revision = cutAt === 0 ? round.endRevision : cutAt - 1
      watcher.next = revision + 1
      watcher.quiet = false
      this.eventsTotal += events.length
      const more = stream.sink.events({ watchId: watcher.id, events, revision, store })
      if (!more) this.park(stream)
      if ((watcher.state as string) === 'gone') continue
      if (watcher.next > this.positionRevision) this.becomeSynced(watcher)
      else this.fallBehind(watcher)
    }
    this.delivering = false
  }

  /** The stream is full: its watchers that are behind wait outside the index. */
  private park(stream: WatchStream): void {
    if (stream.full) return
    stream.full = true
    for (const watcher of stream.behind) {
      this.leaveIndex(watcher)
      watcher.state = 'parked'
      this.parkedCount++
    }
  }

  private becomeSynced(watcher: Watcher): void {
    if (watcher.state === 'synced') return
    this.leaveIndex(watcher)
    watcher.stream.behind.delete(watcher)
    watcher.state = 'synced'
    this.synced.add(watcher)
  }

  private fallBehind(watcher: Watcher): void {
    if (watcher.state !== 'synced') return
    this.leaveIndex(watcher)
    watcher.stream.behind.add(watcher)
    if (watcher.stream.full) {
      watcher.state = 'parked'
      this.parkedCount++
    } else {
      this.enterUnsynced(watcher)
    }
  }

  private enterUnsynced(watcher: Watcher): void {
    watcher.state = 'unsynced'
    this.unsynced.add(watcher)
    this.catchingUp.add(watcher)
    this.scheduleCatchUp(false)
  }

  private leaveIndex(watcher: Watcher): void {
    if (watcher.state === 'synced') this.synced.remove(watcher)
    else if (watcher.state === 'unsynced') {
      this.unsynced.remove(watcher)
      this.catchingUp.delete(watcher)
    } else if (watcher.state === 'parked') this.parkedCount--
  }

  /** `later`: not before the loop has seen to its other work. */
  private scheduleCatchUp(later: boolean): void {
    if (this.catchUpScheduled) return
    this.catchUpScheduled = true
    const run = (): void => this.catchUp()
    if (later) this.context.scheduler.setTimer(0, run)
    else this.context.scheduler.endOfTurn(run)
  }
}
