/**
 * Watches on the nodes of an embedded engine, each on one node: what the hub delivers, told in a later step of the turn,
 * so that a sink that throws harms nobody else.
 *
 * - W1  Nothing is told after `cancel`, nor after the end, which is told once.
 */
import type { WatchStream } from '../../../engine/coordination/index.ts'
import type { RunningNode } from '../../../node/index.ts'
import type { Scheduler } from '../../../runtime/index.ts'
import type { Key, Subscription, WatchSink } from '../../driver/index.ts'
import type { SynodError } from '../../errors.ts'
import { changesOf } from './answers.ts'

export class Watches {
  private readonly scheduler: Scheduler
  private readonly open = new Set<OpenWatch>()

  constructor(scheduler: Scheduler) {
    this.scheduler = scheduler
  }

  /** `range` undefined: nothing can ever change in it. `startRevision` 0: what comes after now, by the node's own state. */
  begin(
    node: RunningNode,
    range: { readonly key: Key; readonly end: Key | undefined } | undefined,
    startRevision: number,
    sink: WatchSink,
  ): Subscription {
    const watch = new OpenWatch(node, this.scheduler, sink, (gone) => this.open.delete(gone))
    this.open.add(watch)
    if (range !== undefined) watch.begin(range, startRevision)
    return watch
  }

  /** A watch that is over before it began. */
  refuse(sink: WatchSink, error: SynodError): Subscription {
    const watch = new OpenWatch(undefined, this.scheduler, sink, (gone) => this.open.delete(gone))
    this.open.add(watch)
    watch.end(error)
    return watch
  }

  /** Ends those on `node`, or all. */
  end(node: RunningNode | undefined, error: SynodError): void {
    for (const watch of [...this.open]) if (node === undefined || watch.node === node) watch.end(error)
  }
}

class OpenWatch implements Subscription {
  readonly node: RunningNode | undefined
  private readonly scheduler: Scheduler
  private readonly sink: WatchSink
  private readonly onGone: (watch: OpenWatch) => void
  private stream: WatchStream | undefined
  /** It was cancelled, or has told its end. */
  private over = false
  private ending = false

  constructor(
    node: RunningNode | undefined,
    scheduler: Scheduler,
    sink: WatchSink,
    onGone: (watch: OpenWatch) => void,
  ) {
    this.node = node
    this.scheduler = scheduler
    this.sink = sink
    this.onGone = onGone
  }

  begin(range: { readonly key: Key; readonly end: Key | undefined }, startRevision: number): void {
    this.stream = this.node?.services.watchHub.openStream({
      events: (delivery) => {
        const changes = changesOf(delivery)
        this.tell(() => this.sink.onEvents(changes, delivery.revision))
        return true
      },
      progress: (_watchId, revision) => this.tell(() => this.sink.onEvents([], revision)),
      compacted: (_watchId, compactRevision) => this.finish(() => this.sink.onCompacted(compactRevision)),
    })
    const request = { range, startRevision, watchId: 0n, progressNotify: true, noPut: false, noDelete: false }
    this.stream?.create(request)
  }

  end(error: SynodError): void {
    this.finish(() => this.sink.onEnd(error))
  }

  cancel(): void {
    this.over = true
    this.leave()
  }

  private tell(callback: () => void): void {
    this.scheduler.endOfTurn(() => {
      if (!this.over) callback()
    })
  }

  private finish(callback: () => void): void {
    if (this.ending) return
    this.ending = true
    this.tell(() => {
      this.over = true
      callback()
    })
    this.leave()
  }

  private leave(): void {
    this.stream?.close()
    this.onGone(this)
  }
}
