import { DeadlineHeap, type HeapItem } from './deadline-heap.ts'
import { spreadDelaysMs } from './spread.ts'

interface Deadline extends HeapItem {
  readonly id: bigint
  readonly ttlSeconds: number
  /** The lease lives at least until here, by this leader's monotonic clock. */
  deadlineMs: number
  /** A revocation was proposed and its outcome is open: it can no longer be renewed. Then it is in no heap. */
  revoking: boolean
}

/** What became of a renewal. `revoking`: ask again, its end is being decided. */
export type Renewal =
  | { readonly type: 'renewed'; readonly ttlSeconds: number }
  | { readonly type: 'not-found' }
  | { readonly type: 'revoking' }

/**
 * When each lease ends, as the present leader sees it. Soft state: made anew by each leader, lost with its office, never
 * replicated. Owned by `Lessor`; every time it takes is a reading of the leader's monotonic clock, given by the caller.
 *
 * - I1  Holds exactly the leases of the lease table while this node leads, none otherwise.
 * - I2  A lease is not given out by `takeExpired` before its deadline, and its deadline is never earlier than the moment
 *       of its grant, last renewal or the leader's promotion, whichever was last, plus its TTL.
 */
export class LeaseDeadlines {
  private readonly byId = new Map<bigint, Deadline>()
  private readonly heap = new DeadlineHeap<Deadline>()

  get size(): number {
    return this.byId.size
  }

  /** When the next lease is due, or undefined when none can be. */
  get nextDueMs(): number | undefined {
    return this.heap.peek()?.dueMs
  }

  /**
   * This node leads: every lease begins anew, with `extendMs` on top for the time the election took away from its
   * client. Leases that would end together are spread, so that their end does not take the whole revocation rate.
   */
  promote(
    leases: Iterable<readonly [id: bigint, ttlSeconds: number]>,
    nowMs: number,
    extendMs: number,
    ratePerSecond: number,
  ): void {
    this.demote()
    const entries = [...leases]
    const delaysMs = spreadDelaysMs(
      entries.map(([, ttlSeconds]) => ttlSeconds),
      ratePerSecond,
    )
    const items: Deadline[] = []
    entries.forEach(([id, ttlSeconds], i) => {
      const deadlineMs = nowMs + extendMs + ttlSeconds * 1000 + (delaysMs[i] as number)
      const item = { id, ttlSeconds, deadlineMs, dueMs: deadlineMs, revoking: false, heapIndex: -1 }
      items.push(item)
      this.byId.set(id, item)
    })
    this.heap.fill(items)
  }

  /** This node leads no more. */
  demote(): void {
    this.byId.clear()
    this.heap.clear()
  }

  granted(id: bigint, ttlSeconds: number, nowMs: number): void {
    this.revoked(id)
    const deadlineMs = nowMs + ttlSeconds * 1000
    const item = { id, ttlSeconds, deadlineMs, dueMs: deadlineMs, revoking: false, heapIndex: -1 }
    this.byId.set(id, item)
    this.heap.update(item, deadlineMs)
  }

  /** It is gone, whoever ended it. */
  revoked(id: bigint): void {
    const item = this.byId.get(id)
    if (item === undefined) return
    this.byId.delete(id)
    this.heap.remove(item)
  }

  /** Starts its TTL again. A lease past its deadline can be renewed as long as nobody proposed to revoke it. */
  renew(id: bigint, nowMs: number): Renewal {
    const item = this.byId.get(id)
    if (item === undefined) return { type: 'not-found' }
    if (item.revoking) return { type: 'revoking' }
    item.deadlineMs = nowMs + item.ttlSeconds * 1000
    this.heap.update(item, item.deadlineMs)
    return { type: 'renewed', ttlSeconds: item.ttlSeconds }
  }

  /** What it has left (0 when past its deadline), or undefined when there is no such lease. */
  remainingMs(id: bigint, nowMs: number): number | undefined {
    const item = this.byId.get(id)
    return item === undefined ? undefined : Math.max(0, item.deadlineMs - nowMs)
  }

  /** Up to `max` leases past their deadline, earliest first. They count as being revoked until `retry` or `revoked`. */
  takeExpired(nowMs: number, max: number): bigint[] {
    const taken: bigint[] = []
    while (taken.length < max) {
      const item = this.heap.peek()
      if (item === undefined || item.dueMs > nowMs) break
      this.heap.remove(item)
      item.revoking = true
      taken.push(item.id)
    }
    return taken
  }

  /**
   * Its revocation did not come through, and is due again at `dueMs`. `renewable` when it surely was not, and never will
   * be, carried out: then the lease can be renewed until it is tried again.
   */
  retry(id: bigint, dueMs: number, renewable: boolean): void {
    const item = this.byId.get(id)
    if (item === undefined) return
    item.revoking = !renewable
    this.heap.update(item, Math.max(dueMs, item.deadlineMs))
  }
}
