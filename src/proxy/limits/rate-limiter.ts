/**
 * A rate limit for each client: a token bucket a key (`requestsPerSecond` flow in, at most `burst` lie in it, a request
 * takes one). Called once a request by the exchange.
 *
 * - L1  At most `keysMax` buckets; past it the one that was used longest ago is forgotten. A forgotten client starts with
 *       a full bucket, so an attacker with more than `keysMax` addresses gets `burst` for each, which it would anyway.
 * - L2  In any time t a key gets at most `requestsPerSecond * t + burst` requests from one limiter.
 */
import type { RateLimitConfig } from '../config/index.ts'

/** Decides on requests. */
export interface RateLimiter {
  /** Takes a token of `key`: 0 when there was one, else the milliseconds until there may be. */
  take(key: string, nowMs: number): number
}

export const rateLimitKeysMax = 65_536

/** A bucket, in a list from the most to the least recently used. */
export interface Bucket {
  readonly key: string
  /** As of `atMs`. Below 0: owed. */
  tokens: number
  atMs: number
  newer: Bucket | undefined
  older: Bucket | undefined
}

/** Buckets by key, bounded by forgetting the least recently used. */
export class BucketTable {
  private readonly byKey = new Map<string, Bucket>()
  private readonly keysMax: number
  private newest: Bucket | undefined
  private oldest: Bucket | undefined

  constructor(keysMax: number) {
    this.keysMax = keysMax
  }

  get size(): number {
    return this.byKey.size
  }

  /** The bucket of `key`, now the most recently used; a new one holds `tokens`. */
  use(key: string, tokens: number, nowMs: number): Bucket {
    let bucket = this.byKey.get(key)
    if (bucket === undefined) {
      if (this.byKey.size >= this.keysMax) this.forget(this.oldest!)
      bucket = { key, tokens, atMs: nowMs, newer: undefined, older: undefined }
      this.byKey.set(key, bucket)
    } else if (bucket === this.newest) {
      return bucket
    } else {
      this.unlink(bucket)
    }
    bucket.older = this.newest
    if (this.newest !== undefined) this.newest.newer = bucket
    this.newest = bucket
    this.oldest ??= bucket
    return bucket
  }

  find(key: string): Bucket | undefined {
    return this.byKey.get(key)
  }

  private forget(bucket: Bucket): void {
    this.unlink(bucket)
    this.byKey.delete(bucket.key)
  }

  private unlink(bucket: Bucket): void {
    if (bucket.newer === undefined) this.newest = bucket.older
    else bucket.newer.older = bucket.older
    if (bucket.older === undefined) this.oldest = bucket.newer
    else bucket.older.newer = bucket.newer
    bucket.newer = undefined
    bucket.older = undefined
  }
}

/** The limiter of a single worker, and what the owner of shared limits counts with. */
export class LocalRateLimiter implements RateLimiter {
  private readonly buckets: BucketTable
  private readonly perMs: number
  private readonly burst: number

  constructor(config: Pick<RateLimitConfig, 'requestsPerSecond' | 'burst'>, keysMax = rateLimitKeysMax) {
    this.buckets = new BucketTable(keysMax)
    this.perMs = config.requestsPerSecond / 1_000
    // Without room for one token no request would ever pass.
    this.burst = Math.max(1, config.burst)
  }

  take(key: string, nowMs: number): number {
    const bucket = this.refilled(key, nowMs)
    if (bucket.tokens >= 1) {
      bucket.tokens -= 1
      return 0
    }
    return (1 - bucket.tokens) / this.perMs
  }

  /** Takes `tokens` that were spent already: the bucket may owe some afterwards. */
  charge(key: string, tokens: number, nowMs: number): void {
    this.refilled(key, nowMs).tokens -= tokens
  }

  /** Takes up to `tokens` whole ones; how many it got. */
  takeSome(key: string, tokens: number, nowMs: number): number {
    const bucket = this.refilled(key, nowMs)
    const granted = Math.max(0, Math.min(Math.floor(bucket.tokens), tokens))
    bucket.tokens -= granted
    return granted
  }

  /** Milliseconds until `key` has a token. */
  waitMs(key: string, nowMs: number): number {
    const bucket = this.refilled(key, nowMs)
    return bucket.tokens >= 1 ? 0 : (1 - bucket.tokens) / this.perMs
  }

  get keys(): number {
    return this.buckets.size
  }

  private refilled(key: string, nowMs: number): Bucket {
    const bucket = this.buckets.use(key, this.burst, nowMs)
    const elapsedMs = nowMs - bucket.atMs
    if (elapsedMs > 0) {
      bucket.tokens = Math.min(this.burst, bucket.tokens + elapsedMs * this.perMs)
      bucket.atMs = nowMs
    }
    return bucket
  }
}
