export { createRateLimiter, type RateLimit, type RateLimiter, type TakeResult } from './rate-limiter.ts'
