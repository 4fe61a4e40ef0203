import { Prng } from '../../../../base/index.ts'
import type { Clock, Random, Scheduler, Timer } from '../../../../runtime/index.ts'

interface FakeTimer extends Timer {
  readonly atMs: number
  readonly order: number
  callback: (() => void) | undefined
}

/** A clock, timers and ends of turns under a test's control: nothing happens except in `turn` and `advance`. */
export class FakeLoop {
  nowMs = 1000
  private order = 0
  private timers: FakeTimer[] = []
  private atEnd: (() => void)[] = []
  private readonly prng: Prng

  constructor(seed = 'fake loop') {
    this.prng = new Prng(seed)
  }

  readonly clock: Clock = { wallMs: () => this.nowMs, monotonicMs: () => this.nowMs }

  readonly scheduler: Scheduler = {
    setTimer: (delayMs, callback) => {
      const timer: FakeTimer = {
        atMs: this.nowMs + delayMs,
        order: this.order++,
        callback,
        cancel() {
          timer.callback = undefined
        },
      }
      this.timers.push(timer)
      return timer
    },
    endOfTurn: (callback) => {
      this.atEnd.push(callback)
    },
  }

  get random(): Random {
    return {
      uint32: () => this.prng.uint32(),
      below: (bound) => this.prng.below(bound),
      float: () => this.prng.float(),
      bytes: (length) => Uint8Array.from({ length }, () => this.prng.below(256)),
      fork: () => this.random,
    }
  }

  /** Ends the present turn. */
  turn(): void {
    while (this.atEnd.length > 0) this.atEnd.shift()?.()
  }

  /** Lets time pass, firing timers in order, each in a turn of its own. */
  advance(ms: number): void {
    const until = this.nowMs + ms
    this.turn()
    for (;;) {
      this.timers = this.timers.filter((timer) => timer.callback !== undefined)
      const next = this.timers.reduce<FakeTimer | undefined>(
        (least, timer) =>
          timer.atMs <= until &&
          (least === undefined || timer.atMs < least.atMs || (timer.atMs === least.atMs && timer.order < least.order))
            ? timer
            : least,
        undefined,
      )
      if (next === undefined) break
      this.nowMs = Math.max(this.nowMs, next.atMs)
      const { callback } = next
      next.callback = undefined
      callback?.()
      this.turn()
    }
    this.nowMs = until
  }
}
