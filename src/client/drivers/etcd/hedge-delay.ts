/**
 * How long a read waits before another node is asked too: what was set, or about the 95th percentile of how long answers
 * take, if that is longer. Otherwise a busy cluster would be asked everything twice.
 */
export class HedgeDelay {
  private readonly leastMs: number
  /** Moves up by 19 steps for an answer that took longer, and down by one for one that did not: at rest at the percentile. */
  private percentileMs: number

  constructor(leastMs: number) {
    this.leastMs = leastMs
    this.percentileMs = 0
  }

  get ms(): number {
    return Math.max(this.leastMs, this.percentileMs)
  }

  onAnswer(tookMs: number): void {
    const step = Math.max(this.percentileMs, 1) / 200
    if (tookMs > this.percentileMs) this.percentileMs += Math.min(19 * step, tookMs - this.percentileMs)
    else this.percentileMs -= Math.min(step, this.percentileMs - tookMs)
  }
}
