import type { Clock } from '../../../runtime/index.ts'
import type { CoordinationState } from '../api.ts'
import type { TurnSlicer } from './turn-slicer.ts'

/** One slice of reclaiming. A turn's budget holds several, shared with other jobs. */
const sliceMs = 1

/**
 * Frees the memory of compacted versions in slices, after each compaction and each restore.
 *
 * - I1  `running` holds exactly while a reclaiming job is in the slicer.
 * - I2  `waiting` is empty unless `running`, or the store is pinned.
 */
export class Reclaimer {
  private readonly state: CoordinationState
  private readonly slicer: TurnSlicer
  private readonly now: () => number
  private running = false
  private waiting: (() => void)[] = []

  constructor(state: CoordinationState, slicer: TurnSlicer, clock: Clock) {
    this.state = state
    this.slicer = slicer
    this.now = () => clock.monotonicMs()
    const start = (): void => this.start()
    state.observe({ onCompacted: start, onRestored: start, onUnpinned: start })
  }

  /** Calls back, in a later turn, once nothing is left to reclaim. */
  whenIdle(callback: () => void): void {
    this.waiting.push(callback)
    this.start()
  }

  private start(): void {
    if (this.running) return
    this.running = true
    this.slicer.run(this.slice)
  }

  private readonly slice = (): boolean => {
    if (this.state.store.reclaim(sliceMs, this.now)) return true
    this.running = false
    // The store stops short while pinned; `onUnpinned` starts again.
    if (this.state.pins > 0) return false
    const done = this.waiting
    this.waiting = []
    for (const callback of done) callback()
    return false
  }
}
