/**
 * A moving average of latencies that believes bad news at once and good news slowly.
 *
 * Source: Finagle, `com.twitter.finagle.loadbalancer.p2c.PeakEwma`.
 */

/** The average of one endpoint. Cost: an exponential a call, 16 bytes. */
export class PeakEwma {
  readonly #decayMs: number
  #peakMs = 0
  #atMs = 0

  /** `decayMs`: in this time a value falls to 1/e of itself. Above 0. Default 10,000, as in Finagle. */
  constructor(decayMs = 10_000) {
    if (!(decayMs > 0)) throw new RangeError(`decayMs is ${decayMs}: give more than 0`)
    this.#decayMs = decayMs
  }

  /** A request took `latencyMs`. A latency above the average replaces it; one below draws it down by the time that passed. */
  observe(nowMs: number, latencyMs: number): void {
    const passedMs = Math.max(0, nowMs - this.#atMs)
    const old = this.#peakMs
    const keep = Math.exp(-passedMs / this.#decayMs)
    this.#peakMs = latencyMs > old ? latencyMs : old * keep + latencyMs * (1 - keep)
    this.#atMs = Math.max(this.#atMs, nowMs)
  }

  /**
   * The average now. It also falls while nothing is observed, so that a slow endpoint is tried again some day. 0 before the
   * first observation.
   */
  valueMs(nowMs: number): number {
    return this.#peakMs * Math.exp(-Math.max(0, nowMs - this.#atMs) / this.#decayMs)
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
