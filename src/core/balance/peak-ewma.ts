/**
 * A moving average of latencies that believes bad news at once and good news slowly.
 *
 * Source: Finagle, `com.twitter.finagle.loadbalancer.PeakEwma`. Differs: what is known of an endpoint that is left alone grows
 * old sooner (`rest`). There a server that answered in 2 s among others of 10 ms is left alone for 50 s after that, well or not.
 */

/** Left alone, an endpoint is forgiven so many times as fast as one that is observed, */
const restFactor = 10
/** but by no more than 1/e while others get so many requests: of few requests none are spent on looking after the slow. */
const requestsPerRest = 50

/** The average of one endpoint. Cost: an exponential a call, 32 bytes. */
export class PeakEwma {
  readonly #decayMs: number
  #peakMs = 0
  #atMs = 0
  /** Until when it is known whether it was left alone. */
  #restedAtMs = 0
  /** Time that counts as passed since the last observation, besides what passed. */
  #restedMs = 0

  /** `decayMs`: in this time a value falls to 1/e of itself. Above 0. Default 10,000, as in Finagle. */
  constructor(decayMs = 10_000) {
    if (!(decayMs > 0)) throw new RangeError(`decayMs is ${decayMs}: give more than 0`)
    this.#decayMs = decayMs
  }

  /** A request took `latencyMs`. A latency above the average replaces it; one below draws it down by the time that passed. */
  observe(nowMs: number, latencyMs: number): void {
    const old = this.#peakMs
    const keep = this.#keptAt(nowMs)
    this.#peakMs = latencyMs > old ? latencyMs : old * keep + latencyMs * (1 - keep)
    this.#atMs = Math.max(this.#atMs, nowMs)
    this.#restedMs = 0
  }

  /**
   * Tells, now and then, how many `requests` others got since it was told last, while this endpoint had nothing to do; 0 when it
   * had. One that nobody asks is forgiven ten times as fast, if others get that many requests: then one that was slow is tried again
   * after seconds, by a request or two, and believed if it is fast again. While it is asked nothing is forgiven but by time.
   */
  rest(nowMs: number, requests: number): void {
    const aloneMs = Math.max(0, nowMs - Math.max(this.#atMs, this.#restedAtMs))
    this.#restedMs += Math.min((restFactor - 1) * aloneMs, (requests * this.#decayMs) / requestsPerRest)
    this.#restedAtMs = Math.max(this.#restedAtMs, nowMs)
  }

  /**
   * The average now. It also falls while nothing is observed, so that a slow endpoint is tried again some day. 0 before the
   * first observation.
   */
  valueMs(nowMs: number): number {
    return this.#peakMs * this.#keptAt(nowMs)
  }

  /** How much of the last value still counts. */
  #keptAt(nowMs: number): number {
    return Math.exp(-(Math.max(0, nowMs - this.#atMs) + this.#restedMs) / this.#decayMs)
  }
}

/** Above any latency, in milliseconds. */
const penaltyMs = 1e12

/**
 * What a request is expected to wait at an endpoint with so much `load` already: the latency, once for each ahead of it and once
 * for itself. Where the latency is unknown (0): nothing if there is no load, so that the first request finds it out; with load very
 * much, so that the others wait for what it finds.
 */
export function peakEwmaCost(latencyMs: number, load: number): number {
  if (latencyMs > 0) return latencyMs * (load + 1)
  return load === 0 ? 0 : penaltyMs + load
}
