/**
 * Bounds retries by what is asked at all, so that a service in trouble is not asked several times as much for it.
 *
 * After Finagle's `RetryBudget` and "Site Reliability Engineering", ch. 21, "Per-client retry budget": in the last 10 s
 * retries may be a percentage of requests; and a few a second are free, so that a quiet client can retry at all.
 *
 * I1: Slot i counts the second `second - ((second - i) mod 10)` of the clock; older ones are 0.
 * I2: `requests` and `retries` are the sums over the slots.
 */

/** As in an upstream's settings. */
export interface RetryBudgetOptions {
  /** Retries may be this share of the requests in the last 10 s, in percent. */
  readonly percent: number
  /** So many in each second of the clock are allowed in any case. */
  readonly minPerSecond: number
}

const windowSeconds = 10

/** Counts requests and retries in seconds. Cost: constant time, nothing is allocated. */
export class RetryBudget {
  #options: RetryBudgetOptions
  readonly #requestSlots = new Float64Array(windowSeconds)
  readonly #retrySlots = new Float64Array(windowSeconds)
  #requests = 0
  #retries = 0
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

  /** Whether one more retry (or hedge) fits; if so it is counted. */
  takeRetry(nowMs: number): boolean {
    this.#advance(nowMs)
    const slot = this.#second % windowSeconds
    const isFree = this.#retrySlots[slot]! < this.#options.minPerSecond
    if (!isFree && (this.#retries + 1) * 100 > this.#requests * this.#options.percent) return false
    this.#retrySlots[slot]!++
    this.#retries++
    return true
  }

  #advance(nowMs: number): void {
    const second = Math.max(0, Math.floor(nowMs / 1000))
    const passed = Math.min(second - this.#second, windowSeconds)
    for (let i = 1; i <= passed; i++) {
      const slot = (this.#second + i) % windowSeconds
      this.#requests -= this.#requestSlots[slot]!
      this.#retries -= this.#retrySlots[slot]!
      this.#requestSlots[slot] = 0
      this.#retrySlots[slot] = 0
    }
    if (passed > 0) this.#second = second
  }
}
