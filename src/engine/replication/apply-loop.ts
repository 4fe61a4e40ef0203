/**
 * Feeds committed entries to the state machine, a slice at a time, so that a long backlog never holds the loop.
 *
 * - A1  `appliedIndex` never falls and never passes the commit index. Entries are applied once each, in order.
 */
import { assert } from '../../base/index.ts'
import type { Entry } from '../../core/index.ts'
import type { Clock, Scheduler } from '../../runtime/index.ts'

/** Entries applied between two looks at the clock. */
const sliceCount = 64

export interface ApplyLoopContext {
  readonly clock: Clock
  readonly scheduler: Scheduler
  /** How long one turn may be held, in milliseconds. */
  readonly budgetMs: number
  readonly entries: (fromIndex: number, toIndex: number) => readonly Entry[]
  readonly apply: (entry: Entry) => void
  /** Some entries were applied in this turn. */
  readonly applied: (index: number) => void
  /** Runs work that the loop began; what it throws ends the node. */
  readonly guard: (work: () => void) => void
}

export class ApplyLoop {
  appliedIndex: number
  private commitIndex: number
  private readonly context: ApplyLoopContext
  /** The rest of a backlog waits for the next turn. */
  private scheduled = false

  constructor(context: ApplyLoopContext, appliedIndex: number) {
    this.context = context
    this.appliedIndex = this.commitIndex = appliedIndex
  }

  commitTo(index: number): void {
    this.commitIndex = index
  }

  /** The state was replaced by one as of `index`. */
  jumpTo(index: number): void {
    assert(index > this.appliedIndex, 'a snapshot only moves the state forward (A1)')
    this.appliedIndex = index
    this.commitIndex = Math.max(this.commitIndex, index)
  }

  /** Applies what is committed, as far as the budget allows; the rest follows by itself. */
  run(): void {
    if (this.scheduled || this.appliedIndex >= this.commitIndex) return
    const { clock, scheduler, budgetMs, guard } = this.context
    const startMs = clock.monotonicMs()
    while (this.appliedIndex < this.commitIndex) {
      const to = Math.min(this.commitIndex, this.appliedIndex + sliceCount)
      for (const entry of this.context.entries(this.appliedIndex + 1, to)) {
        this.appliedIndex = entry.index
        this.context.apply(entry)
      }
      if (this.appliedIndex < this.commitIndex && clock.monotonicMs() - startMs > budgetMs) {
        this.scheduled = true
        scheduler.setTimer(0, () => {
          this.scheduled = false
          guard(() => this.run())
        })
        break
      }
    }
    this.context.applied(this.appliedIndex)
  }
}
