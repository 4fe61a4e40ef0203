import type { LeaseAnswer } from '../driver/index.ts'

/** How much earlier than the engine a holder gives up. */
export interface DriftMargin {
  /** By how much the two clocks' speeds may differ, in millionths of the time-to-live. */
  readonly driftPpm: number
  /** Beyond drift: timers that are coarse, and the way from reading the clock to acting on it. */
  readonly fixedMs: number
}

/**
 * When the holder must take its session for lost. The engine counts `ttlMs` from some moment after the request was sent;
 * counting from the sending itself, less what the clocks may drift apart meanwhile, is early whatever the delays (S1).
 */
export function sessionDeadlineMs(answer: LeaseAnswer, margin: DriftMargin): number {
  return answer.sentAtMs + answer.ttlMs - (answer.ttlMs * margin.driftPpm) / 1_000_000 - margin.fixedMs
}
