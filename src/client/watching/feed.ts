import type { CallOptions, ClientRuntime } from '../driver/index.ts'
import type { SynodError } from '../errors.ts'
import { cancelledError, timeoutError } from '../limits.ts'

/** Where a {@link Feed} gets what it gives. */
export interface FeedSource<T> {
  /** The first item is asked for. */
  begin(): void
  /** The next item, if there is one. */
  take(): T | undefined
  /** It need not find anything more. What it has may still be taken. */
  stop(): void
}

/**
 * The consumer's side of a watch: an async iterator that waits when there is nothing, and ends at once when its `signal`
 * fires, its deadline passes, or the loop over it is left, also while a `next()` is waiting (which no generator can).
 *
 * - I1  Nothing is begun before the first `next()`, and everything is stopped exactly once, if it was begun.
 * - I2  Items are given in order; somebody waits only while `take()` has nothing.
 * - I3  A failure is told once, after the items that came before it; after that it is done.
 */
export class Feed<T> implements AsyncIterableIterator<T> {
  private readonly outside: Pick<ClientRuntime, 'clock' | 'scheduler'>
  private readonly source: FeedSource<T>
  private readonly options: CallOptions
  private state: 'new' | 'live' | 'failing' | 'cut' | 'done' = 'new'
  private failure: SynodError | undefined
  private readonly waiting: { resolve(result: IteratorResult<T>): void; reject(error: unknown): void }[] = []
  private release: () => void = () => {}

  constructor(
    outside: Pick<ClientRuntime, 'clock' | 'scheduler'>,
    source: FeedSource<T>,
    { signal, deadlineMs }: CallOptions = {},
  ) {
    this.outside = outside
    this.source = source
    this.options = { signal, deadlineMs }
  }

  /** Whether nothing that the source has from now on will be given. */
  get isOver(): boolean {
    return this.state !== 'new' && this.state !== 'live'
  }

  next(): Promise<IteratorResult<T>> {
    if (this.state === 'new') this.begin()
    return new Promise((resolve, reject) => {
      this.waiting.push({ resolve, reject })
      this.offer()
    })
  }

  return(): Promise<IteratorResult<T>> {
    this.halt('done')
    this.offer()
    return Promise.resolve({ done: true, value: undefined })
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** The source may have something to take. */
  offer(): void {
    while (this.waiting.length > 0) {
      const item = this.state === 'live' || this.state === 'failing' ? this.source.take() : undefined
      if (item !== undefined) this.waiting.shift()!.resolve({ done: false, value: item })
      else if (this.state === 'live') return
      else if (this.state === 'done') this.waiting.shift()!.resolve({ done: true, value: undefined })
      else {
        this.state = 'done'
        this.waiting.shift()!.reject(this.failure)
      }
    }
  }

  /** The source has failed: what can be taken is given first. */
  fail(error: SynodError): void {
    this.halt('failing', error)
    this.offer()
  }

  private begin(): void {
    this.state = 'live'
    const { signal, deadlineMs } = this.options
    // The caller's own wish: what could still be taken is not given any more.
    const cut = (error: SynodError): void => {
      this.halt('cut', error)
      this.offer()
    }
    const onAbort = (): void => cut(cancelledError(signal!))
    const leftMs = (deadlineMs ?? 0) - this.outside.clock.monotonicMs()
    const timer =
      deadlineMs === undefined
        ? undefined
        : this.outside.scheduler.setTimer(Math.max(0, leftMs), () => cut(timeoutError()))
    signal?.addEventListener('abort', onAbort)
    this.release = () => {
      signal?.removeEventListener('abort', onAbort)
      timer?.cancel()
    }
    this.source.begin()
    if (signal?.aborted === true) onAbort()
  }

  private halt(state: 'failing' | 'cut' | 'done', failure?: SynodError): void {
    if (this.state === 'done' || (this.isOver && state !== 'done')) return
    if (this.state === 'live') {
      this.release()
      this.source.stop()
    }
    this.failure = failure
    this.state = state
  }
}
