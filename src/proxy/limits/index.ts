export { LocalRateLimiter, type RateLimiter, rateLimitKeysMax } from './rate-limiter.ts'
export { limiterName, RateLimits, rateLimitsOf } from './rate-limits.ts'
export {
  leaseBatch,
  type RateLimitGrant,
  type RateLimitLease,
  RateLimitOwner,
  type RateLimitShare,
  SharedRateLimiter,
} from './shared-rate-limiter.ts'
