import { roomKey } from '../../context.ts'
import { assertInteger, type Counter, type CounterBounds, decodeCounterValue } from '../../counters/index.ts'
import { SynodError } from '../../errors.ts'
import { type CallLimits, callOptions } from '../../limits.ts'
import type { Tracing } from '../../tracing.ts'
import type { RedisConnection } from './connection.ts'
import { type OnceRunner, onceScript } from './once.ts'
import type { Rooms } from './rooms.ts'
import type { ScriptArgument } from './script.ts'

/** What counters, limiters and ids are made with. */
export interface ValueContext {
  readonly connection: RedisConnection
  readonly rooms: Rooms
  readonly once: OnceRunner
  readonly tracing: Tracing
  /** For {@link callOptions}. */
  readonly driver: { readonly outside: RedisConnection['outside'] }
}

const largest = Number.MAX_SAFE_INTEGER

// KEYS[3] counter; ARGV[3] `add` or `set`, n, min, max
const counterScript = onceScript(
  'the counter script',
  `local text = redis.call('GET', KEYS[3]) or '0'
local value = string.match(text, '^-?%d+$') and tonumber(text)
if not value or math.abs(value) > ${largest} then error('CORRUPT ' .. KEYS[3] .. ' holds no safe integer') end
local after = tonumber(ARGV[4])
if ARGV[3] == 'add' then after = value + after end
if after < tonumber(ARGV[5]) or after > tonumber(ARGV[6]) then
  result = 'refused ' .. whole(value)
else
  redis.call('SET', KEYS[3], whole(after))
  result = 'applied ' .. whole(after)
end`,
)

/** One number for all. Each operation is one round trip, and applied once however often it is sent. */
export class RedisCounter implements Counter {
  readonly name: string
  private readonly context: ValueContext
  private readonly key: string

  constructor(context: ValueContext, name: string) {
    this.name = name
    this.context = context
    this.key = roomKey(context.rooms, 'counters', name)
  }

  get(limits?: CallLimits): Promise<number> {
    return this.context.tracing.span('counter.get', { 'synod.name': this.name }, async () => {
      const bytes = await this.context.connection.get(this.key, callOptions(this.context, limits))
      return decodeCounterValue(this.name, bytes)
    })
  }

  increment(limits?: CallLimits): Promise<number> {
    return this.add(1, limits)
  }

  async add(n: number, limits?: CallLimits): Promise<number> {
    assertInteger('n', n)
    const { applied, value } = await this.update('counter.add', ['add', n, -largest, largest], limits)
    if (applied) return value
    throw new SynodError(
      'TOO_LARGE',
      `the counter "${this.name}" is at ${value}; adding ${n} would take it past 2^53 - 1`,
    )
  }

  async addIf(n: number, bounds: CounterBounds, limits?: CallLimits): Promise<{ applied: boolean; value: number }> {
    const { min = -largest, max = largest } = bounds
    assertInteger('n', n)
    assertInteger('min', min)
    assertInteger('max', max)
    if (min > max) throw new SynodError('INVALID_ARGUMENT', `min is ${min} and max is ${max}: no value is within`)
    return this.update('counter.add_if', ['add', n, min, max], limits)
  }

  async set(value: number, limits?: CallLimits): Promise<void> {
    assertInteger('value', value)
    await this.update('counter.set', ['set', value, -largest, largest], limits)
  }

  private update(
    span: string,
    args: readonly ScriptArgument[],
    limits: CallLimits | undefined,
  ): Promise<{ applied: boolean; value: number }> {
    const { tracing, once } = this.context
    return tracing.span(span, { 'synod.name': this.name }, async () => {
      const result = await once.run(counterScript, [this.key], args, callOptions(this.context, limits))
      const [verdict, value] = result.split(' ')
      return { applied: verdict === 'applied', value: Number(value) }
    })
  }
}
