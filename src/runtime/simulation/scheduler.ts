import type { Scheduler, Timer } from '../index.ts'
import type { SimulatedClock } from './clock.ts'
import type { Incarnation, Kernel } from './kernel.ts'

/**
 * A timer that waits at all waits for so long at least. What is less can be lost in rounding: a clock that drifts shows a
 * fraction too little, and who then waits for the rest would wait at this very moment, for ever.
 */
const tickMs = 0.001

/** The scheduler of one life of a node. After its death nothing that was set runs. */
export class SimulatedScheduler implements Scheduler {
  private readonly kernel: Kernel
  private readonly incarnation: Incarnation
  private readonly clock: SimulatedClock
  /** Waiting for the end of this turn. */
  private callbacks: (() => void)[] = []

  constructor(kernel: Kernel, incarnation: Incarnation, clock: SimulatedClock) {
    this.kernel = kernel
    this.incarnation = incarnation
    this.clock = clock
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const trueMs = delayMs > 0 ? Math.max(tickMs, this.clock.trueMs(delayMs)) : 0
    const event = this.kernel.push(this.incarnation, trueMs, 'timer', callback)
    return {
      cancel() {
        event.run = undefined
      },
    }
  }

  /** The turn ends after the events that are already due at this very moment. */
  endOfTurn(callback: () => void): void {
    this.callbacks.push(callback)
    if (this.callbacks.length > 1) return
    this.kernel.push(this.incarnation, 0, 'end-of-turn', () => {
      const callbacks = this.callbacks
      this.callbacks = []
      for (const each of callbacks) each()
    })
  }
}
