/**
 * How much the silence of a peer is suspected, on a scale instead of as a verdict.
 *
 * Source: Hayashibara, Défago, Yared, Katayama, "The φ accrual failure detector", SRDS 2004, §4 and §5.
 *
 * φ = -log10(P(the next heartbeat comes later than now)), where the times between heartbeats are taken as normally
 * distributed with the mean and variance of the last ones. A φ of 1 errs about once in 10 judgements, of 3 once in 1000.
 *
 * Differs: a minimum of the standard deviation and an acceptable pause, as Akka and Cassandra have found them needed where
 * heartbeats are very regular (a variance near 0 would suspect a delay of a millisecond) or a garbage collection stops
 * the peer; and a first estimate, so that φ means something before the second heartbeat.
 *
 * It owns the window of intervals. Not safe to share between peers.
 *
 * I1: `sum` and `sumOfSquares` are those of the `count` intervals in the window, up to rounding, which is removed each time
 *     that the window has gone round.
 */

export interface PhiAccrualOptions {
  /** How many of the last intervals are remembered: 2 to 10,000. Default 200. */
  readonly windowSize?: number
  /** The least standard deviation that is reckoned with, in milliseconds, above 0. Default 100. */
  readonly stdDeviationMsMin?: number
  /** Added to the mean: a silence that raises no suspicion by itself, in milliseconds. Default 0. */
  readonly acceptablePauseMs?: number
  /** What the interval is taken to be before any was seen, in milliseconds, above 0. Default 1000. */
  readonly firstIntervalMs?: number
}

/** Suspicion of one peer, from the times of its heartbeats. Cost: constant time for both, 8 bytes an interval. */
export class PhiAccrualDetector {
  readonly #intervals: Float64Array
  readonly #stdDeviationMsMin: number
  readonly #acceptablePauseMs: number
  readonly #firstIntervalMs: number
  #count = 0
  /** Where the next interval is written. */
  #next = 0
  #sum = 0
  #sumOfSquares = 0
  #lastMs: number | undefined

  /** Throws a RangeError when an option is outside its limits. */
  constructor(options: PhiAccrualOptions = {}) {
    const { windowSize = 200, stdDeviationMsMin = 100, acceptablePauseMs = 0, firstIntervalMs = 1000 } = options
    if (!Number.isInteger(windowSize) || windowSize < 2 || windowSize > 10_000)
      throw new RangeError(`windowSize is ${windowSize}: give a whole number from 2 to 10000`)
    if (!(stdDeviationMsMin > 0)) throw new RangeError(`stdDeviationMsMin is ${stdDeviationMsMin}: give more than 0`)
    if (!(acceptablePauseMs >= 0)) throw new RangeError(`acceptablePauseMs is ${acceptablePauseMs}: give 0 or more`)
    if (!(firstIntervalMs > 0)) throw new RangeError(`firstIntervalMs is ${firstIntervalMs}: give more than 0`)
    this.#intervals = new Float64Array(windowSize)
    this.#stdDeviationMsMin = stdDeviationMsMin
    this.#acceptablePauseMs = acceptablePauseMs
    this.#firstIntervalMs = firstIntervalMs
    this.#seed()
  }

  /** The peer gave a sign of life. `nowMs` is from any steady clock, the same for all calls. */
  heartbeat(nowMs: number): void {
    if (this.#lastMs !== undefined) this.#record(Math.max(0, nowMs - this.#lastMs))
    this.#lastMs = nowMs
  }

  /** The suspicion: 0 and up, without limit. 0 before the first heartbeat. */
  phi(nowMs: number): number {
    if (this.#lastMs === undefined) return 0
    const mean = this.#sum / this.#count
    const variance = Math.max(0, this.#sumOfSquares / this.#count - mean * mean)
    const deviation = Math.max(Math.sqrt(variance), this.#stdDeviationMsMin)
    const silenceMs = nowMs - this.#lastMs
    return -log10UpperTail((silenceMs - mean - this.#acceptablePauseMs) / deviation)
  }

  /** Forgets all, as if new: for a peer that was started again. */
  reset(): void {
    this.#lastMs = undefined
    this.#seed()
  }

  /** Two intervals around the estimate, a quarter of it away: some variance to begin with. */
  #seed(): void {
    this.#count = 0
    this.#next = 0
    this.#sum = 0
    this.#sumOfSquares = 0
    this.#record(this.#firstIntervalMs * 0.75)
    this.#record(this.#firstIntervalMs * 1.25)
  }

  #record(intervalMs: number): void {
    const size = this.#intervals.length
    if (this.#count < size) this.#count++
    else {
      const oldest = this.#intervals[this.#next]!
      this.#sum -= oldest
      this.#sumOfSquares -= oldest * oldest
    }
    this.#intervals[this.#next] = intervalMs
    this.#sum += intervalMs
    this.#sumOfSquares += intervalMs * intervalMs
    this.#next++
    if (this.#next === size) {
      this.#next = 0
      this.#sumAgain()
    }
  }

  /** I1. The window is full. */
  #sumAgain(): void {
    this.#sum = 0
    this.#sumOfSquares = 0
    for (const interval of this.#intervals) {
      this.#sum += interval
      this.#sumOfSquares += interval * interval
    }
  }
}

/**
 * log10 of the probability that a standard normal variable exceeds `y`. In logarithms, so that it does not become
 * minus infinity when the probability is too small for a number.
 */
function log10UpperTail(y: number): number {
  const half = Math.log(0.5)
  const z = Math.abs(y) / Math.SQRT2
  const lnTail = half + lnErfc(z)
  return (y >= 0 ? lnTail : Math.log1p(-Math.exp(lnTail))) / Math.LN10
}

/** ln erfc(z) for z of at least 0: Press et al., "Numerical Recipes in C", 2nd ed., §6.2, erfcc; erfc's relative error is below 1.2e-7. */
function lnErfc(z: number): number {
  const t = 1 / (1 + 0.5 * z)
  let sum = 0
  for (let i = erfcTerms.length - 1; i >= 0; i--) sum = sum * t + erfcTerms[i]!
  return Math.log(t) - z * z + sum
}

const erfcTerms = [
  -1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587, -0.82215223,
  0.17087277,
] as const
