/** A timer that has been set. */
export interface Timer {
  /** Cancels it. A second call, or a call after it fired, does nothing. */
  cancel(): void
}

/** Decides when code runs. Nothing outside `runtime/` calls `setTimeout` and its kin. */
export interface Scheduler {
  /** Runs `callback` once, `delayMs` (0 or more, fractional allowed) from now. Timers do not keep a process alive. */
  setTimer(delayMs: number, callback: () => void): Timer
  /**
   * Runs `callback` once, after the I/O events that this turn of the event loop has already collected and before the
   * loop waits again. This is where a turn's proposals become one batch and a turn's frames one write.
   */
  endOfTurn(callback: () => void): void
}
