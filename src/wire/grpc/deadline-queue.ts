/**
 * Calls by deadline, with one timer for all of them. Deadlines are rounded up to `tickMs`; adding and removing a call
 * costs a few steps whatever the number of calls.
 *
 * I1. An entry with `deadlineSlot >= 0` is at that slot of the bucket of its deadline's tick; otherwise in none.
 * I2. While there are buckets, a timer is armed for the earliest tick or an earlier moment.
 */
import type { Clock, Scheduler, Timer } from '../../runtime/index.ts'

/** Something that expires. */
export interface DeadlineEntry {
  /** On the monotonic clock; must not change while queued. */
  readonly deadlineMs: number
  /** Kept by the queue; -1 at first. */
  deadlineSlot: number
  onDeadline(): void
}

const tickMs = 8

export class DeadlineQueue {
  private readonly clock: Clock
  private readonly scheduler: Scheduler
  private readonly buckets = new Map<number, DeadlineEntry[]>()
  private timer: Timer | undefined
  private armedTick = Number.POSITIVE_INFINITY

  constructor(clock: Clock, scheduler: Scheduler) {
    this.clock = clock
    this.scheduler = scheduler
  }

  add(entry: DeadlineEntry): void {
    const tick = tickOf(entry)
    let bucket = this.buckets.get(tick)
    if (bucket === undefined) {
      bucket = []
      this.buckets.set(tick, bucket)
      if (tick < this.armedTick) this.arm(tick)
    }
    entry.deadlineSlot = bucket.length
    bucket.push(entry)
  }

  remove(entry: DeadlineEntry): void {
    const slot = entry.deadlineSlot
    if (slot < 0) return
    entry.deadlineSlot = -1
    const tick = tickOf(entry)
    const bucket = this.buckets.get(tick)!
    const last = bucket.pop()!
    if (last !== entry) {
      bucket[slot] = last
      last.deadlineSlot = slot
    }
    if (bucket.length === 0) this.buckets.delete(tick)
  }

  private arm(tick: number): void {
    this.timer?.cancel()
    this.armedTick = tick
    this.timer = this.scheduler.setTimer(Math.max(0, tick * tickMs - this.clock.monotonicMs()), this.expire)
  }

  private readonly expire = (): void => {
    const nowTick = Math.floor(this.clock.monotonicMs() / tickMs)
    const due: DeadlineEntry[] = []
    let earliest = Number.POSITIVE_INFINITY
    for (const [tick, bucket] of this.buckets) {
      if (tick > nowTick) {
        earliest = Math.min(earliest, tick)
        continue
      }
      this.buckets.delete(tick)
      for (const entry of bucket) {
        entry.deadlineSlot = -1
        due.push(entry)
      }
    }
    this.timer = undefined
    this.armedTick = Number.POSITIVE_INFINITY
    if (earliest !== Number.POSITIVE_INFINITY) this.arm(earliest)
    for (const entry of due) entry.onDeadline()
  }
}

function tickOf(entry: DeadlineEntry): number {
  return Math.ceil(entry.deadlineMs / tickMs)
}
