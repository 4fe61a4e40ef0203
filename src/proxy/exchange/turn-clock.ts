/**
 * The time at the beginning of what this turn of the event loop has to do: read once, and the same for all of the turn's
 * events, as nginx keeps it for one round of epoll. A request asks for the time nine times, and asking the machine costs
 * as much as parsing a small head. What is measured with it is off by the length of a turn at most.
 *
 * - C1  It never goes back, and is forgotten at the end of the turn: a loop that waits for time to pass must not use it.
 */
import type { Clock, Scheduler } from '../../runtime/index.ts'

export class TurnClock {
  private readonly clock: Pick<Clock, 'monotonicMs'>
  private readonly scheduler: Pick<Scheduler, 'endOfTurn'>
  private turnMs = -1

  constructor(clock: Pick<Clock, 'monotonicMs'>, scheduler: Pick<Scheduler, 'endOfTurn'>) {
    this.clock = clock
    this.scheduler = scheduler
  }

  nowMs(): number {
    if (this.turnMs < 0) {
      this.turnMs = this.clock.monotonicMs()
      this.scheduler.endOfTurn(this.forget)
    }
    return this.turnMs
  }

  private readonly forget = (): void => {
    this.turnMs = -1
  }
}
