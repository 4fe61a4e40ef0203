/**
 * Finds, among endpoints that should be alike, those that answer badly, from the answers alone; and ejects them for a while.
 *
 * After Envoy's outlier detection ("Outlier detection", Envoy's architecture overview): failures in a row, success rate
 * against the mean of all, ejection time that grows and shrinks again, a share that is never exceeded. The comparison of
 * latencies is ours.
 *
 * It owns one record an endpoint. The caller reports how each request ended and calls `sweep` once an interval.
 *
 * I1: `ejectedCount` is the number of tracked records whose `isEjected` is true.
 * I2: At the moment of an ejection at most max(1, floor(ejectedPercentMax of the tracked)) are ejected, itself included.
 * I3: What ends while its endpoint is ejected began before the ejection, and is not counted.
 */

/** As `OutlierSettings` of an upstream. Times in milliseconds. */
export interface OutlierOptions {
  /** So many failures in a row eject; 0: off. */
  readonly consecutiveFailures: number
  /** The first ejection's duration; the n-th in a row takes n times as long, at most `ejectionMsMax`. */
  readonly ejectionMs: number
  readonly ejectionMsMax: number
  /** Never more than this share of the endpoints, but always one may be. */
  readonly ejectedPercentMax: number
  /** An endpoint whose success rate is below mean - factor * standard deviation is ejected; 0: off. */
  readonly successRateStdevFactor: number
  /** Statistics are made of intervals in which so many endpoints had so many requests. */
  readonly successRateEndpointsMin: number
  readonly successRateRequestsMin: number
  /** An endpoint whose mean latency is above this many times the median of the others' is ejected; 0: off. */
  readonly latencyFactor: number
}

/** What gave an endpoint away. */
export type EjectionCause = 'failures-in-row' | 'success-rate' | 'latency'

/** One endpoint as the detector sees it. Only the detector changes it. */
export interface OutlierRecord {
  readonly id: string
  readonly isEjected: boolean
  /** For people: why it was ejected. Empty when it is not. */
  readonly reason: string
  /** When it may come back; it does at the first `release` or `sweep` at or after. Meaningless when it is not ejected. */
  readonly ejectedUntilMs: number
  /** How often it was ejected, ever. */
  readonly ejections: number
  /** The same, by what it was ejected for. */
  readonly ejectionsByCause: Readonly<Record<EjectionCause, number>>
}

type Writable<T> = { -readonly [K in keyof T]: T[K] }

interface Tracked extends Writable<OutlierRecord> {
  readonly ejectionsByCause: Record<EjectionCause, number>
  failuresInRow: number
  /** The factor of the next ejection's duration is one more. Falls by one each sweep that it is not ejected in. */
  backoff: number
  /** Since the last sweep. */
  successes: number
  failures: number
  /** Of the successes, and of what was given up later than those took. */
  latencyMsSum: number
  latencies: number
}

/** Watches the endpoints of one upstream. Cost: constant time a result, n log n a sweep. */
export class OutlierDetector {
  #options: OutlierOptions
  readonly #tracked = new Set<Tracked>()
  #ejectedCount = 0

  constructor(options: OutlierOptions) {
    this.#options = options
  }

  get ejectedCount(): number {
    return this.#ejectedCount
  }

  /** From now on with other options; who is ejected stays so until its time. */
  reconfigure(options: OutlierOptions): void {
    this.#options = options
  }

  /** Begins to watch an endpoint. Keep the record: results are reported with it. */
  track(id: string): OutlierRecord {
    const record: Tracked = {
      id,
      isEjected: false,
      reason: '',
      ejectedUntilMs: 0,
      ejections: 0,
      ejectionsByCause: { 'failures-in-row': 0, 'success-rate': 0, latency: 0 },
      failuresInRow: 0,
      backoff: 0,
      successes: 0,
      failures: 0,
      latencyMsSum: 0,
      latencies: 0,
    }
    this.#tracked.add(record)
    return record
  }

