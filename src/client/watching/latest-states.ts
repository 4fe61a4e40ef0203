import type {
  CallOptions,
  ChangeEvent,
  ClientRuntime,
  Driver,
  Entry,
  Key,
  KeyRange,
  Revision,
  Subscription,
} from '../driver/index.ts'
import { SynodError } from '../errors.ts'
import { Backoff, mayPass, pause } from './backoff.ts'
import { Bell } from './bell.ts'
import { Feed, type FeedSource } from './feed.ts'
import { listPages } from './list-pages.ts'

/** A range at one moment. It does not change after it was given. */
export interface LatestState {
  readonly entries: ReadonlyMap<Key, Entry>
  /** Where the engine reads as of a revision: the state is the range's at this one. Elsewhere: no older than this. */
  readonly revision: Revision
  /** What is otherwise than in the state given before (everything, in the first): the new entry; undefined when it is gone. */
  readonly changed: ReadonlyMap<Key, Entry | undefined>
  /** The state holds everything that was acknowledged to anyone before this moment of the monotonic clock. */
  readonly currentAsOfMs: number
}

/** The states of a range, each newer than the one before. */
export interface LatestStates extends AsyncIterableIterator<LatestState> {
  /**
   * Reads keys and revisions now, and values if these differ. Then a state is told, also when nothing has changed, whose
   * `currentAsOfMs` is no earlier than the call.
   */
  revalidate(options?: CallOptions): Promise<void>
}

/**
 * The range's state now, and anew after changes. What changed several times while nobody asked is told once, in its newest
 * state: a slow consumer costs nothing but the state itself. Converges to the newest over any number of lost connections
 * and compactions; on an engine with history by one list and one watch, elsewhere by lists.
 *
 * Without a deadline in `options` it lasts until the loop is left.
 */
export function latestStates(driver: Driver, range: KeyRange, options: CallOptions = {}): LatestStates {
  const source = new LatestSource(driver, range)
  const feed = new LatestFeed(driver.outside, source, options)
  source.feed = feed
  return feed
}

class LatestFeed extends Feed<LatestState> implements LatestStates {
  private readonly latest: LatestSource

  constructor(outside: Pick<ClientRuntime, 'clock' | 'scheduler'>, source: LatestSource, options: CallOptions) {
    super(outside, source, options)
    this.latest = source
  }

  async revalidate(options: CallOptions = {}): Promise<void> {
    if (!this.isOver) await this.latest.revalidate(options)
  }
}

interface ListedState {
  readonly entries: Map<Key, Entry>
  readonly revision: Revision
}

/** Why {@link LatestSource} was woken, or must begin anew. */
type Ended = 'compacted' | SynodError

/**
 * Keeps the state of one range. Asked by its feed.
 *
 * - I1  `entries` is the range's state at `revision`. What a watch tells up to a revision at or below it is in there
 *       already. What it tells from below it to above may be applied again: deliveries are whole and in order, so that
 *       each key ends as it should.
 * - I2  A map that was given away is not written to any more: the next change makes a copy.
 * - I3  `touched` holds every key that may differ from the state given last.
 * - I4  `currentAsOfMs` is when a read was sent whose answer `entries` holds, or outran.
 * - I5  Of two reads, the one that was sent later is taken over, whichever is answered first.
 */
class LatestSource implements FeedSource<LatestState> {
  /** Set right after construction. */
  feed!: Feed<LatestState>
  private readonly driver: Driver
  private readonly range: KeyRange
  private readonly backoff: Backoff
  private readonly stopped = new AbortController()
  private entries = new Map<Key, Entry>()
  private revision: Revision = 0
  private hasRead = false
  /** Nothing was read yet, or what was cannot be followed. */
  private mustRead = true
  private touched = new Set<Key>()
  private given: Map<Key, Entry> | undefined
  private currentAsOfMs = Number.NEGATIVE_INFINITY
  /** Tell a state also if nothing has changed. */
  private tellAnyway = false
  private readsBegun = 0
  private newestReadTaken = 0

  constructor(driver: Driver, range: KeyRange) {
    this.driver = driver
    this.range = range
    this.backoff = new Backoff(driver.outside)
  }

  begin(): void {
    void this.run()
  }

  stop(): void {
    this.stopped.abort()
  }

  take(): LatestState | undefined {
    const { given, entries, revision } = this
    if (!this.hasRead) return undefined
    const changed = new Map<Key, Entry | undefined>()
    for (const key of this.touched) {
      const now = entries.get(key)
      if (now?.modRevision !== given?.get(key)?.modRevision) changed.set(key, now)
    }
    this.touched.clear()
    if (changed.size === 0 && given !== undefined && !this.tellAnyway) return undefined
    this.given = entries
    this.tellAnyway = false
    return { entries, revision, changed, currentAsOfMs: this.currentAsOfMs }
  }

