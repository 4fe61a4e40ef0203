import { assert } from '../../base/index.ts'
import type { Clock, Random } from '../index.ts'
import type { Kernel } from './kernel.ts'

/** Where the wall clocks of a simulation begin: 2026-01-01T00:00:00Z. */
const epochMs = 1_767_225_600_000

/** How far a node's clock is from true time. */
export interface ClockFaults {
  /** Added to the wall clock. A change is a jump. */
  readonly skewMs: number
  /**
   * How fast it runs: 100 gains 100 microseconds a second. Timers follow the pace that held when they were set. Above
   * -1,000,000, at which a clock would stand still.
   */
  readonly driftPpm: number
}

/**
 * Draws how wrong a clock is: a drift of at most `driftPpmMax` in either direction, and a wall clock at most `skewMsMax`
 * off. Quartz drifts by tens of ppm and time daemons slew by at most 500; who promises something within a bound, as a
 * lease does, states the bound, and a world draws within it: two clocks then part by at most twice `driftPpmMax`.
 */
export function drawClockFaults(
  random: Random,
  bounds: { readonly driftPpmMax: number; readonly skewMsMax: number },
): ClockFaults {
  return {
    skewMs: Math.round((2 * random.float() - 1) * bounds.skewMsMax),
    driftPpm: Math.round((2 * random.float() - 1) * bounds.driftPpmMax),
  }
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

  get faults(): ClockFaults {
    return { skewMs: this.skewMs, driftPpm: this.driftPpm }
  }

  setFaults(faults: Partial<ClockFaults>): void {
    assert((faults.driftPpm ?? 0) > -1e6, 'a clock goes forward')
    this.elapsedMs = this.monotonicMs()
    this.changedAtMs = this.kernel.nowMs
    this.skewMs = faults.skewMs ?? this.skewMs
    this.driftPpm = faults.driftPpm ?? this.driftPpm
  }

  private get rate(): number {
    return 1 + this.driftPpm / 1e6
  }
}
