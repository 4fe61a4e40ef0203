/**
 * Deadlines of exchanges with one timer for all: a hashed timing wheel (Varghese and Lauck 1987, scheme 6). Adding and
 * removing costs a few assignments and allocates nothing. A deadline fires up to `tickMs` late, never early.
 *
 * - W1  An entry is in the list of slot `tick mod slots` exactly while `wheelSlot >= 0`; an entry whose tick lies further
 *       away than one turn of the wheel waits there through the turns before.
 * - W2  While entries exist a timer is armed for the first of their ticks, or one turn of the wheel from its last run, or earlier.
 */
import type { Clock, Scheduler, Timer } from '../../runtime/index.ts'

/** Something with a deadline. The fields but `deadlineMs` belong to the wheel. */
export interface WheelEntry {
  /** On the monotonic clock; must not change while in the wheel. */
  deadlineMs: number
  /** Its slot; below 0 when not in the wheel. At first -1. */
  wheelSlot: number
  wheelNext: WheelEntry | undefined
  wheelPrevious: WheelEntry | undefined
  /** The deadline has come; the entry is no longer in the wheel. */
  onDeadline(nowMs: number): void
}

const tickMs = 8
const slotCount = 1_024
/** In `wheelSlot`: taken out, its `onDeadline` comes within this run. */
const firing = -2

export class TimingWheel {
  private readonly clock: Clock
  private readonly scheduler: Scheduler
  private readonly slots: (WheelEntry | undefined)[] = new Array(slotCount).fill(undefined)
  private timer: Timer | undefined
  /** The tick the timer is armed for; infinite without. */
  private armedTick = Number.POSITIVE_INFINITY
  /** All ticks up to this one have been handled. */
  private doneTick: number
  private count = 0

  constructor(clock: Clock, scheduler: Scheduler) {
    this.clock = clock
    this.scheduler = scheduler
    this.doneTick = Math.floor(clock.monotonicMs() / tickMs)
  }

  get size(): number {
    return this.count
  }

  /** `nowMs`: the monotonic clock, which callers have read anyway. */
  add(entry: WheelEntry, nowMs: number): void {
    // Idle, the wheel stood still; there is nothing between the last tick handled and now.
    if (this.count++ === 0) this.doneTick = Math.max(this.doneTick, Math.floor(nowMs / tickMs))
    const tick = Math.max(this.doneTick + 1, Math.ceil(entry.deadlineMs / tickMs))
    const slot = tick % slotCount
    const first = this.slots[slot]
    entry.wheelSlot = slot
    entry.wheelPrevious = undefined
    entry.wheelNext = first
    if (first !== undefined) first.wheelPrevious = entry
    this.slots[slot] = entry
    const visit = Math.min(tick, this.doneTick + slotCount)
    if (visit < this.armedTick) this.arm(visit, nowMs)
  }

  /** Does nothing for an entry that is not in the wheel. */
  remove(entry: WheelEntry): void {
    const { wheelSlot, wheelNext, wheelPrevious } = entry
    if (wheelSlot < 0) {
      entry.wheelSlot = -1
      return
    }
    if (wheelPrevious === undefined) this.slots[wheelSlot] = wheelNext
    else wheelPrevious.wheelNext = wheelNext
    if (wheelNext !== undefined) wheelNext.wheelPrevious = wheelPrevious
    entry.wheelSlot = -1
    entry.wheelNext = undefined
    entry.wheelPrevious = undefined
    this.count--
  }

  private arm(tick: number, nowMs: number): void {
    this.timer?.cancel()
    this.armedTick = tick
    this.timer = this.scheduler.setTimer(Math.max(0, tick * tickMs - nowMs), this.turn)
  }

  private readonly turn = (): void => {
    this.timer = undefined
    this.armedTick = Number.POSITIVE_INFINITY
    const nowMs = this.clock.monotonicMs()
    const nowTick = Math.floor(nowMs / tickMs)
    const due: WheelEntry[] = []
    const last = Math.min(nowTick, this.doneTick + slotCount)
    for (let tick = this.doneTick + 1; tick <= last; tick++) this.collect(tick % slotCount, nowTick, due)
    this.doneTick = Math.max(this.doneTick, nowTick)
    if (this.count > 0) this.arm(this.nextVisit(), nowMs)
    for (const entry of due) {
      // One that an earlier entry's deadline removed, or added anew, has nothing to fire for.
      if (entry.wheelSlot !== firing) continue
      entry.wheelSlot = -1
      entry.onDeadline(nowMs)
    }
  }

  private collect(slot: number, nowTick: number, due: WheelEntry[]): void {
    let entry = this.slots[slot]
    while (entry !== undefined) {
      const next: WheelEntry | undefined = entry.wheelNext
      if (entry.deadlineMs <= nowTick * tickMs) {
        this.remove(entry)
        entry.wheelSlot = firing
        due.push(entry)
      }
      entry = next
    }
  }

  /** The first tick whose slot holds something; within one turn there is one. */
  private nextVisit(): number {
    let tick = this.doneTick + 1
    while (this.slots[tick % slotCount] === undefined && tick < this.doneTick + slotCount) tick++
    return tick
  }
}
