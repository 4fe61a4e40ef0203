/** A token bucket: `burst` events at once, refilled at `perSecond`. */
export class RateLimit {
  private readonly burst: number
  private readonly perMs: number
  private tokens: number
  private refilledAtMs: number

  constructor(burst: number, perSecond: number, nowMs: number) {
    this.burst = burst
    this.perMs = perSecond / 1000
    this.tokens = burst
    this.refilledAtMs = nowMs
  }

  /** Takes `cost` tokens; false when they are not there, which the caller answers by closing the connection. */
  take(nowMs: number, cost = 1): boolean {
    this.tokens = Math.min(this.burst, this.tokens + (nowMs - this.refilledAtMs) * this.perMs)
    this.refilledAtMs = nowMs
    if (this.tokens < cost) return false
    this.tokens -= cost
    return true
  }
}
