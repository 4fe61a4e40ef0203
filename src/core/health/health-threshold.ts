/** When the results of active checks change what an endpoint counts as: only several in a row do, so that one lost packet does not. */

/** As in the settings of an active check. Both are at least 1. */
export interface HealthThresholdOptions {
  /** So many successes in a row make an unhealthy endpoint healthy. */
  readonly healthyAfter: number
  /** So many failures in a row make a healthy or unknown endpoint unhealthy. */
  readonly unhealthyAfter: number
}

/** Unknown: not checked often enough to say. */
export type CheckedHealth = 'unknown' | 'healthy' | 'unhealthy'

/** The health of one endpoint. The first success of an endpoint that is unknown makes it healthy at once, as in Envoy. */
export class HealthThreshold {
  #options: HealthThresholdOptions
  #health: CheckedHealth = 'unknown'
  /** Results in a row that speak against `health`. */
  #against = 0

  constructor(options: HealthThresholdOptions) {
    this.#options = options
  }

  get health(): CheckedHealth {
    return this.#health
  }

  reconfigure(options: HealthThresholdOptions): void {
    this.#options = options
  }

  /** One check ended. True when that changed the health. */
  record(isSuccess: boolean): boolean {
    const says: CheckedHealth = isSuccess ? 'healthy' : 'unhealthy'
    if (this.#health === says) {
      this.#against = 0
      return false
    }
    const { healthyAfter, unhealthyAfter } = this.#options
    this.#against = this.#health === 'unknown' && isSuccess ? healthyAfter : this.#against + 1
    if (this.#against < (isSuccess ? healthyAfter : unhealthyAfter)) return false
    this.#health = says
    this.#against = 0
    return true
  }

  /** As if never checked: for an endpoint that came back under its old name. */
  reset(): void {
    this.#health = 'unknown'
    this.#against = 0
  }
}