  /** The endpoint left. What ends later may still be reported and has no effect. */
  untrack(record: OutlierRecord): void {
    if (this.#tracked.delete(record as Tracked) && record.isEjected) this.#ejectedCount--
  }

  /** A request was answered well. `latencyMs` as the caller measures it, the same way for all endpoints. */
  succeeded(record: OutlierRecord, latencyMs: number): void {
    if (record.isEjected) return
    const own = record as Tracked
    own.failuresInRow = 0
    own.successes++
    own.latencyMsSum += latencyMs
    own.latencies++
  }

  /**
   * A request was given up unanswered after `latencyMs`, for a reason that is not its endpoint's: another was faster, or the
   * caller went away. Only what is slower than the mean of the rest counts: a bound from below says no more.
   */
  outlasted(record: OutlierRecord, latencyMs: number): void {
    const own = record as Tracked
    if (own.isEjected || latencyMs * own.latencies < own.latencyMsSum) return
    own.latencyMsSum += latencyMs
    own.latencies++
  }

  /** A request failed in a way that its endpoint answers for. True when that ejected it. */
  failed(record: OutlierRecord, nowMs: number): boolean {
    const own = record as Tracked
    if (own.isEjected || !this.#tracked.has(own)) return false
    own.failures++
    own.failuresInRow++
    const { consecutiveFailures } = this.#options
    if (consecutiveFailures === 0 || own.failuresInRow < consecutiveFailures) return false
    return this.#eject(own, nowMs, 'failures-in-row', `${own.failuresInRow} failures in a row`)
  }

  /** When the first of those that are ejected may return; undefined when nobody is. Cost: n. */
  get releaseDueMs(): number | undefined {
    if (this.#ejectedCount === 0) return undefined
    let dueMs = Number.POSITIVE_INFINITY
    for (const { isEjected, ejectedUntilMs } of this.#tracked) if (isEjected) dueMs = Math.min(dueMs, ejectedUntilMs)
    return dueMs
  }

  /** Lets those return whose time is over, between sweeps. Gives their records. */
  release(nowMs: number): OutlierRecord[] {
    const released: OutlierRecord[] = []
    for (const record of this.#tracked) {
      if (!record.isEjected || nowMs < record.ejectedUntilMs) continue
      this.#readmit(record)
      released.push(record)
    }
    return released
  }

  /**
   * Once an interval: lets those return whose time is over, then compares what happened since the last sweep. Gives the
   * records that changed.
   */
  sweep(nowMs: number): OutlierRecord[] {
    for (const record of this.#tracked) if (!record.isEjected) record.backoff = Math.max(0, record.backoff - 1)
    const changed = new Set<OutlierRecord>(this.release(nowMs))
    for (const record of this.#sweepSuccessRates(nowMs)) changed.add(record)
    for (const record of this.#sweepLatencies(nowMs)) changed.add(record)
    for (const record of this.#tracked) {
      record.successes = 0
      record.failures = 0
      record.latencyMsSum = 0
      record.latencies = 0
    }
    return [...changed]
  }

  #sweepSuccessRates(nowMs: number): Tracked[] {
    const factor = this.#options.successRateStdevFactor
    const judged = factor === 0 ? [] : this.#judged((record) => record.successes + record.failures)
    if (judged.length === 0) return []
    const rate = (record: Tracked): number => record.successes / (record.successes + record.failures)
    const mean = judged.reduce((sum, record) => sum + rate(record), 0) / judged.length
    const variance = judged.reduce((sum, record) => sum + (rate(record) - mean) ** 2, 0) / judged.length
    const least = mean - factor * Math.sqrt(variance)
    return judged
      .filter((record) => rate(record) < least)
      .sort((a, b) => rate(a) - rate(b))
      .filter((record) => {
        const reason = `success rate ${percent(rate(record))}, the mean of all is ${percent(mean)}`
        return this.#eject(record, nowMs, 'success-rate', reason)
      })
  }

  #sweepLatencies(nowMs: number): Tracked[] {
    const factor = this.#options.latencyFactor
    const judged = factor === 0 ? [] : this.#judged((record) => record.latencies)
    if (judged.length < 2) return []
    const latency = (record: Tracked): number => record.latencyMsSum / record.latencies
    judged.sort((a, b) => latency(b) - latency(a))
    const latencies = judged.map(latency)
    const slow: Tracked[] = []
    judged.forEach((record, i) => {
      const median = medianWithout(latencies, i)
      if (median <= 0 || latencies[i]! <= factor * median) return
      const reason = `${latencies[i]!.toFixed(1)} ms on average, the median of the others is ${median.toFixed(1)} ms`
      if (this.#eject(record, nowMs, 'latency', reason)) slow.push(record)
    })
    return slow
  }

  /** Those with enough requests for statistics, or none when they are too few. */
  #judged(requestsOf: (record: Tracked) => number): Tracked[] {
    const { successRateEndpointsMin, successRateRequestsMin } = this.#options
    const requestsMin = Math.max(1, successRateRequestsMin)
    const judged = [...this.#tracked].filter((record) => !record.isEjected && requestsOf(record) >= requestsMin)
    return judged.length >= successRateEndpointsMin ? judged : []
  }

  #eject(record: Tracked, nowMs: number, cause: EjectionCause, reason: string): boolean {
    if (record.isEjected) return false
    const { ejectedPercentMax, ejectionMs, ejectionMsMax } = this.#options
    const allowed = Math.max(1, Math.floor((this.#tracked.size * ejectedPercentMax) / 100))
    if (this.#ejectedCount >= allowed) return false
    record.isEjected = true
    record.reason = reason
    record.backoff++
    record.ejections++
    record.ejectionsByCause[cause]++
    record.ejectedUntilMs = nowMs + Math.min(ejectionMs * record.backoff, Math.max(ejectionMs, ejectionMsMax))
    this.#ejectedCount++
    return true
  }

  #readmit(record: Tracked): void {
    record.isEjected = false
    record.reason = ''
    record.failuresInRow = 0
    this.#ejectedCount--
  }
}

/** The median of all but one of a sorted list of at least two. */
function medianWithout(sorted: readonly number[], without: number): number {
  const at = (i: number): number => sorted[i < without ? i : i + 1]!
  const count = sorted.length - 1
  const middle = count >> 1
  return count % 2 === 1 ? at(middle) : (at(middle - 1) + at(middle)) / 2
}

function percent(rate: number): string {
  return `${(rate * 100).toFixed(1)}%`
}
