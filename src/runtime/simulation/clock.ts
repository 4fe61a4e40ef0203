import type { Clock } from '../index.ts'
import type { Kernel } from './kernel.ts'

/** Where the wall clocks of a simulation begin: 2026-01-01T00:00:00Z. */
const epochMs = 1_767_225_600_000

/** How far a node's clock is from true time. */
export interface ClockFaults {
  /** Added to the wall clock. A change is a jump. */
  readonly skewMs: number
  /** How fast it runs: 100 gains 100 microseconds a second. Timers follow it. */
  readonly driftPpm: number
}

export class SimulatedClock implements Clock {
  private readonly kernel: Kernel
  private skewMs = 0
  private driftPpm = 0
  /** Local time that passed up to `changedAtMs`, when the drift last changed. */
  private elapsedMs = 0
  private changedAtMs: number

  constructor(kernel: Kernel) {
    this.kernel = kernel
    this.changedAtMs = kernel.nowMs
  }

  wallMs(): number {
    return Math.floor(epochMs + this.skewMs + this.monotonicMs())
  }

  monotonicMs(): number {
    return this.elapsedMs + (this.kernel.nowMs - this.changedAtMs) * this.rate
  }

  /** True milliseconds in which this clock counts `localMs`. */
  trueMs(localMs: number): number {
    return localMs / this.rate
  }

  setFaults(faults: Partial<ClockFaults>): void {
    this.elapsedMs = this.monotonicMs()
    this.changedAtMs = this.kernel.nowMs
    this.skewMs = faults.skewMs ?? this.skewMs
    this.driftPpm = faults.driftPpm ?? this.driftPpm
  }

  private get rate(): number {
    return 1 + this.driftPpm / 1e6
  }
}
