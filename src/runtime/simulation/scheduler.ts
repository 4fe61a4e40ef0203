import type { Scheduler, Timer } from '../index.ts'
import type { SimulatedClock } from './clock.ts'
import type { Incarnation, Kernel } from './kernel.ts'

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
    const event = this.kernel.push(this.incarnation, this.clock.trueMs(delayMs), 'timer', callback)
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
