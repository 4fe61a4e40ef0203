/**
 * etcd's Watch service over the watch hub: many watchers on one stream. Decodes what the client asks, encodes what the
 * hub delivers. Order on a stream: a watcher's `created` comes before its events, its `canceled` after them.
 */
import type {
  CoordinationEngine,
  CreateOutcome,
  WatchDelivery,
  WatchHub,
  WatchId,
  WatchSink,
  WatchStream,
} from '../../engine/coordination/index.ts'
import { type GrpcRoutes, type StreamCall, streaming } from '../grpc/index.ts'
import { etcdErrors } from './errors.ts'
import type { LeaderMonitor } from './leader-monitor.ts'
import { ResponseHeaderEncoder } from './response-header.ts'
import { decodeWatchMessage, encodeWatchFields, type WatchCreate, type WatchResponseFields } from './watch-codec.ts'
import { EncodedEvents } from './watch-events.ts'

export interface WatchServiceContext {
  readonly engine: CoordinationEngine
  readonly hub: WatchHub
  readonly leaderMonitor: LeaderMonitor
}

/** A response is split from this size on, when the client allows it: etcd's --max-request-bytes and 512 KiB. */
const fragmentOverheadBytes = 512 * 1024
/** What stands for all watchers of a stream, and for one that could not be created. */
const noWatchId: WatchId = -1n

/** etcd's words for why a watcher is not created. */
const refusals: Record<Extract<CreateOutcome, { ok: false }>['reason'], string> = {
  'empty-range': 'mvcc: watcher range is empty',
  'duplicate-id': 'mvcc: duplicate watch ID provided on the WatchStream',
  'too-many': etcdErrors.TOO_MANY_REQUESTS.message,
}

/** The method of `etcdserverpb.Watch`. */
export function watchRoutes(context: WatchServiceContext): GrpcRoutes {
  const header = new ResponseHeaderEncoder(context.engine)
  return { '/etcdserverpb.Watch/Watch': streaming((call) => new WatchConversation(context, header, call).begin()) }
}

/** One stream. The client's half-close ends nothing: it may have asked for all it wants to see. */
class WatchConversation implements WatchSink {
  private readonly context: WatchServiceContext
  private readonly header: ResponseHeaderEncoder
  private readonly call: StreamCall
  private readonly stream: WatchStream
  /** How each watcher wants its events. */
  private readonly forms = new Map<WatchId, { readonly previous: boolean; readonly fragment: boolean }>()
  private release: () => void = () => {}

  constructor(context: WatchServiceContext, header: ResponseHeaderEncoder, call: StreamCall) {
    this.context = context
    this.header = header
    this.call = call
    this.stream = context.hub.openStream(this)
  }

  begin(): void {
    const { call, stream } = this
    const release = this.context.leaderMonitor.admit(call, () => stream.close())
    if (release === false) {
      stream.close()
      return
    }
    this.release = release
    call.onCancel(() => this.close())
    call.onDrain(() => {
      stream.drained()
      call.resume()
    })
    call.onMessage((message) => this.receive(message))
  }

  events(delivery: WatchDelivery): boolean {
    const form = this.forms.get(delivery.watchId)
    const encoded = new EncodedEvents(delivery, form?.previous ?? false)
    const count = delivery.events.length
    if (form?.fragment === true && count > 1) return this.sendFragments(delivery, encoded)
    return this.sendResponse(delivery.revision, { watchId: delivery.watchId }, encoded.pieces(0, count))
  }

  progress(watchId: WatchId | undefined, revision: number): void {
    this.control(revision, { watchId: watchId ?? noWatchId })
  }

  /** As in etcd, the header of this one has no revision. */
  compacted(watchId: WatchId, compactRevision: number): void {
    this.forms.delete(watchId)
    this.control(0, { watchId, canceled: true, compactRevision })
  }

  private close(): void {
    this.release()
    this.stream.close()
  }

  private receive(bytes: Uint8Array): void {
    const message = decodeWatchMessage(bytes)
    switch (message.type) {
      case 'create':
        this.create(message)
        break
      case 'cancel':
        if (!this.stream.cancel(message.watchId)) break
        this.forms.delete(message.watchId)
        this.control(this.context.engine.revision, { watchId: message.watchId, canceled: true })
        break
      case 'progress':
        this.stream.requestProgress()
        break
      case 'malformed': {
        const { status, message } = etcdErrors.MALFORMED_REQUEST
        this.close()
        this.call.fail(status, message)
        break
      }
      case 'none':
        break
    }
  }

  private create(request: WatchCreate): void {
    const { engine } = this.context
    if (request.startRevision < 0) {
      this.refuse(etcdErrors.COMPACTED.message)
      return
    }
    // The smallest key stands for none.
    const key = request.key === '' ? '\0' : request.key
    const end = request.rangeEnd === '' ? undefined : request.rangeEnd
    const outcome = this.stream.create({ ...request, range: { key, end } })
    if (!outcome.ok) {
      this.refuse(refusals[outcome.reason])
      return
    }
    this.forms.set(outcome.watchId, { previous: request.previous, fragment: request.fragment })
    this.control(engine.revision, { watchId: outcome.watchId, created: true })
  }

  private refuse(cancelReason: string): void {
    this.control(this.context.engine.revision, { watchId: noWatchId, created: true, canceled: true, cancelReason })
  }

  /** Splits where one more event would pass the limit; each fragment has at least one. */
  private sendFragments(delivery: WatchDelivery, encoded: EncodedEvents): boolean {
    const { watchId, revision } = delivery
    const limit = this.context.engine.options.maxRequestBytes + fragmentOverheadBytes
    const count = encoded.sizes.length
    const fixedSize = this.header.size(revision) + encodeWatchFields({ watchId, fragment: true }).length
    let accepted = true
    for (let first = 0; first < count; ) {
      let size = fixedSize + encoded.sizes[first]!
      let stop = first + 1
      while (stop < count && size + encoded.sizes[stop]! < limit) size += encoded.sizes[stop++]!
      accepted = this.sendResponse(revision, { watchId, fragment: stop < count }, encoded.pieces(first, stop))
      first = stop
    }
    return accepted
  }

  /** A response without events. A client that does not take them is not read from either. */
  private control(revision: number, fields: WatchResponseFields): void {
    if (!this.sendResponse(revision, fields, [])) this.call.pause()
  }

  private sendResponse(revision: number, fields: WatchResponseFields, events: readonly Uint8Array[]): boolean {
    return this.call.send(this.header.encode(revision), encodeWatchFields(fields), ...events)
  }
}
