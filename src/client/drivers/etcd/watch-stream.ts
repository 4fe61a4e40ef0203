/**
 * The stream of watches on one connection, shared by all watches that go to that node.
 *
 * - W1  A watch is told whole revisions in order: of an answer that comes in pieces, the events of the last revision wait
 *       for the piece that ends it.
 * - W2  Ids are chosen here and never used again on the stream, so that what was still under way when a watch was
 *       cancelled reaches nobody.
 * - W3  An answer that could not make a watch names no id; creations are answered in order, so it is the oldest one's.
 * - W4  Nothing is told of a watch after its end.
 */
import type { Scheduler, Timer } from '../../../runtime/index.ts'
import {
  decodeWatchResponse,
  encodeWatchCancellation,
  encodeWatchCreation,
  encodeWatchProgressRequest,
  etcdPaths,
  noWatchId,
  type WatchAnswer,
} from '../../../wire/etcd-client/index.ts'
import type { ClientStreamingCall, StreamEnd } from '../../../wire/grpc-client/index.ts'
import type { ChangeEvent, Revision } from '../../driver/index.ts'
import type { Endpoint } from './endpoint.ts'
import type { EtcdRange } from './etcd-range.ts'

/** Why a watch is over. */
export type WatchEnd =
  | { readonly type: 'compacted'; readonly compactRevision: Revision }
  | { readonly type: 'refused'; readonly reason: string }
  /** The stream is over. */
  | ({ readonly type: 'stream' } & Pick<StreamEnd, 'status' | 'message' | 'origin' | 'processed'>)

/** What a stream tells of one watch. */
export interface WatchListener {
  onCreated(): void
  onEvents(events: readonly ChangeEvent[], revision: Revision): void
  /** The last call. */
  onEnd(end: WatchEnd): void
}

interface Watch {
  readonly id: number
  readonly listener: WatchListener
  created: boolean
  /** Everything up to here has been told; -1 until it is known where the watch begins. */
  told: Revision
  /** Events of the revision that an unfinished answer ended with. */
  held: ChangeEvent[]
}

const senseless = 'it sent something that is no answer to a watch'

export class WatchStream {
  readonly endpoint: Endpoint
  /** The token that the stream was begun with. */
  readonly token: string | undefined
  ended = false
  private readonly call: ClientStreamingCall
  private readonly scheduler: Scheduler
  private readonly progressMs: number
  private readonly onEnded: () => void
  private readonly watches = new Map<number, Watch>()
  private readonly creating: number[] = []
  private nextId = 1
  private timer: Timer | undefined = undefined

  constructor(
    endpoint: Endpoint,
    metadata: readonly (readonly [string, string])[],
    token: string | undefined,
    scheduler: Scheduler,
    progressMs: number,
    onEnded: () => void,
  ) {
    this.endpoint = endpoint
    this.token = token
    this.scheduler = scheduler
    this.progressMs = progressMs
    this.onEnded = onEnded
    this.call = endpoint.channel.stream(
      etcdPaths.watch,
      { metadata },
      { onMessage: (bytes) => this.receive(bytes), onEnd: (end) => this.end(end) },
    )
  }

  /** `fromRevision` 0: from now on. Returns what ends it; nothing is told after that. */
  watch({ key, end }: EtcdRange, fromRevision: Revision, listener: WatchListener): () => void {
    const id = this.nextId++
    this.watches.set(id, { id, listener, created: false, told: fromRevision - 1, held: [] })
    this.creating.push(id)
    this.call.send(encodeWatchCreation({ watchId: id, key, end, fromRevision }))
    this.askForProgress()
    return () => {
      if (!this.watches.delete(id) || this.ended) return
      this.call.send(encodeWatchCancellation(id))
      if (this.watches.size === 0) this.timer?.cancel()
    }
  }

  close(): void {
    this.call.cancel()
  }

