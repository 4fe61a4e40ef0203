/** The limiters of a worker, by `listener/route`; they outlive a change of the configuration that leaves them alone. */
import type { HttpListenerConfig, RateLimitConfig } from '../config/index.ts'
import { LocalRateLimiter, type RateLimiter } from './rate-limiter.ts'
import { type RateLimitGrant, type RateLimitShare, SharedRateLimiter, sameLimit } from './shared-rate-limiter.ts'

interface KnownLimiter {
  readonly config: RateLimitConfig
  readonly limiter: RateLimiter
}

export class RateLimits {
  private readonly share: RateLimitShare | undefined
  private readonly limiters = new Map<string, KnownLimiter>()

  /** `share`: where tokens are leased when several workers serve the same clients; undefined: this worker is alone. */
  constructor(share?: RateLimitShare) {
    this.share = share
  }

  /** The limiter of that name and configuration: the same as before when the configuration is. */
  limiter(name: string, config: RateLimitConfig): RateLimiter {
    const known = this.limiters.get(name)
    if (known !== undefined && sameLimit(known.config, config)) return known.limiter
    const limiter =
      this.share === undefined ? new LocalRateLimiter(config) : new SharedRateLimiter(name, config, this.share)
    this.limiters.set(name, { config, limiter })
    return limiter
  }

  /** Passes the owner's answer on. */
  grant(answer: RateLimitGrant, nowMs: number): void {
    const limiter = this.limiters.get(answer.limiter)?.limiter
    if (limiter instanceof SharedRateLimiter) limiter.grant(answer, nowMs)
  }

  /** Forgets the limiters that `listeners` have no more. */
  retain(listeners: readonly HttpListenerConfig[]): void {
    const names = rateLimitsOf(listeners)
    for (const name of this.limiters.keys()) if (!names.has(name)) this.limiters.delete(name)
  }
}

export function limiterName(listener: string, route: string): string {
  return `${listener}/${route}`
}

/** All limits of a configuration by name, as {@link RateLimitOwner.reconfigure} takes them. */
export function rateLimitsOf(listeners: readonly HttpListenerConfig[]): Map<string, RateLimitConfig> {
  const limits = new Map<string, RateLimitConfig>()
  for (const listener of listeners) {
    for (const route of listener.routes) {
      if (route.rateLimit !== undefined) limits.set(limiterName(listener.name, route.name), route.rateLimit)
    }
  }
  return limits
}
