/**
 *     Event = type:EventType=1 kv:KeyValue=2 prev_kv:KeyValue=3     EventType = PUT=0 | DELETE=1
 *
 * Events are field 11 of a WatchResponse. Records are copied from the store as they lie there (encoded KeyValue
 * messages), once: a large event that several watchers take is encoded for the first and shared by the others.
 */
import { bytesFieldSize, putBytesHead, putIntField } from '../../base/index.ts'
import type { WatchDelivery, WatchEvent } from '../../engine/coordination/index.ts'
import { type MvccStore, noRecord, type RecordRef } from '../../storage/mvcc/index.ts'
import { putRecord } from './kv-responses.ts'

const eventsField = 11
const typeFieldSize = 2
/** A smaller event is cheaper to copy again than to keep as a piece of its own. */
const sharedBytesMin = 1024

/** The events of one delivery, ready to be sent in one response or in several. */
export class EncodedEvents {
  /** The size of each event, as a field of the response. */
  readonly sizes: readonly number[]
  private readonly delivery: WatchDelivery
  private readonly withPrevious: boolean
  private readonly previous: readonly RecordRef[]

  constructor(delivery: WatchDelivery, withPrevious: boolean) {
    const { store, events } = delivery
    this.delivery = delivery
    this.withPrevious = withPrevious
    this.previous = events.map((event) => (withPrevious ? store.previous(event.ref) : noRecord))
    this.sizes = events.map((event, i) => bytesFieldSize(eventsField, innerSize(store, event, this.previousOf(i))))
  }

  /** The events from `first` to before `stop`, in pieces. */
  pieces(first: number, stop: number): Uint8Array[] {
    const pieces: Uint8Array[] = []
    let runStart = first
    for (let i = first; i < stop; i++) {
      if (!this.isShared(i)) continue
      if (i > runStart) pieces.push(this.run(runStart, i))
      pieces.push(this.shared(i))
      runStart = i + 1
    }
    if (stop > runStart) pieces.push(this.run(runStart, stop))
    return pieces
  }

  private isShared(i: number): boolean {
    return this.event(i).watchers > 1 && this.sizes[i]! >= sharedBytesMin
  }

  private shared(i: number): Uint8Array {
    const event = this.event(i)
    if (this.withPrevious) return (event.sharedWithPrevious ??= this.run(i, i + 1))
    return (event.shared ??= this.run(i, i + 1))
  }

  /** Consecutive events in one buffer. */
  private run(first: number, stop: number): Uint8Array {
    let size = 0
    for (let i = first; i < stop; i++) size += this.sizes[i]!
    const bytes = Buffer.allocUnsafe(size)
    let offset = 0
    for (let i = first; i < stop; i++) {
      offset = putEvent(this.delivery.store, bytes, offset, this.event(i), this.previousOf(i))
    }
    return bytes
  }

  private event(i: number): WatchEvent {
    return this.delivery.events[i]!
  }

  private previousOf(i: number): RecordRef {
    return this.previous[i]!
  }
}

function innerSize(store: MvccStore, event: WatchEvent, previous: RecordRef): number {
  const type = event.tombstone ? typeFieldSize : 0
  const before = previous === noRecord ? 0 : bytesFieldSize(3, store.encodedLength(previous))
  return type + bytesFieldSize(2, store.encodedLength(event.ref)) + before
}

function putEvent(
  store: MvccStore,
  target: Uint8Array,
  offset: number,
  event: WatchEvent,
  previous: RecordRef,
): number {
  let at = putBytesHead(target, offset, eventsField, innerSize(store, event, previous))
  at = putIntField(target, at, 1, event.tombstone ? 1 : 0)
  at = putRecord(store, target, at, 2, event.ref, false)
  return previous === noRecord ? at : putRecord(store, target, at, 3, previous, false)
}
