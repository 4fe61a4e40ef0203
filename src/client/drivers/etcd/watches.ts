/**
 * The driver's watches: puts each on the stream of a node, and tells how it ended in the words of the driver.
 *
 * - O1  A watch makes one attempt: it waits for a node that can be asked, and ends when that node's stream does.
 * - O2  A stream that a refused token ended is told as over only when there is a new token: whoever begins again at once
 *       begins with that.
 */
import type { Timer } from '../../../runtime/index.ts'
import type {
  CallOptions,
  ClientRuntime,
  KeyRange,
  ObserveSink,
  Revision,
  Subscription,
  WatchSink,
} from '../../driver/index.ts'
import { SynodError } from '../../errors.ts'
import type { Authentication } from './authentication.ts'
import type { ClusterView } from './cluster-view.ts'
import type { Endpoint } from './endpoint.ts'
import { etcdRange, isEmpty } from './etcd-range.ts'
import type { EtcdDriverSettings } from './options.ts'
import { judge, judgeText, refusalError } from './refusals.ts'
import { type WatchEnd, type WatchListener, WatchStream } from './watch-stream.ts'

/** One watch, from when it is asked for to its end. */
interface OpenWatch {
  readonly range: KeyRange
  readonly fromRevision: Revision
  readonly listener: DriverWatchListener
  /** For a node, or for the answer that it is made. */
  timer: Timer | undefined
  stop: (() => void) | undefined
  over: boolean
}

interface DriverWatchListener extends Pick<WatchListener, 'onCreated' | 'onEvents'> {
  onCompacted(compactRevision: Revision): void
  onEnd(error: SynodError): void
}

export class Watches {
  private readonly outside: ClientRuntime
  private readonly settings: EtcdDriverSettings
  private readonly view: ClusterView
  private readonly authentication: Authentication
  private readonly streams = new Map<Endpoint, WatchStream>()
  private readonly open = new Set<OpenWatch>()
  private closed = false

  constructor(outside: ClientRuntime, settings: EtcdDriverSettings, view: ClusterView, authentication: Authentication) {
    this.outside = outside
    this.settings = settings
    this.view = view
    this.authentication = authentication
    view.onUsable(() => {
      for (const watch of this.open) if (watch.stop === undefined) this.begin(watch)
    })
  }

  watch(range: KeyRange, fromRevision: Revision, sink: WatchSink): Subscription {
    const watch = this.add(range, Math.max(1, fromRevision), {
      onCreated: () => {},
      onEvents: (events, revision) => sink.onEvents(events, revision),
      onCompacted: (compactRevision) => sink.onCompacted(compactRevision),
      onEnd: (error) => sink.onEnd(error),
    })
    return { cancel: () => this.drop(watch) }
  }

  observe(range: KeyRange, sink: ObserveSink, options: CallOptions = {}): Promise<Subscription> {
    return new Promise((resolve, reject) => {
      const { signal, deadlineMs } = options
      const nowMs = this.outside.clock.monotonicMs()
      const fail = (error: SynodError): void => {
        settle()
        this.drop(watch)
        reject(error)
      }
      const abort = () => fail(cancelledError(signal!))
      let settled = false
      const settle = (): void => {
        settled = true
        timer.cancel()
        signal?.removeEventListener('abort', abort)
      }
      const withinMs = (deadlineMs ?? nowMs + this.settings.requestTimeoutMs) - nowMs
      const timer = this.outside.scheduler.setTimer(Math.max(0, withinMs), () => fail(this.timeoutError()))
      const watch = this.add(range, 0, {
        onCreated: () => {
          settle()
          resolve({ cancel: () => this.drop(watch) })
        },
        onEvents: (events) => {
          if (events.length > 0) sink.onChange()
        },
        onCompacted: () => {
          const error = new SynodError('UNAVAILABLE', 'What is observed was compacted away meanwhile. Observe again.')
          if (settled) sink.onEnd(error)
          else fail(error)
        },
        onEnd: (error) => (settled ? sink.onEnd(error) : fail(error)),
      })
      if (signal?.aborted === true) abort()
      else signal?.addEventListener('abort', abort, { once: true })
    })
  }

  close(): void {
    this.closed = true
    const open = [...this.open]
    for (const watch of open) {
      watch.stop?.()
      this.finish(watch, () => watch.listener.onEnd(closedError()))
    }
    for (const stream of this.streams.values()) stream.close()
  }