  private async run(): Promise<void> {
    const { signal } = this.stopped
    while (!signal.aborted) {
      try {
        const ended = this.driver.watch === undefined ? await this.followByObserving() : await this.followByWatching()
        if (ended === 'compacted') this.mustRead = true
        else throw ended
      } catch (error) {
        if (signal.aborted) return
        if (!mayPass(error)) return this.feed.fail(error as SynodError)
      }
      await pause(this.driver.outside, this.backoff.next(), { signal }).catch(() => {})
    }
  }

  private async followByWatching(): Promise<Ended> {
    if (this.mustRead) await this.readAndTell()
    const bell = new Bell()
    let ended: Ended | undefined
    const end = (how: Ended): void => {
      ended ??= how
      bell.ring()
    }
    const subscription = this.driver.watch!(this.range, this.revision + 1, {
      onEvents: (events, revision) => this.apply(events, revision),
      onCompacted: () => end('compacted'),
      onEnd: end,
    })
    return this.follow(subscription, bell, async () => ended)
  }

  private async followByObserving(): Promise<Ended> {
    const { signal } = this.stopped
    const bell = new Bell()
    let ended: Ended | undefined
    const subscription = await this.driver.observe(
      this.range,
      {
        onChange: () => bell.ring(),
        onEnd(error) {
          ended ??= error
          bell.ring()
        },
      },
      { signal },
    )
    bell.ring()
    return this.follow(subscription, bell, async () => {
      if (ended === undefined) await this.readAndTell()
      return ended
    })
  }

  /** Calls `woken` whenever the bell rings, until that tells how it ended. */
  private async follow(
    subscription: Subscription,
    bell: Bell,
    woken: () => Promise<Ended | undefined>,
  ): Promise<Ended> {
    const { signal } = this.stopped
    try {
      for (;;) {
        await bell.heard(this.driver.outside, { signal })
        const ended = await woken()
        if (ended !== undefined) return ended
      }
    } finally {
      subscription.cancel()
    }
  }

  private apply(events: readonly ChangeEvent[], revision: Revision): void {
    if (revision <= this.revision) return
    for (const event of events) {
      if (event.type === 'put') this.writable().set(event.entry.key, event.entry)
      else this.writable().delete(event.key)
      this.touched.add(event.type === 'put' ? event.entry.key : event.key)
    }
    this.revision = revision
    if (events.length > 0) this.feed.offer()
  }

  private writable(): Map<Key, Entry> {
    if (this.entries === this.given) this.entries = new Map(this.entries)
    return this.entries
  }

  /** Reads everything and takes it over, unless the watch is further by now. */
  private async read(options: CallOptions = { signal: this.stopped.signal }): Promise<void> {
    const sentAtMs = this.driver.outside.clock.monotonicMs()
    const number = ++this.readsBegun
    const { entries, revision } = await this.list(false, options)
    if (number < this.newestReadTaken) return
    this.newestReadTaken = number
    if (this.mustRead || !this.driver.can.history || revision >= this.revision) {
      for (const key of this.entries.keys()) this.touched.add(key)
      for (const key of entries.keys()) this.touched.add(key)
      this.entries = entries
      this.revision = revision
      this.hasRead = true
      this.mustRead = false
    }
    this.currentAsOfMs = Math.max(sentAtMs, this.currentAsOfMs)
  }

  private async readAndTell(): Promise<void> {
    await this.read()
    this.feed.offer()
  }

  /** Reads keys and revisions only: usually they are as they were. */
  async revalidate(options: CallOptions): Promise<void> {
    const sentAtMs = this.driver.outside.clock.monotonicMs()
    const { entries, revision } = await this.list(true, options)
    const outran = this.driver.can.history && this.revision > revision
    if (!outran && !this.isAsIn(entries)) await this.read(options)
    else {
      if (!outran) this.revision = revision
      this.currentAsOfMs = Math.max(sentAtMs, this.currentAsOfMs)
    }
    // Only now: a read that was under way may have been told meanwhile, and was sent before this was called.
    this.tellAnyway = true
    this.feed.offer()
  }

  private isAsIn(entries: ReadonlyMap<Key, Entry>): boolean {
    if (entries.size !== this.entries.size) return false
    for (const [key, { modRevision }] of entries) if (this.entries.get(key)?.modRevision !== modRevision) return false
    return true
  }

  private async list(keysOnly: boolean, options: CallOptions): Promise<ListedState> {
    for (;;) {
      try {
        return await this.listOnce(keysOnly, options)
      } catch (error) {
        if (!(error instanceof SynodError && error.code === 'COMPACTED')) throw error
      }
      // Between two pages the revision of the first was compacted away: the newest one is wanted anyway.
      await pause(this.driver.outside, this.backoff.next(), options)
    }
  }

  private async listOnce(keysOnly: boolean, options: CallOptions): Promise<ListedState> {
    const entries = new Map<Key, Entry>()
    let revision = 0
    for await (const page of listPages(this.driver, this.range, { ...options, keysOnly })) {
      if (entries.size === 0) revision = page.revision
      for (const entry of page.entries) entries.set(entry.key, entry)
    }
    return { entries, revision }
  }
}
