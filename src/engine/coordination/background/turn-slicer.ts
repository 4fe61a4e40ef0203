import type { Clock, Scheduler } from '../../../runtime/index.ts'

/** Does a little work, about a millisecond of it. Returns true while there is more. */
export type SlicedJob = () => boolean

/**
 * Runs long jobs a slice at a time, so that together they hold the event loop no longer than the budget of a turn.
 * Owned by the engine; long ranges, hashes and memory reclaiming share it in turns, each getting one slice a round.
 *
 * - I1  A timer is set exactly while `jobs` is not empty and no slice is running.
 */
export class TurnSlicer {
  private readonly clock: Clock
  private readonly scheduler: Scheduler
  private readonly budgetMs: number
  private jobs: SlicedJob[] = []
  private armed = false

  constructor(clock: Clock, scheduler: Scheduler, budgetMs: number) {
    this.clock = clock
    this.scheduler = scheduler
    this.budgetMs = budgetMs
  }

  /** Starts `job` in a later turn. A job that throws has found a broken invariant, and is not run again. */
  run(job: SlicedJob): void {
    this.jobs.push(job)
    this.arm()
  }

  private arm(): void {
    if (this.armed || this.jobs.length === 0) return
    this.armed = true
    this.scheduler.setTimer(0, this.turn)
  }

  private readonly turn = (): void => {
    const until = this.clock.monotonicMs() + this.budgetMs
    try {
      do {
        const job = this.jobs.shift()
        if (job === undefined) break
        if (job()) this.jobs.push(job)
      } while (this.clock.monotonicMs() < until)
    } finally {
      this.armed = false
      this.arm()
    }
  }
}
