import type { Clock } from '../index.ts'

/** The machine's own clocks. */
export const nodeClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
}
