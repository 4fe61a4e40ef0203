/** What is counted of requests, for a listener, a route or an upstream alike. Added to on the hot path: plain numbers. */

/** Upper bounds of the histogram of durations, in milliseconds; one more bucket counts what is longer. */
export const durationBoundsMs: readonly number[] = [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000]

/** The counters as plain JSON: what workers send to the acceptor. All grow, but for `active`. */
export interface TrafficSnapshot {
  /** By first digit of the status, 0 (none was sent) to 5. */
  readonly requestsByClass: readonly number[]
  /** As many as bounds, and one for longer ones; not cumulative. */
  readonly durationCounts: readonly number[]
  readonly durationSumMs: number
  /** Of request bodies. */
  readonly bytesIn: number
  /** Of response bodies. */
  readonly bytesOut: number
  readonly retries: number
  readonly hedges: number
  /** The client went away, or the response broke off. */
  readonly aborted: number
  readonly rateLimited: number
  /** Requests that the proxy itself refused or failed, by the word that its log has for it; only those that occurred. */
  readonly failures: Readonly<Record<string, number>>
  /** Requests under way. */
  readonly active: number
}

export class TrafficCounters {
  bytesIn = 0
  bytesOut = 0
  retries = 0
  hedges = 0
  aborted = 0
  rateLimited = 0
  active = 0
  private readonly failures: Record<string, number> = {}
  private durationSumMs = 0
  private readonly requestsByClass = [0, 0, 0, 0, 0, 0]
  private readonly durationCounts = [...durationBoundsMs.map(() => 0), 0]

  /** A request ended with `status` (0: none was sent) after `durationMs`. */
  count(status: number, durationMs: number): void {
    const statusClass = status < 600 ? Math.trunc(status / 100) : 5
    this.requestsByClass[statusClass]!++
    this.durationSumMs += durationMs
    let bucket = 0
    while (bucket < durationBoundsMs.length && durationMs > durationBoundsMs[bucket]!) bucket++
    this.durationCounts[bucket]!++
  }

  /** An exchange ended: {@link count}, and what it carried. */
  add(status: number, durationMs: number, bytesIn: number, bytesOut: number, isAborted: boolean): void {
    this.count(status, durationMs)
    this.bytesIn += bytesIn
    this.bytesOut += bytesOut
    if (isAborted) this.aborted++
  }

  /** An exchange failed for `reason`, one of few words. */
  fail(reason: string): void {
    this.failures[reason] = (this.failures[reason] ?? 0) + 1
  }

  snapshot(): TrafficSnapshot {
    return {
      requestsByClass: [...this.requestsByClass],
      durationCounts: [...this.durationCounts],
      durationSumMs: this.durationSumMs,
      bytesIn: this.bytesIn,
      bytesOut: this.bytesOut,
      retries: this.retries,
      hedges: this.hedges,
      aborted: this.aborted,
      rateLimited: this.rateLimited,
      failures: { ...this.failures },
      active: this.active,
    }
  }
}

/** The counters of both together. */
export function addSnapshots(a: TrafficSnapshot, b: TrafficSnapshot): TrafficSnapshot {
  const sums = (left: readonly number[], right: readonly number[]) => left.map((value, i) => value + (right[i] ?? 0))
  return {
    requestsByClass: sums(a.requestsByClass, b.requestsByClass),
    durationCounts: sums(a.durationCounts, b.durationCounts),
    durationSumMs: a.durationSumMs + b.durationSumMs,
    bytesIn: a.bytesIn + b.bytesIn,
    bytesOut: a.bytesOut + b.bytesOut,
    retries: a.retries + b.retries,
    hedges: a.hedges + b.hedges,
    aborted: a.aborted + b.aborted,
    rateLimited: a.rateLimited + b.rateLimited,
    failures: addFailures(a.failures, b.failures),
    active: a.active + b.active,
  }
}

function addFailures(a: TrafficSnapshot['failures'], b: TrafficSnapshot['failures']): TrafficSnapshot['failures'] {
  const sums = { ...a }
  for (const [reason, count] of Object.entries(b)) sums[reason] = (sums[reason] ?? 0) + count
  return sums
}