  private add(range: KeyRange, fromRevision: Revision, listener: DriverWatchListener): OpenWatch {
    const watch: OpenWatch = { range, fromRevision, listener, timer: undefined, stop: undefined, over: false }
    // Its end, whatever it is, is told in a later turn (D4).
    this.outside.scheduler.endOfTurn(() => {
      if (watch.over) return
      if (this.closed) this.finish(watch, () => listener.onEnd(closedError()))
      else if (isEmpty(etcdRange(range))) this.finish(watch, () => listener.onEnd(emptyRangeError()))
      else this.start(watch)
    })
    return watch
  }

  private start(watch: OpenWatch): void {
    this.open.add(watch)
    watch.timer = this.outside.scheduler.setTimer(this.settings.requestTimeoutMs, () => {
      watch.stop?.()
      this.finish(watch, () => watch.listener.onEnd(this.timeoutError()))
    })
    this.begin(watch)
  }

  private begin(watch: OpenWatch): void {
    const endpoint = this.view.choose('spread')
    if (endpoint === undefined) {
      this.view.askWhoLeads()
      return
    }
    const stream = this.streamOf(endpoint)
    const { listener } = watch
    watch.stop = stream.watch(etcdRange(watch.range), watch.fromRevision, {
      onCreated: () => {
        watch.timer?.cancel()
        listener.onCreated()
      },
      onEvents: (events, revision) => listener.onEvents(events, revision),
      onEnd: (end) => this.ended(watch, stream, end),
    })
  }

  private streamOf(endpoint: Endpoint): WatchStream {
    const present = this.streams.get(endpoint)
    if (present !== undefined && present.token === this.authentication.token) return present
    const { scheduler } = this.outside
    const { token } = this.authentication
    const stream = new WatchStream(
      endpoint,
      this.view.metadata('leader'),
      token,
      scheduler,
      this.settings.watchProgressMs,
      () => {
        if (this.streams.get(endpoint) === stream) this.streams.delete(endpoint)
      },
    )
    this.streams.set(endpoint, stream)
    return stream
  }

  private ended(watch: OpenWatch, stream: WatchStream, end: WatchEnd): void {
    const { listener } = watch
    if (end.type === 'compacted') {
      this.finish(watch, () => listener.onCompacted(end.compactRevision))
      return
    }
    const { endpoint } = stream
    const refused = { status: 2, message: textOf(end), origin: 'server', processed: true } as const
    const reply = end.type === 'refused' ? refused : end
    const verdict = (end.type === 'refused' ? judgeText(textOf(end)) : undefined) ?? judge(reply)
    if (verdict.mark === 'leaderless') endpoint.leaderless = true
    if (verdict.mark === 'learner') endpoint.learner = true
    if (verdict.again) this.view.askWhoLeads()
    // Whatever the node said, the same watch may be begun again.
    const told = verdict.again ? ({ ...verdict, code: 'UNAVAILABLE' } as const) : verdict
    const error = refusalError('A watch', endpoint.name, reply, told, 'not-applied')
    if (verdict.mark !== 'token' || !this.authentication.possible) {
      this.finish(watch, () => listener.onEnd(error))
      return
    }
    this.authentication.renew(stream.token).then(
      () => this.finish(watch, () => listener.onEnd(error)),
      (reason: unknown) => this.finish(watch, () => listener.onEnd(reason as SynodError)),
    )
  }

  private drop(watch: OpenWatch): void {
    watch.stop?.()
    this.finish(watch, () => {})
  }

  private finish(watch: OpenWatch, tell: () => void): void {
    if (watch.over) return
    watch.over = true
    watch.timer?.cancel()
    this.open.delete(watch)
    tell()
  }

  private timeoutError(): SynodError {
    const message = `A watch could not be begun in time (${this.view.problems()}). Check the addresses and the cluster.`
    return new SynodError('UNAVAILABLE', message)
  }
}

/** etcd wraps some reasons in the text of a gRPC error. */
function textOf(end: WatchEnd): string {
  if (end.type !== 'refused') return ''
  const wrapped = /desc = (.*)$/.exec(end.reason)
  return wrapped?.[1] ?? end.reason
}

function cancelledError(signal: AbortSignal): SynodError {
  return new SynodError('CANCELLED', 'An observation was cancelled by its signal.', { cause: signal.reason })
}

function closedError(): SynodError {
  return new SynodError('CLOSED', 'A watch ended: the client is closed. Connect again.')
}

function emptyRangeError(): SynodError {
  return new SynodError('INVALID_ARGUMENT', 'A watch of a range that ends before it begins would never tell anything.')
}
