import type { MvccStore, RecordRef } from '../../../storage/mvcc/index.ts'
import type { WatchEvent, WatchHubOptions } from './types.ts'
import type { Watcher, WatcherIndex } from './watcher.ts'

/**
 * One pass over consecutive changes: finds each change's watchers and gathers what each is to get. The hub then hands
 * it out. Nothing here changes where a watcher stands.
 *
 * - I1  A watcher's pending events are in revision order, each change once.
 * - I2  Of any revision below `cutAt` (all, when 0) and at most `endRevision`, a watcher has every change it is to get:
 *       cuts fall between revisions.
 */
export class DeliveryRound {
  /** Those with pending events, in the order of their first. */
  readonly touched: Watcher[] = []
  /** The last revision this round covers. */
  endRevision: number
  private matches = 0
  private bytes = 0
  private readonly store: MvccStore
  private readonly options: WatchHubOptions

  constructor(store: MvccStore, options: WatchHubOptions) {
    this.store = store
    this.options = options
    this.endRevision = 0
  }

  /** Goes through the changes from `fromRevision` on, for the watchers of `index` that `wants` accepts. */
  gather(fromRevision: number, index: WatcherIndex, wants: (watcher: Watcher, revision: number) => boolean): void {
    const { refs, nextRevision } = this.store.changes(fromRevision, this.options.sliceChangesMax)
    // Nothing is left of a revision whose deletions were compacted away.
    this.endRevision = refs.length === 0 ? this.store.revision : nextRevision - 1
    let revision = 0
    let event: WatchEvent | undefined
    const visit = (watcher: Watcher): void => {
      if (!wants(watcher, revision)) return
      if (event === undefined) event = this.makeEvent(ref, revision)
      this.take(watcher, event)
    }
    let ref: RecordRef = 0
    for (ref of refs) {
      const changed = this.store.modRevision(ref)
      if (changed !== revision && this.isLarge()) {
        this.endRevision = changed - 1
        break
      }
      revision = changed
      event = undefined
      index.match(this.store.key(ref), visit)
    }
  }

  private isLarge(): boolean {
    return this.matches >= this.options.sliceMatchesMax || this.bytes >= this.options.sliceBytesMax
  }

  private makeEvent(ref: RecordRef, modRevision: number): WatchEvent {
    return {
      ref,
      key: this.store.key(ref),
      modRevision,
      tombstone: this.store.isTombstone(ref),
      watchers: 0,
      shared: undefined,
      sharedWithPrevious: undefined,
    }
  }

  private take(watcher: Watcher, event: WatchEvent): void {
    if (event.tombstone ? watcher.noDelete : watcher.noPut) return
    this.matches++
    if (watcher.cutAt !== 0) return
    const { pending } = watcher
    if (pending.length === 0) {
      this.touched.push(watcher)
    } else {
      const last = pending[pending.length - 1] as WatchEvent
      const full = watcher.stream.full || watcher.pendingBytes >= this.options.deliveryBytesMax
      if (full && last.modRevision !== event.modRevision) {
        watcher.cutAt = event.modRevision
        return
      }
    }
    pending.push(event)
    event.watchers++
    const bytes = this.store.encodedLength(event.ref)
    watcher.pendingBytes += bytes
    this.bytes += bytes
  }
}