  /** Where a quiet watch stands is worth knowing: what it could be resumed from may be compacted meanwhile. */
  private askForProgress(): void {
    if (this.watches.size > 1) return
    this.timer?.cancel()
    this.timer = this.scheduler.setTimer(this.progressMs, () => {
      if (this.ended || this.watches.size === 0) return
      this.call.send(encodeWatchProgressRequest())
      this.timer = undefined
      this.askAgain()
    })
  }

  private askAgain(): void {
    this.timer = this.scheduler.setTimer(this.progressMs, () => {
      if (this.ended || this.watches.size === 0) return
      this.call.send(encodeWatchProgressRequest())
      this.askAgain()
    })
  }

  private receive(bytes: Uint8Array): void {
    const answer = decodeWatchResponse(bytes)
    if (answer === undefined) this.break(senseless)
    else if (answer.created) this.receiveCreated(answer)
    else if (answer.watchId === noWatchId) {
      for (const watch of [...this.watches.values()]) this.receiveProgress(watch, answer.revision)
    } else {
      const watch = this.watches.get(answer.watchId)
      if (watch === undefined) return
      if (answer.events.length > 0) this.receiveEvents(watch, answer)
      else if (!answer.canceled && !answer.fragment) this.receiveProgress(watch, answer.revision)
      if (answer.canceled) this.finish(watch, answer)
    }
  }

  private receiveCreated(answer: WatchAnswer): void {
    const id = answer.watchId === noWatchId ? this.creating[0] : answer.watchId
    const at = id === undefined ? -1 : this.creating.indexOf(id)
    if (id === undefined || at < 0) {
      this.break(senseless)
      return
    }
    this.creating.splice(at, 1)
    const watch = this.watches.get(id)
    if (watch === undefined) return
    if (answer.canceled) {
      this.finish(watch, answer)
      return
    }
    watch.created = true
    watch.listener.onCreated()
  }

  private receiveProgress(watch: Watch, revision: Revision): void {
    if (!watch.created || watch.held.length > 0 || revision <= watch.told) return
    // A watch from now on does not know its beginning before its first event.
    if (watch.told >= 0) watch.told = revision
    watch.listener.onEvents([], revision)
  }

  private receiveEvents(watch: Watch, answer: WatchAnswer): void {
    const events: readonly ChangeEvent[] = answer.events
    const last = events.at(-1)!.revision
    if (!inOrder(events, watch.held[0]?.revision ?? watch.told + 1)) {
      this.break(`it told revision ${events[0]!.revision} after ${watch.told}, or out of order`)
      return
    }
    const all = watch.held.length === 0 ? events : [...watch.held, ...events]
    let stop = all.length
    if (answer.fragment) while (stop > 0 && all[stop - 1]!.revision === last) stop--
    watch.held = all.slice(stop)
    if (stop === 0) return
    const told = stop === all.length ? all : all.slice(0, stop)
    const revision = told.at(-1)!.revision
    watch.told = revision
    watch.listener.onEvents(told, revision)
  }

  private finish(watch: Watch, { compactRevision, cancelReason }: WatchAnswer): void {
    this.watches.delete(watch.id)
    watch.listener.onEnd(
      compactRevision > 0 ? { type: 'compacted', compactRevision } : { type: 'refused', reason: cancelReason },
    )
  }

  private break(message: string): void {
    this.call.cancel()
    this.end({ status: 13, message, origin: 'local', processed: true })
  }

  private end(end: Pick<StreamEnd, 'status' | 'message' | 'origin' | 'processed'>): void {
    if (this.ended) return
    this.ended = true
    this.timer?.cancel()
    this.onEnded()
    const watches = [...this.watches.values()]
    for (const watch of watches) {
      // One that ended may have cancelled another.
      if (!this.watches.delete(watch.id)) continue
      const { status, message, origin, processed } = end
      watch.listener.onEnd({ type: 'stream', status, message, origin, processed })
    }
  }
}

/** Whether revisions never fall, and are not below `least`. */
function inOrder(events: readonly ChangeEvent[], least: Revision): boolean {
  let previous = least
  for (const { revision } of events) {
    if (revision < previous) return false
    previous = revision
  }
  return true
}
