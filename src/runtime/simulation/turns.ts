/**
 * Runs a callback once every promise reaction, and every reaction to those, has run.
 *
 * Node drains its queue of ticks, then all microtasks, then looks for new ticks (`processTicksAndRejections`). A tick
 * that a microtask asks for therefore starts only when no microtask is left, however deep the reactions chain. This
 * costs about a sixth of a `setImmediate`, which waits for a whole turn of the event loop, and keeps the same promise.
 * It starves that loop, though, so one turn in `turnsPerBreath` is a real one: signals, a test's time limit and the
 * report of unhandled rejections come through.
 */
const turnsPerBreath = 128

export class Turns {
  private taken = 0

  /** Calls `next` when all reactions have run. One call at a time. */
  after(next: () => void): void {
    this.taken++
    if (this.taken % turnsPerBreath === 0) setImmediate(next)
    else queueMicrotask(() => process.nextTick(next))
  }
}
