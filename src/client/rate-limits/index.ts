export type { CellRate } from './cell-rate.ts'
export { cellRate, createRateLimiter, type RateLimit, type RateLimiter, type TakeResult } from './rate-limiter.ts'
