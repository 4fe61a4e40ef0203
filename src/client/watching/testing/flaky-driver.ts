import type { Prng } from '../../../base/index.ts'
import type { Scheduler } from '../../../runtime/index.ts'
import type {
  ChangeEvent,
  ClientRuntime,
  Driver,
  DriverCapabilities,
  KeyRange,
  ObserveSink,
  Revision,
  Subscription,
  WatchSink,
} from '../../driver/index.ts'
import { SynodError } from '../../errors.ts'

export interface FlakyOptions {
  readonly prng: Prng
  /** One delivery in so many breaks the watch, after some of its revisions were told. 0: none. */
  readonly endsOneIn?: number
  /** One read in so many fails. 0: none. */
  readonly readsFailOneIn?: number
  /** Only `observe`, as an engine without history. */
  readonly withoutHistory?: boolean
}

/** A real driver over a bad connection: watches end at random between two revisions, reads fail. */
export class FlakyDriver implements Driver {
  readonly inner: Driver
  readonly can: DriverCapabilities
  readonly watch?: (range: KeyRange, fromRevision: Revision, sink: WatchSink) => Subscription
  readonly watchedFrom: Revision[] = []
  /** Watches from below it are told that it is compacted. */
  compactedBelow: Revision = 0
  gets = 0
  lists = 0
  ends = 0
  openWatches = 0
  private readonly options: FlakyOptions

  constructor(inner: Driver, options: FlakyOptions) {
    this.inner = inner
    this.options = options
    this.can =
      options.withoutHistory === true
        ? { history: false, atRevision: false, rangeInTransaction: false, leaseChangeKeepsVersion: false }
        : inner.can
    if (options.withoutHistory !== true)
      this.watch = (range, fromRevision, sink) => this.beginWatch(range, fromRevision, sink)
  }

  get engine() {
    return this.inner.engine
  }

  /** With timers that fire at once, so that nobody waits between attempts. */
  get outside(): ClientRuntime {
    const { outside } = this.inner
    const scheduler: Scheduler = {
      setTimer: (_delayMs, callback) => outside.scheduler.setTimer(0, callback),
      endOfTurn: (callback) => outside.scheduler.endOfTurn(callback),
    }
    return { ...outside, scheduler }
  }

  get: Driver['get'] = async (key, options) => {
    this.gets++
    this.perhapsFail()
    return this.inner.get(key, options)
  }

  list: Driver['list'] = async (range, options) => {
    this.lists++
    this.perhapsFail()
    return this.inner.list(range, options)
  }

  transact: Driver['transact'] = (transaction, options) => this.inner.transact(transaction, options)
  grantLease: Driver['grantLease'] = (ttlMs, options) => this.inner.grantLease(ttlMs, options)
  renewLease: Driver['renewLease'] = (leaseId, options) => this.inner.renewLease(leaseId, options)
  revokeLease: Driver['revokeLease'] = (leaseId, options) => this.inner.revokeLease(leaseId, options)
  close: Driver['close'] = () => this.inner.close()

  observe: Driver['observe'] = async (range, sink, options) => {
    this.perhapsFail()
    let subscription: Subscription | undefined
    const flaky: ObserveSink = {
      onChange: () => {
        if (!this.happens(this.options.endsOneIn)) return sink.onChange()
        this.ends++
        subscription?.cancel()
        sink.onEnd(broken())
      },
      onEnd: (error) => sink.onEnd(error),
    }
    subscription = await this.inner.observe(range, flaky, options)
    return subscription
  }

  private beginWatch(range: KeyRange, fromRevision: Revision, sink: WatchSink): Subscription {
    this.watchedFrom.push(fromRevision)
    this.openWatches++
    let over = false
    let subscription: Subscription | undefined
    const end = (): void => {
      if (over) return
      over = true
      this.openWatches--
      subscription?.cancel()
    }
    if (fromRevision < this.compactedBelow) {
      this.outside.scheduler.setTimer(0, () => {
        if (over) return
        end()
        sink.onCompacted(this.compactedBelow)
      })
      return { cancel: end }
    }
    subscription = this.inner.watch!(range, fromRevision, {
      onEvents: (events, revision) => {
        if (over) return
        if (!this.happens(this.options.endsOneIn)) return sink.onEvents(events, revision)
        this.ends++
        const told = this.someRevisionsOf(events)
        if (told.length > 0) sink.onEvents(told, told.at(-1)!.revision)
        if (over) return
        end()
        sink.onEnd(broken())
      },
      onCompacted: (compactRevision) => {
        end()
        sink.onCompacted(compactRevision)
      },
      onEnd: (error) => {
        end()
        sink.onEnd(error)
      },
    })
    return { cancel: end }
  }

  private someRevisionsOf(events: readonly ChangeEvent[]): ChangeEvent[] {
    if (events.length === 0) return []
    const { revision } = events[this.options.prng.below(events.length)]!
    return events.filter((event) => event.revision <= revision)
  }

  private happens(oneIn = 0): boolean {
    return oneIn > 0 && this.options.prng.below(oneIn) === 0
  }

  private perhapsFail(): void {
    if (this.happens(this.options.readsFailOneIn)) throw broken()
  }
}

function broken(): SynodError {
  return new SynodError('UNAVAILABLE', 'the connection broke: try again')
}
