import { roomKey } from '../../context.ts'
import { SynodError } from '../../errors.ts'
import { callOptions } from '../../limits.ts'
import { cellRate, type RateLimit, type RateLimiter } from '../../rate-limits/index.ts'
import type { ValueContext } from './counter.ts'
import { onceScript } from './once.ts'

// The generic cell rate algorithm (ITU-T I.371, annex A), as in `rate-limits/cell-rate.ts`, on the server's clock. A
// stored moment further ahead than a whole bucket is from another limit, or from before the clock was set back.
// KEYS[3] when the bucket is full again; ARGV[3] spacing, burst, n: times in microseconds
const takeScript = onceScript(
  'the rate limit script',
  `local spacing, n = tonumber(ARGV[3]), tonumber(ARGV[5])
local depth = tonumber(ARGV[4]) * spacing
local from = math.max(micros, math.min(number_at(KEYS[3], 0), micros + depth))
local full_at = from + n * spacing
local wait = full_at - depth - micros
if wait > 0 then
  result = '0 ' .. whole(math.max(0, math.floor((micros + depth - from) / spacing))) .. ' ' .. whole(wait)
else
  redis.call('SET', KEYS[3], whole(full_at), 'PX', whole(math.ceil((full_at - micros) / 1000)))
  result = '1 ' .. whole(math.floor((micros + depth - full_at) / spacing)) .. ' 0'
end`,
)

/** A limit that all processes share, by the one clock of the server; its key expires when the bucket is full. */
export function createRedisRateLimiter(context: ValueContext, name: string, limit: RateLimit): RateLimiter {
  const key = roomKey(context.rooms, 'rate-limits', name)
  const { spacingMicros, burst } = cellRate(limit)
  const { tracing, once, connection } = context
  const attributes = { 'synod.name': name }
  return {
    name,
    async take(n = 1, limits) {
      if (!Number.isSafeInteger(n) || n < 1 || n > burst)
        throw new SynodError('INVALID_ARGUMENT', `n is ${n}; a take is of 1 to ${burst} permits, the burst`)
      return tracing.span('rate_limiter.take', attributes, async () => {
        const options = callOptions(context, limits)
        const result = await once.run(takeScript, [key], [spacingMicros, burst, n], options, limit.session)
        const [allowed, remaining, waitMicros] = result.split(' ').map(Number)
        return { allowed: allowed === 1, remaining: remaining!, retryAfterMs: Math.ceil(waitMicros! / 1000) }
      })
    },
    reset: (limits) =>
      tracing.span('rate_limiter.reset', attributes, () => connection.delete(key, callOptions(context, limits))),
  }
}
