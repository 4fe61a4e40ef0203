/** Time that moves when told to, and timers that fire in order. */
import { Prng } from '../../../base/index.ts'
import type { Clock, Random, Scheduler } from '../../../runtime/index.ts'

export interface FakeTime {
  readonly clock: Clock
  readonly scheduler: Scheduler
  readonly random: Random
  /** Timers that are set. */
  readonly armed: number
  now(): number
  advance(ms: number): void
}

interface FakeTimer {
  readonly atMs: number
  readonly run: () => void
}

export function fakeTime(seed = 'time'): FakeTime {
  const prng = new Prng(seed)
  let nowMs = 0
  let timers: FakeTimer[] = []
  const setTimer = (delayMs: number, run: () => void) => {
    const timer = { atMs: nowMs + delayMs, run }
    timers.push(timer)
    return {
      cancel() {
        timers = timers.filter((each) => each !== timer)
      },
    }
  }
  const random: Random = {
    uint32: () => prng.uint32(),
    below: (bound) => prng.below(bound),
    float: () => prng.float(),
    bytes: (length) => Uint8Array.from({ length }, () => prng.below(256)),
    fork: () => random,
  }
  return {
    clock: { wallMs: () => 1_800_000_000_000 + nowMs, monotonicMs: () => nowMs },
    scheduler: { setTimer, endOfTurn: (run) => void setTimer(0, run) },
    random,
    get armed() {
      return timers.length
    },
    now: () => nowMs,
    advance(ms) {
      const untilMs = nowMs + ms
      for (;;) {
        const next = timers.toSorted((a, b) => a.atMs - b.atMs)[0]
        if (next === undefined || next.atMs > untilMs) break
        timers = timers.filter((each) => each !== next)
        nowMs = Math.max(nowMs, next.atMs)
        next.run()
      }
      nowMs = untilMs
    },
  }
}
