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
 * When each lease ends, as the present leader sees it. The times are soft state: made anew by each leader, meaningless
 * on other nodes, never replicated. Every node keeps the list of leases, so that taking office is quick. Owned by
 * `Lessor`; every time it takes is a reading of the leader's monotonic clock, given by the caller.
 *
 * - I1  Holds exactly the leases of the lease table. The heap is empty unless this node leads; then it holds all but
 *       those whose revocation is under way.
 * - I2  A lease is not given out by `takeExpired` before its deadline, and its deadline is never earlier than the moment
 *       of its grant, last renewal or the leader's promotion, whichever was last, plus its TTL.
 */
export class LeaseDeadlines {
  private readonly byId = new Map<bigint, Deadline>()
  private readonly heap = new DeadlineHeap<Deadline>()
  private leading = false

  get size(): number {
    return this.byId.size
  }

  /** When the next lease is due, or undefined when none can be. */
  get nextDueMs(): number | undefined {
    return this.heap.peek()?.dueMs
  }

  /** The lease table was replaced. This node has to be promoted again, if it leads. */
  reset(leases: Iterable<readonly [id: bigint, ttlSeconds: number]>): void {
    this.demote()
    this.byId.clear()
    for (const [id, ttlSeconds] of leases) this.byId.set(id, newDeadline(id, ttlSeconds))
  }

  /**
   * This node leads: every lease begins anew, with `extendMs` on top for the time the election took away from its
   * client. Leases that would end together are spread, so that their end does not take the whole revocation rate.
   */
  promote(nowMs: number, extendMs: number, ratePerSecond: number): void {
    this.demote()
    this.leading = true
    const items = [...this.byId.values()]
    const delaysMs = spreadDelaysMs(items, ratePerSecond)
    items.forEach((item, i) => {
      item.deadlineMs = nowMs + extendMs + item.ttlSeconds * 1000 + (delaysMs[i] as number)
      item.dueMs = item.deadlineMs
      item.revoking = false
    })
    this.heap.fill(items)
  }

  /** This node leads no more. */
  demote(): void {
    this.leading = false
    this.heap.clear()
  }

  granted(id: bigint, ttlSeconds: number, nowMs: number): void {
    this.revoked(id)
    const item = newDeadline(id, ttlSeconds)
    item.deadlineMs = nowMs + ttlSeconds * 1000
    this.byId.set(id, item)
    if (this.leading) this.heap.update(item, item.deadlineMs)
  }

  /** It is gone, whoever ended it. */
  revoked(id: bigint): void {
    const item = this.byId.get(id)
    if (item === undefined) return
    this.byId.delete(id)
    this.heap.remove(item)
  }

  /** Starts its TTL again; for the leader. A lease past its deadline can be renewed as long as nobody proposed to revoke it. */
  renew(id: bigint, nowMs: number): Renewal {
    const item = this.byId.get(id)
    if (item === undefined) return { type: 'not-found' }
    if (item.revoking) return { type: 'revoking' }
    item.deadlineMs = nowMs + item.ttlSeconds * 1000
    this.heap.update(item, item.deadlineMs)
    return { type: 'renewed', ttlSeconds: item.ttlSeconds }
  }

  /** What it has left; for the leader (0 when past its deadline), or undefined when there is no such lease. */
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
    if (item === undefined || !this.leading) return
    item.revoking = !renewable
    this.heap.update(item, Math.max(dueMs, item.deadlineMs))
  }
}

function newDeadline(id: bigint, ttlSeconds: number): Deadline {
  return { id, ttlSeconds, deadlineMs: 0, dueMs: 0, revoking: false, heapIndex: -1 }
}
