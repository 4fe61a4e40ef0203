/**
 * Timers and the end of a turn on Node's event loop. Owned by the runtime of one process; called by everything.
 *
 * Where `endOfTurn` sits: a turn of the loop is timers, then the I/O events that one poll returned, then immediates.
 * One immediate runs all callbacks of the turn.
 *
 * I1. At most one immediate is armed, and one is armed whenever `callbacks` is not empty outside `runCallbacks`.
 * I2. A callback registered by a running end-of-turn callback runs in the next pass of the same immediate, before the
 *     loop polls again: a batch proposed at the end of a turn still gets its frames written in that turn. After
 *     `passesMax` passes the rest waits for the next immediate, so that callbacks that keep registering cannot starve
 *     I/O. Promise reactions run after the last pass, not between passes.
 * I3. A callback that throws is an uncaught exception of its own; the callbacks after it still run.
 */
import type { Scheduler, Timer } from '../index.ts'

const passesMax = 8
/** The longest delay that `setTimeout` knows; a longer one would fire at once. */
const timeoutMsMax = 0x7fff_ffff

export class NodeScheduler implements Scheduler {
  /** Waiting for the end of this turn, in order of registration. */
  private callbacks: (() => void)[] = []
  private armed = false

  setTimer(delayMs: number, callback: () => void): Timer {
    return delayMs > timeoutMsMax ? new LongTimer(delayMs, callback) : new ShortTimer(delayMs, callback)
  }

  endOfTurn(callback: () => void): void {
    this.callbacks.push(callback)
    if (this.armed) return
    this.armed = true
    setImmediate(this.runCallbacks)
  }

  private readonly runCallbacks = (): void => {
    let pass: (() => void)[] = []
    let next = 0
    try {
      for (let passes = 0; passes < passesMax && this.callbacks.length > 0; passes++) {
        pass = this.callbacks
        this.callbacks = []
        next = 0
        while (next < pass.length) pass[next++]!()
      }
    } finally {
      if (next < pass.length) this.callbacks = [...pass.slice(next), ...this.callbacks]
      this.armed = this.callbacks.length > 0
      if (this.armed) setImmediate(this.runCallbacks)
    }
  }
}

class ShortTimer implements Timer {
  private readonly timeout: NodeJS.Timeout

  constructor(delayMs: number, callback: () => void) {
    this.timeout = setTimeout(callback, Math.ceil(delayMs))
    this.timeout.unref()
  }

  cancel(): void {
    clearTimeout(this.timeout)
  }
}

/** Covers a delay beyond `timeoutMsMax` (24.8 days) in steps. */
class LongTimer implements Timer {
  private step: ShortTimer

  constructor(delayMs: number, callback: () => void) {
    const arm = (remainingMs: number): ShortTimer =>
      remainingMs <= timeoutMsMax
        ? new ShortTimer(remainingMs, callback)
        : new ShortTimer(timeoutMsMax, () => {
            this.step = arm(remainingMs - timeoutMsMax)
          })
    this.step = arm(delayMs)
  }

  cancel(): void {
    this.step.cancel()
  }
}
