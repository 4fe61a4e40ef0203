/**
 * Measures how long the event loop was held: a timer asks to be called every few milliseconds, and what it is late by is
 * the length of whatever held the loop. Costs about 100 wake-ups a second.
 */
import type { Runtime, Timer } from '../runtime/index.ts'

const intervalMs = 10
/** The machine's own scheduling shows as small delays: stalls shorter than this are not counted. */
const noiseMs = 2

export class StallMonitor {
  private readonly runtime: Runtime
  private timer: Timer | undefined
  private expectedMs = 0
  /** The longest stall since the start, in milliseconds. */
  longestMs = 0
  /** The longest since `takeRecent` was last called. */
  private recentMs = 0

  constructor(runtime: Runtime) {
    this.runtime = runtime
  }

  start(): void {
    this.expectedMs = this.runtime.clock.monotonicMs() + intervalMs
    this.timer = this.runtime.scheduler.setTimer(intervalMs, this.check)
  }

  stop(): void {
    this.timer?.cancel()
  }

  /** The longest stall since the last call. */
  takeRecent(): number {
    const recentMs = this.recentMs
    this.recentMs = 0
    return recentMs
  }

  private readonly check = (): void => {
    const lateMs = this.runtime.clock.monotonicMs() - this.expectedMs - noiseMs
    if (lateMs > this.longestMs) this.longestMs = lateMs
    if (lateMs > this.recentMs) this.recentMs = lateMs
    this.start()
  }
}
