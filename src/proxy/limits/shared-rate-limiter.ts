/**
 * One limit over several workers. The acceptor process owns the buckets ({@link RateLimitOwner}); a worker leases tokens
 * in batches ({@link RateLimitShare}) and spends them without asking.
 *
 * A request cannot wait for the owner's answer, so a worker lends itself what it needs and tells the owner, whose bucket
 * goes into debt for it. A client that comes to one worker with all of its burst in one moment gets all of it.
 *
 * - S1  In any time t a key gets at most `requestsPerSecond * t + burst + workers * (burst + batch)` requests: what the
 *       owner granted, what each worker lent before the owner could answer, and what each still holds of its last lease.
 *       Debts are paid back: over a long time a key gets its rate, however many workers it comes to.
 * - S2  At most one lease a key and worker is asked for at a time.
 * - S3  While the owner says that a key has no tokens, its requests are refused without asking again. After that, and
 *       until the bucket may be full again, a worker lends no more than a batch.
 * - S4  An answer that never comes (the owner died) is given up after `leaseTimeoutMs`. Without an owner a worker lets a
 *       batch pass each `leaseTimeoutMs`: limited, but not exact.
 */
import type { RateLimitConfig } from '../config/index.ts'
import { LocalRateLimiter, type RateLimiter, rateLimitKeysMax } from './rate-limiter.ts'

/** A worker's way to the owner. The answer comes back by {@link SharedRateLimiter.grant}, in any later turn. */
export interface RateLimitShare {
  request(lease: RateLimitLease): void
}

export interface RateLimitLease {
  readonly limiter: string
  readonly key: string
  /** Passed on loan since the last lease. */
  readonly spent: number
  /** To pass from now on; 0: the worker only tells what it spent. */
  readonly wanted: number
}

/** The owner's answer to one request of a share. */
export interface RateLimitGrant {
  readonly limiter: string
  readonly key: string
  /** 0 up to what was wanted. */
  readonly tokens: number
  /** Above 0: there is nothing left, and after this time there may be. */
  readonly retryAfterMs: number
}

const leaseTimeoutMs = 1_000

interface LeasedKey {
  tokens: number
  /** Passed on loan, and not yet told in a lease that was answered. */
  lent: number
  /** Of `lent`, what the lease that is asked for told. */
  told: number
  /** Lease asked for at this time and not answered; negative: none. */
  askedAtMs: number
  /** Refused until then. */
  emptyUntilMs: number
  /** Until then the bucket cannot be full again, or its owner is silent. */
  tightUntilMs: number
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
  private readonly burst: number
  /** In which an empty bucket is full again. */
  private readonly refillMs: number
  private readonly keysMax: number
  /** In the order of their last use: a key that is used is deleted and set again. */
  private readonly keys = new Map<string, LeasedKey>()

  constructor(name: string, config: RateLimitConfig, share: RateLimitShare, keysMax = rateLimitKeysMax) {
    this.name = name
    this.share = share
    this.batch = leaseBatch(config)
    this.burst = Math.max(1, Math.floor(config.burst))
    this.refillMs = (this.burst / config.requestsPerSecond) * 1_000
    this.keysMax = keysMax
  }

  take(key: string, nowMs: number): number {
    const leased = this.use(key)
    if (leased.emptyUntilMs > nowMs) return leased.emptyUntilMs - nowMs
    if (leased.askedAtMs >= 0 && nowMs - leased.askedAtMs >= leaseTimeoutMs) {
      leased.askedAtMs = -1
      leased.lent = 0
      leased.tightUntilMs = nowMs + leaseTimeoutMs
    }
    let passes = true
    if (leased.tokens > 0) leased.tokens--
    else if (leased.lent < (leased.tightUntilMs > nowMs ? this.batch : this.burst)) leased.lent++
    else passes = false
    if (leased.tokens === 0 && leased.askedAtMs < 0) this.ask(key, leased, nowMs)
    // The loan is used up: requests pass again when the owner's answer is here, usually within milliseconds.
    return passes ? 0 : leaseTimeoutMs
  }

  /** The owner's answer. One for a key that was forgotten meanwhile is lost: the client gets a little less. */
  grant(answer: RateLimitGrant, nowMs: number): void {
    const leased = this.keys.get(answer.key)
    // One that was given up, and comes all the same, was for a loan that is forgotten.
    if (leased === undefined || leased.askedAtMs < 0) return
    leased.askedAtMs = -1
    leased.tokens += answer.tokens
    leased.lent -= leased.told
    if (answer.retryAfterMs > 0) {
      leased.emptyUntilMs = nowMs + answer.retryAfterMs
      leased.tightUntilMs = leased.emptyUntilMs + this.refillMs
    }
    // Told at once, so that a client that is silent from now on owes nothing when it comes back.
    if (leased.lent > 0) this.ask(answer.key, leased, nowMs)
  }

  private ask(key: string, leased: LeasedKey, nowMs: number): void {
    leased.askedAtMs = nowMs
    leased.told = leased.lent
    const wanted = leased.tokens === 0 && leased.emptyUntilMs <= nowMs ? this.batch : 0
    this.share.request({ limiter: this.name, key, spent: leased.lent, wanted })
  }

  private use(key: string): LeasedKey {
    let leased = this.keys.get(key)
    if (leased !== undefined) {
      this.keys.delete(key)
    } else {
      leased = { tokens: 0, lent: 0, told: 0, askedAtMs: -1, emptyUntilMs: 0, tightUntilMs: 0 }
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
  request({ limiter, key, spent, wanted }: RateLimitLease, nowMs: number): RateLimitGrant {
    const known = this.limiters.get(limiter)
    if (known === undefined) return { limiter, key, tokens: wanted, retryAfterMs: 0 }
    known.limiter.charge(key, spent, nowMs)
    const tokens = known.limiter.takeSome(key, wanted, nowMs)
    return { limiter, key, tokens, retryAfterMs: tokens > 0 ? 0 : known.limiter.waitMs(key, nowMs) }
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
