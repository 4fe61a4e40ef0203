/**
 * Bounds how much the driver asks again, so that a cluster in trouble is not asked more than one at ease (gRPC A6,
 * "retry throttling"): every answer earns a part of a token, every further attempt costs one.
 */
export class RetryBudget {
  private readonly tokensMax: number
  private readonly earned: number
  /** 0 to `tokensMax`. */
  private tokens: number

  constructor(tokensMax: number, earned: number) {
    this.tokensMax = tokensMax
    this.earned = earned
    this.tokens = tokensMax
  }

  onAnswer(): void {
    if (this.tokens < this.tokensMax) this.tokens = Math.min(this.tokensMax, this.tokens + this.earned)
  }

  /** False: it is spent. */
  take(): boolean {
    if (this.tokens < 1) return false
    this.tokens--
    return true
  }
}
