import type { CallOptions, ChangeEvent, Driver, KeyRange, Revision, Subscription, WatchSink } from '../driver/index.ts'
import { SynodError } from '../errors.ts'
import { Backoff, mayPass, pause } from './backoff.ts'
import { Feed, type FeedSource } from './feed.ts'

/** Changes of one or more whole revisions, in order. */
export interface ChangeBatch {
  /** Empty when there is nothing to tell but how far the watch is. */
  readonly events: readonly ChangeEvent[]
  /** Everything up to here has been told with this batch. */
  readonly revision: Revision
}

export interface HistoryOptions extends CallOptions {
  /** Past this many waiting events the engine is asked for no more until they are taken. Default 10 000. */
  readonly bufferedEventsMax?: number | undefined
  /** The same in bytes of keys and values. Default 4 MiB. */
  readonly bufferedBytesMax?: number | undefined
}

/** What a watch needed is not kept any more. */
export class CompactedError extends SynodError {
  /** The oldest revision that can still be watched from. */
  readonly compactRevision: Revision

  constructor(compactRevision: Revision, wanted: Revision) {
    super(
      'COMPACTED',
      `the changes from revision ${wanted} on are not kept any more, the oldest is ${compactRevision}; ` +
        'list the keys, and watch from the revision after the list, or watch with mode "latest"',
    )
    this.compactRevision = compactRevision
  }
}

/**
 * Every change of the range from `fromRevision` on, each revision once and in order, over as many connections as it
 * takes. `'now'`: what comes after a read made when the first batch is asked for.
 *
 * Fails with `COMPACTED` when it needed what is gone, which also a consumer that falls behind by more than the engine
 * keeps will meet. Without a deadline it lasts until the loop is left.
 */
export function historyOf(
  driver: Driver,
  range: KeyRange,
  fromRevision: Revision | 'now',
  options: HistoryOptions = {},
): AsyncIterableIterator<ChangeBatch> {
  if (driver.watch === undefined)
    throw new SynodError(
      'NOT_SUPPORTED',
      `${driver.engine} keeps no history of changes, so not every change can be told; watch with mode "latest"`,
    )
  const source = new HistorySource(driver, range, fromRevision, options)
  const feed = new Feed(driver.outside, source, options)
  source.feed = feed
  return feed
}

/**
 * One history watch, over its connections. Asked by its feed.
 *
 * - I1  Each revision of the range from the first on is queued once, whole, in order.
 * - I2  `nextRevision` is one past the last revision that was queued, with changes or as progress: a watch that ended is
 *       begun again exactly there.
 * - I3  At most one subscription is told to; of one that was given up, nothing is taken.
 * - I4  While more than `bufferedEventsMax` or `bufferedBytesMax` wait, there is no subscription: memory is bounded by
 *       these and one delivery. What comes meanwhile stays with the engine.
 */
class HistorySource implements FeedSource<ChangeBatch> {
  /** Set right after construction. */
  feed!: Feed<ChangeBatch>
  private readonly driver: Driver
  private readonly range: KeyRange
  private readonly eventsMax: number
  private readonly bytesMax: number
  private readonly backoff: Backoff
  /** Fires when nobody asks any more; ends what is under way. */
  private readonly stopped = new AbortController()
  private nextRevision: Revision | undefined
  private subscription: Subscription | undefined
  /** Between the end of a subscription and the beginning of the next. */
  private resuming = false
  private queue: ChangeBatch[] = []
  private queuedEvents = 0
  private queuedBytes = 0

  constructor(driver: Driver, range: KeyRange, fromRevision: Revision | 'now', options: HistoryOptions) {
    this.driver = driver
    this.range = range
    this.nextRevision = fromRevision === 'now' ? undefined : fromRevision
    this.eventsMax = options.bufferedEventsMax ?? 10_000
    this.bytesMax = options.bufferedBytesMax ?? 4 * 1024 * 1024
    this.backoff = new Backoff(driver.outside)
  }

  begin(): void {
    void this.resume(false)
  }

  take(): ChangeBatch | undefined {
    const batch = this.queue.shift()
    if (batch === undefined) return undefined
    this.queuedEvents -= batch.events.length
    this.queuedBytes -= sizeOf(batch)
    if (this.queue.length === 0 && this.subscription === undefined && !this.resuming && !this.feed.isOver)
      void this.resume(false)
    return batch
  }

  stop(): void {
    this.stopped.abort()
    this.subscription?.cancel()
    this.subscription = undefined
  }

  private async resume(afterFailure: boolean): Promise<void> {
    this.resuming = true
    const { signal } = this.stopped
    try {
      if (afterFailure) await pause(this.driver.outside, this.backoff.next(), { signal })
      while (this.nextRevision === undefined) {
        try {
          this.nextRevision = (await this.driver.get(this.range.start, { signal })).revision + 1
        } catch (error) {
          if (!mayPass(error)) throw error
          await pause(this.driver.outside, this.backoff.next(), { signal })
        }
      }
    } catch (error) {
      if (!signal.aborted) this.feed.fail(error as SynodError)
      return
    } finally {
      this.resuming = false
    }
    if (!signal.aborted) this.subscribe(this.nextRevision)
  }

  private subscribe(fromRevision: Revision): void {
    const isMine = (): boolean => this.subscription === subscription
    const sink: WatchSink = {
      onEvents: (events, revision) => {
        if (isMine()) this.queueUp(events, revision)
      },
      onCompacted: (compactRevision) => {
        if (!isMine()) return
        this.subscription = undefined
        this.feed.fail(new CompactedError(compactRevision, this.nextRevision!))
      },
      onEnd: (error) => {
        if (!isMine()) return
        this.subscription = undefined
        if (!mayPass(error)) this.feed.fail(error)
        else void this.resume(true)
      },
    }
    const subscription = this.driver.watch!(this.range, fromRevision, sink)
    this.subscription = subscription
  }

  private queueUp(events: readonly ChangeEvent[], revision: Revision): void {
    const from = this.nextRevision!
    if (revision < from) return
    const fresh = events.length > 0 && events[0]!.revision < from ? events.filter((e) => e.revision >= from) : events
    this.nextRevision = revision + 1
    if (fresh.length === 0 && this.queue.at(-1)?.events.length === 0) this.queue.pop()
    const batch = { events: fresh, revision }
    this.queue.push(batch)
    this.queuedEvents += fresh.length
    this.queuedBytes += sizeOf(batch)
    this.feed.offer()
    if (!this.isFull()) return
    this.subscription?.cancel()
    this.subscription = undefined
  }

  private isFull(): boolean {
    return this.queuedEvents > this.eventsMax || this.queuedBytes > this.bytesMax
  }
}

function sizeOf({ events }: ChangeBatch): number {
  let bytes = 0
  for (const event of events)
    bytes += event.type === 'put' ? event.entry.key.length + event.entry.value.length : event.key.length
  return bytes
}
