import { type PlaneContext, roomKey } from '../context.ts'
import { SynodError } from '../errors.ts'
import { type CallLimits, callOptions } from '../limits.ts'
import { updateOnce } from '../once/index.ts'
import type { Session } from '../sessions/index.ts'
import { type CellRate, decide, decodeFullAt, encodeFullAt } from './cell-rate.ts'

/** How much a rate limiter allows: a token bucket that fills evenly. */
export interface RateLimit {
  /** Permits in each interval, at least 1, and at most 100 a millisecond. */
  readonly limit: number
  /** In milliseconds, above 0. */
  readonly intervalMs: number
  /** Permits that can be taken at once after a quiet time, at least 1. Default: `limit`. */
  readonly burst?: number | undefined
  /** As for a counter. */
  readonly session?: Session | undefined
}

/** Whether permits were given, and when to ask again where not. */
export interface TakeResult {
  readonly allowed: boolean
  /** How many could be taken right after this. */
  readonly remaining: number
  /** When as many as were asked for could be allowed, if nobody else takes any; 0 when allowed. */
  readonly retryAfterMs: number
}

/**
 * A limit that all processes share (the generic cell rate algorithm: a bucket that fills evenly). Every decision is made
 * on the state that all see, and counted once however often its write was sent again; takes of one turn of the event
 * loop share one write.
 *
 * Time is each client's wall clock. If clocks differ by at most `d`, then in any `t` milliseconds at most
 * `burst + (t + d) * limit / intervalMs` permits are given; who is behind by `d` finds the bucket emptier by as much.
 * Keep `d` below 10 s: a stored time further ahead than any limit explains is taken for an empty bucket.
 *
 * A rejection with `outcome: 'unknown'` says that the permits may have been taken; count them as taken. Programs that
 * share a name must agree on the limit; each decides by its own. The state is one key, `synod/rate-limits/NAME`, which
 * stays until `reset`.
 */
export interface RateLimiter {
  readonly name: string
  /**
   * Takes `n` permits (default 1, at most the burst), or none.
   *
   * @example
   * const { allowed, retryAfterMs } = await synod.rateLimiter('mail', { limit: 100, intervalMs: 60_000 }).take()
   */
  take(n?: number, limits?: CallLimits): Promise<TakeResult>
  /** Fills the bucket by removing the key. */
  reset(limits?: CallLimits): Promise<void>
}

const permitsPerMsMax = 100

/** See {@link RateLimiter}. */
export function createRateLimiter(context: PlaneContext, name: string, limit: RateLimit): RateLimiter {
  const key = roomKey(context, 'rate-limits', name)
  const rate = cellRate(limit)
  const { clock } = context.driver.outside
  return {
    name,
    async take(n = 1, limits) {
      if (!Number.isSafeInteger(n) || n < 1 || n > rate.burst)
        throw new SynodError('INVALID_ARGUMENT', `n is ${n}; a take is of 1 to ${rate.burst} permits, the burst`)
      const apply = (bytes: Uint8Array | undefined) => {
        const { allowed, fullAtMicros, remaining, waitMicros } = decide(
          rate,
          decodeFullAt(name, bytes),
          Math.floor(clock.wallMs() * 1000),
          n,
        )
        const result: TakeResult = { allowed, remaining, retryAfterMs: Math.ceil(waitMicros / 1000) }
        return allowed ? { value: encodeFullAt(fullAtMicros), result } : { result }
      }
      return context.tracing.span('rate_limiter.take', { 'synod.name': name }, () =>
        updateOnce(context, limit.session, key, apply, limits),
      )
    },
    async reset(limits) {
      const remove = { compares: [], success: [{ type: 'delete', key } as const] }
      await context.tracing.span('rate_limiter.reset', { 'synod.name': name }, () =>
        context.driver.transact(remove, callOptions(context, limits)),
      )
    },
  }
}

/** What a limit says, checked. Throws `INVALID_ARGUMENT`. */
export function cellRate({ limit, intervalMs, burst = limit }: RateLimit): CellRate {
  const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 1
  if (!isCount(limit)) throw new SynodError('INVALID_ARGUMENT', `limit is ${limit}; it must be a whole number above 0`)
  if (!isCount(burst)) throw new SynodError('INVALID_ARGUMENT', `burst is ${burst}; it must be a whole number above 0`)
  if (!(intervalMs > 0 && Number.isFinite(intervalMs)))
    throw new SynodError('INVALID_ARGUMENT', `intervalMs is ${intervalMs}; it must be a number above 0`)
  if (limit / intervalMs > permitsPerMsMax)
    throw new SynodError('INVALID_ARGUMENT', `at most ${permitsPerMsMax} permits a millisecond can be told apart`)
  const spacingMicros = Math.ceil((intervalMs * 1000) / limit)
  if (!Number.isSafeInteger(burst * spacingMicros * 2))
    throw new SynodError('INVALID_ARGUMENT', `a burst of ${burst} at this rate is longer than times can tell`)
  return { spacingMicros, burst }
}
