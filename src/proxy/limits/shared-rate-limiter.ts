/**
 * One limit over several workers. The acceptor process owns the buckets ({@link RateLimitOwner}); a worker leases tokens
 * in batches ({@link RateLimitShare}) and spends them without asking.
 *
 * A request cannot wait for the owner's answer, so a worker lends itself up to a batch of tokens and pays it back from
 * the next lease.
 *
 * - S1  In any time t a key gets at most `requestsPerSecond * t + burst + 2 * workers * batch` requests: what the owner
 *       granted, what each worker has on loan, and what it still holds of its last lease.
 * - S2  At most one lease a key and worker is asked for at a time.
 * - S3  While the owner says that a key has no tokens, its requests are refused without asking again.
 * - S4  An answer that never comes (the owner died) is given up after `leaseTimeoutMs`; then one more batch may be lent.
 *       Without an owner a worker thus lets a batch pass each `leaseTimeoutMs`: limited, but not exact.
 */
import type { RateLimitConfig } from '../config/index.ts'
import { LocalRateLimiter, type RateLimiter, rateLimitKeysMax } from './rate-limiter.ts'

/** A worker's way to the owner. The answer comes back by {@link SharedRateLimiter.grant}, in any later turn. */
export interface RateLimitShare {
  request(limiter: string, key: string, tokens: number): void
}

/** The owner's answer to one request of a share. */
export interface RateLimitGrant {
  readonly limiter: string
  readonly key: string
  /** 0 up to what was asked. */
  readonly tokens: number
  /** When none was granted: after this time there may be one. */
  readonly retryAfterMs: number
}

const leaseTimeoutMs = 1_000

interface LeasedKey {
  /** Below 0: on loan, at most a batch. */
  tokens: number
  /** Lease asked for at this time and not answered; negative: none. */
  askedAtMs: number
  /** Refused until then. */
  emptyUntilMs: number
}

/** Tokens leased at once: a tenth of a second's worth, from 1 to 64, and no more than a quarter of the burst. */
export function leaseBatch(config: Pick<RateLimitConfig, 'requestsPerSecond' | 'burst'>): number {
  return Math.max(1, Math.floor(Math.min(64, config.requestsPerSecond / 10, config.burst / 4)))
}

/** A worker's part of a shared limit. */
export class SharedRateLimiter implements RateLimiter {
  readonly name: string
  private readonly share: RateLimitShare
  private readonly batch: number
  private readonly keysMax: number
  /** In the order of their last use: a key that is used is deleted and set again. */
  private readonly keys = new Map<string, LeasedKey>()

  constructor(name: string, config: RateLimitConfig, share: RateLimitShare, keysMax = rateLimitKeysMax) {
    this.name = name
    this.share = share
    this.batch = leaseBatch(config)
    this.keysMax = keysMax
  }

  take(key: string, nowMs: number): number {
    const leased = this.use(key)
    if (leased.emptyUntilMs > nowMs) return leased.emptyUntilMs - nowMs
    if (leased.askedAtMs >= 0 && nowMs - leased.askedAtMs >= leaseTimeoutMs) {
      leased.askedAtMs = -1
      leased.tokens = 0
    }
    const mayPass = leased.tokens > -this.batch
    if (mayPass) leased.tokens -= 1
    if (leased.tokens <= 0 && leased.askedAtMs < 0) {
      leased.askedAtMs = nowMs
      this.share.request(this.name, key, this.batch - leased.tokens)
    }
    // The loan is used up: requests pass again when the owner's answer is here, usually within milliseconds.
    return mayPass ? 0 : leaseTimeoutMs
  }

  /** The owner's answer. One for a key that was forgotten meanwhile is lost: the client gets a little less. */
  grant(answer: RateLimitGrant, nowMs: number): void {
    const leased = this.keys.get(answer.key)
    if (leased === undefined) return
    leased.askedAtMs = -1
    leased.tokens += answer.tokens
    // The loan stands: it is paid back first when tokens flow again.
    if (answer.tokens === 0) leased.emptyUntilMs = nowMs + answer.retryAfterMs
  }

  private use(key: string): LeasedKey {
    let leased = this.keys.get(key)
    if (leased !== undefined) {
      this.keys.delete(key)
    } else {
      leased = { tokens: 0, askedAtMs: -1, emptyUntilMs: 0 }
      if (this.keys.size >= this.keysMax) this.keys.delete(this.keys.keys().next().value!)
    }
    this.keys.set(key, leased)
    return leased
  }
}

/** Holds the buckets that workers lease from. Lives in the acceptor process. */
export class RateLimitOwner {
  private readonly limiters = new Map<
    string,
    { readonly config: RateLimitConfig; readonly limiter: LocalRateLimiter }
  >()

  /** Replaces the limits. Those that stay as they were keep their buckets. */
  reconfigure(limits: ReadonlyMap<string, RateLimitConfig>): void {
    for (const name of this.limiters.keys()) if (!limits.has(name)) this.limiters.delete(name)
    for (const [name, config] of limits) {
      const known = this.limiters.get(name)
      if (known !== undefined && sameLimit(known.config, config)) continue
      this.limiters.set(name, { config, limiter: new LocalRateLimiter(config) })
    }
  }

  /** Answers a worker. A limit that is no longer known grants everything: it was just taken away. */
  request(limiter: string, key: string, tokens: number, nowMs: number): RateLimitGrant {
    const known = this.limiters.get(limiter)
    if (known === undefined) return { limiter, key, tokens, retryAfterMs: 0 }
    const granted = known.limiter.takeSome(key, tokens, nowMs)
    return { limiter, key, tokens: granted, retryAfterMs: granted > 0 ? 0 : known.limiter.waitMs(key, nowMs) }
  }
}

/** Whether two limits count alike, so that buckets of one serve the other. */
export function sameLimit(a: RateLimitConfig, b: RateLimitConfig): boolean {
  const nameOf = ({ key }: RateLimitConfig) => (key.type === 'header' ? key.name : '')
  return (
    a.requestsPerSecond === b.requestsPerSecond &&
    a.burst === b.burst &&
    a.key.type === b.key.type &&
    nameOf(a) === nameOf(b)
  )
}
