import { assert, type BinaryString } from '../../../base/index.ts'
import { IntervalTree, infiniteEnd } from './interval-tree.ts'
import type { WatchStream } from './stream.ts'
import type { WatchEvent, WatchId } from './types.ts'

/**
 * Where a watcher stands.
 * - `synced`: it has everything up to the hub's position, or waits for a revision after it.
 * - `unsynced`: it is behind, and catch-up rounds read history for it.
 * - `parked`: it is behind and its stream is full, so nobody reads for it until the stream drains.
 * - `gone`: cancelled; no index holds it.
 */
export type WatcherState = 'synced' | 'unsynced' | 'parked' | 'gone'

/** One watcher of one stream. Owned by the hub; a stream only knows it by id. */
export interface Watcher {
  readonly id: WatchId
  readonly stream: WatchStream
  readonly start: BinaryString
  /** `undefined` for the single key `start`; {@link infiniteEnd} for everything from `start` on. */
  readonly end: BinaryString | undefined
  readonly startRevision: number
  readonly noPut: boolean
  readonly noDelete: boolean
  readonly progressNotify: boolean
  state: WatcherState
  /**
   * It has seen everything below. Exact while unsynced or parked; while synced it may lag behind the hub's position,
   * and then stands for the revision after that position.
   */
  next: number
  /** No event went out since the last progress tick. */
  quiet: boolean
  /** Its place in the index that holds it; meaningless in none. */
  slot: number
  /** Gathered in the present round; empty between rounds. */
  pending: WatchEvent[]
  pendingBytes: number
  /** The first revision that did not fit into this round's delivery; 0 when all did. */
  cutAt: number
}

/** Watchers by what they watch: exact keys in a map, ranges in an interval tree. */
export class WatcherIndex {
  private readonly byKey = new Map<BinaryString, Watcher[]>()
  private readonly byRange = new IntervalTree<Watcher[]>()
  private count = 0

  get size(): number {
    return this.count
  }

  add(watcher: Watcher): void {
    const bucket = this.bucket(watcher)
    if (bucket !== undefined) {
      watcher.slot = bucket.push(watcher) - 1
    } else {
      watcher.slot = 0
      if (watcher.end === undefined) this.byKey.set(watcher.start, [watcher])
      else this.byRange.set(watcher.start, watcher.end, [watcher])
    }
    this.count++
  }

  remove(watcher: Watcher): void {
    const bucket = this.bucket(watcher)
    assert(bucket?.[watcher.slot] === watcher, 'a watcher is in the index of its state')
    const last = bucket.pop() as Watcher
    if (last !== watcher) {
      bucket[watcher.slot] = last
      last.slot = watcher.slot
    }
    if (bucket.length === 0) {
      if (watcher.end === undefined) this.byKey.delete(watcher.start)
      else this.byRange.delete(watcher.start, watcher.end)
    }
    this.count--
  }

  /** Calls `visit` with each watcher of `key`. The index must not change meanwhile. */
  match(key: BinaryString, visit: (watcher: Watcher) => void): void {
    const exact = this.byKey.get(key)
    if (exact !== undefined) for (const watcher of exact) visit(watcher)
    if (this.byRange.size === 0) return
    this.byRange.stab(key, (bucket) => {
      for (const watcher of bucket) visit(watcher)
    })
  }

  private bucket(watcher: Watcher): Watcher[] | undefined {
    if (watcher.end === undefined) return this.byKey.get(watcher.start)
    return this.byRange.get(watcher.start, watcher.end)
  }
}

/** Translates a read's range end to an interval's. `undefined` stays: a single key. */
export function intervalEnd(end: BinaryString | undefined): BinaryString | undefined {
  return end === '\0' ? infiniteEnd : end
}
