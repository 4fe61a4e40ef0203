/**
 * Stops asking a service that fails every time, and tries it again with one request at a time.
 *
 * Source: Nygard, "Release It!", 2nd ed., §5.2 "Circuit Breaker".
 *
 * I1: `failuresInRow` is below `consecutiveFailures` while closed.
 * I2: In the half-open state at most one trial is under way.
 * I3: A result counts only in the state that its request began in, as told by its permit.
 */

/** As in an upstream's settings. */
export interface CircuitBreakerOptions {
  /** So many failures in a row open the circuit; 0: it never opens. */
  readonly consecutiveFailures: number
  /** How long it stays open before a trial is let through, in milliseconds. */
  readonly openMs: number
}

/** Open: all are refused. Half-open: one trial decides. */
export type CircuitState = 'closed' | 'open' | 'half-open'

/** Which of the breaker's states a request began in. It grows with every change of state. */
export type CircuitPermit = number

/** Of a request that no circuit looks at: its end counts nowhere. */
export const noPermit: CircuitPermit = 0

/** One circuit. Cost: constant time, nothing is allocated. */
export class CircuitBreaker {
  #options: CircuitBreakerOptions
  #state: CircuitState = 'closed'
  #permit: CircuitPermit = 1
  #failuresInRow = 0
  #openUntilMs = 0
  #isTrialUnderWay = false
  #opened = 0

  constructor(options: CircuitBreakerOptions) {
    this.#options = options
  }

  /** How often it opened, ever. */
  get opened(): number {
    return this.#opened
  }

  /** With other options from now on. Turned off, it closes. */
  reconfigure(options: CircuitBreakerOptions): void {
    this.#options = options
    if (options.consecutiveFailures === 0 && this.#state !== 'closed') this.#become('closed')
  }

  state(nowMs: number): CircuitState {
    if (this.#state === 'open' && nowMs >= this.#openUntilMs) this.#become('half-open')
    return this.#state
  }

  /** Whether a request may begin now. Changes no count. */
  permits(nowMs: number): boolean {
    const state = this.state(nowMs)
    return state === 'closed' || (state === 'half-open' && !this.#isTrialUnderWay)
  }

  /**
   * A request begins, after `permits` said so. Exactly one `end` follows with what this returns: {@link noPermit} for one that
   * was permitted together with another, which became the trial.
   */
  begin(nowMs: number): CircuitPermit {
    if (this.state(nowMs) === 'half-open') {
      if (this.#isTrialUnderWay) return noPermit
      this.#isTrialUnderWay = true
    }
    return this.#permit
  }

  /** A request ended; `cancelled` says nothing about the service. True when that changed the state. */
  end(permit: CircuitPermit, result: 'success' | 'failure' | 'cancelled', nowMs: number): boolean {
    if (permit !== this.#permit || this.#state === 'open') return false
    if (this.#state === 'half-open') {
      this.#isTrialUnderWay = false
      if (result === 'success') this.#become('closed')
      else if (result === 'failure') this.#open(nowMs)
      return result !== 'cancelled'
    }
    if (result === 'success') this.#failuresInRow = 0
    if (result !== 'failure' || this.#options.consecutiveFailures === 0) return false
    this.#failuresInRow++
    if (this.#failuresInRow < this.#options.consecutiveFailures) return false
    this.#open(nowMs)
    return true
  }

  #open(nowMs: number): void {
    this.#openUntilMs = nowMs + this.#options.openMs
    this.#opened++
    this.#become('open')
  }

  #become(state: CircuitState): void {
    this.#state = state
    this.#permit++
    this.#failuresInRow = 0
    this.#isTrialUnderWay = false
  }
}
