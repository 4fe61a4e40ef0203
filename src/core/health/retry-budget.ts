/**
 * Bounds retries by what is asked at all, so that a service in trouble is not asked several times as much for it.
 *
 * After Finagle's `RetryBudget` and "Site Reliability Engineering", ch. 21, "Per-client retry budget": in the last 10 s
 * retries may be a percentage of requests; and a few a second are free, so that a quiet client can retry at all.
 *
 * Differs: hedges are paid from the same budget, but from no more than half of it. Hedging takes what it can get; a retry
 * stands between the client and an error, so half is there for retries whatever was hedged.
 *
 * I1: Slot i counts the second `second - ((second - i) mod 10)` of the clock; older ones are 0.
 * I2: `requests`, `retries` and `hedges` are the sums over the slots; `retries` are without the hedges.
 */

/** As in an upstream's settings. */
export interface RetryBudgetOptions {
  /** Retries may be this share of the requests in the last 10 s, in percent. */
  readonly percent: number
  /** So many in each second of the clock are allowed in any case. */
  readonly minPerSecond: number
}

/** Hedges may take one part in so many; the rest is for retries. */
const hedgeDivisor = 2

const windowSeconds = 10

/** Counts requests and retries in seconds. Cost: constant time, nothing is allocated. */
export class RetryBudget {
  #options: RetryBudgetOptions
  readonly #requestSlots = new Float64Array(windowSeconds)
  readonly #retrySlots = new Float64Array(windowSeconds)
  readonly #hedgeSlots = new Float64Array(windowSeconds)
  #requests = 0
  #retries = 0
  #hedges = 0
  #second = 0

  constructor(options: RetryBudgetOptions) {
    this.#options = options
  }

  /** What was counted stays. */
  reconfigure(options: RetryBudgetOptions): void {
    this.#options = options
  }

  /** A request is sent for the first time. `nowMs` is from any steady clock; times before the latest count as the latest. */
  countRequest(nowMs: number): void {
    this.#advance(nowMs)
    this.#requestSlots[this.#second % windowSeconds]!++
    this.#requests++
  }

  /** Whether one more retry fits; if so it is counted. Half of the budget is for retries alone. */
  takeRetry(nowMs: number): boolean {
    this.#advance(nowMs)
    const slot = this.#second % windowSeconds
    const retries = this.#retrySlots[slot]!
    const fits =
      this.#isFree(retries + this.#hedgeSlots[slot]!, 1) ||
      this.#isShare(this.#retries + this.#hedges, 1) ||
      this.#isFree(retries, hedgeDivisor) ||
      this.#isShare(this.#retries, hedgeDivisor)
    if (!fits) return false
    this.#retrySlots[slot]!++
    this.#retries++
    return true
  }

  /** Whether one more hedge fits, within the whole budget and within half of it; if so it is counted. */
  takeHedge(nowMs: number): boolean {
    this.#advance(nowMs)
    const slot = this.#second % windowSeconds
    const hedges = this.#hedgeSlots[slot]!
    const fits =
      (this.#isFree(hedges, hedgeDivisor) && this.#isFree(hedges + this.#retrySlots[slot]!, 1)) ||
      (this.#isShare(this.#hedges, hedgeDivisor) && this.#isShare(this.#hedges + this.#retries, 1))
    if (!fits) return false
    this.#hedgeSlots[slot]!++
    this.#hedges++
    return true
  }

  /** Whether one more than `taken` in this second is within one part in `divisor` of the free ones, begun ones included. */
  #isFree(taken: number, divisor: number): boolean {
    return taken < this.#options.minPerSecond / divisor
  }

  #isShare(taken: number, divisor: number): boolean {
    return (taken + 1) * 100 * divisor <= this.#requests * this.#options.percent
  }

  #advance(nowMs: number): void {
    const second = Math.max(0, Math.floor(nowMs / 1000))
    const passed = Math.min(second - this.#second, windowSeconds)
    for (let i = 1; i <= passed; i++) {
      const slot = (this.#second + i) % windowSeconds
      this.#requests -= this.#requestSlots[slot]!
      this.#retries -= this.#retrySlots[slot]!
      this.#hedges -= this.#hedgeSlots[slot]!
      this.#requestSlots[slot] = 0
      this.#retrySlots[slot] = 0
      this.#hedgeSlots[slot] = 0
    }
    if (passed > 0) this.#second = second
  }
}
