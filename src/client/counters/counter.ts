import { type PlaneContext, roomKey } from '../context.ts'
import { SynodError } from '../errors.ts'
import { type CallLimits, callOptions } from '../limits.ts'
import { type Step, updateOnce } from '../once/index.ts'
import type { Session } from '../sessions/index.ts'
import { assertInteger, decodeCounterValue, encodeCounterValue, sumOf } from './counter-value.ts'

/** What may be said of a counter when it is made. */
export interface CounterOptions {
  /** Under which operations are told apart from their retries. Default: the shared session, anew after a loss. */
  readonly session?: Session | undefined
}

/** Both ends belong to it. */
export interface CounterBounds {
  readonly min?: number | undefined
  readonly max?: number | undefined
}

/**
 * One number for all, exact: every operation that resolves was applied once, whatever was lost, cut or sent again on the
 * way, and each gets a value that the counter had right after it. Values are integers from -(2^53 - 1) to 2^53 - 1; a
 * counter that nobody has written is 0.
 *
 * Operations are linearizable and durable when they resolve. Those that a process asks for in one turn of its event loop
 * share one write, so a thousand increments at once cost about as much as one; those of many processes on one counter
 * take turns, and retry among themselves. For more than some hundred writes a second from many processes see the sharded
 * counter.
 *
 * A rejection with `outcome: 'unknown'` says that the operation may have been applied, or may yet be: its time was up,
 * its signal fired, or its session ended while it was under way. Everything else certainly was not applied. Without
 * `timeoutMs` a write waits 10 s.
 *
 * The value is at the key `synod/counters/NAME`, as decimal text.
 */
export interface Counter {
  readonly name: string
  /** The value now. Rejects with `CORRUPT` when others wrote something else there. */
  get(limits?: CallLimits): Promise<number>
  /** Adds 1. Resolves with the value after. */
  increment(limits?: CallLimits): Promise<number>
  /**
   * Adds `n`, which may be negative. Resolves with the value after. `TOO_LARGE` when that is no safe integer.
   *
   * @example
   * const left = await synod.counter('stock/42').add(-1)
   */
  add(n: number, limits?: CallLimits): Promise<number>
  /**
   * Adds `n` if the value after it is within the bounds; otherwise changes nothing. `value` is the value after, or, when
   * not applied, the value that forbade it.
   *
   * @example
   * const { applied } = await synod.counter('stock/42').addIf(-1, { min: 0 })
   * if (!applied) throw new Error('sold out')
   */
  addIf(n: number, bounds: CounterBounds, limits?: CallLimits): Promise<{ applied: boolean; value: number }>
  /** Sets it, whatever it was. */
  set(value: number, limits?: CallLimits): Promise<void>
}

/** See {@link Counter}. */
export function createCounter(context: PlaneContext, name: string, options: CounterOptions = {}): Counter {
  return new PlaneCounter(context, name, options.session)
}

class PlaneCounter implements Counter {
  readonly name: string
  private readonly context: PlaneContext
  private readonly session: Session | undefined
  private readonly key: string

  constructor(context: PlaneContext, name: string, session: Session | undefined) {
    this.name = name
    this.context = context
    this.session = session
    this.key = roomKey(context, 'counters', name)
  }

  async get(limits?: CallLimits): Promise<number> {
    return this.context.tracing.span('counter.get', { 'synod.name': this.name }, async () => {
      const { entry } = await this.context.driver.get(this.key, callOptions(this.context, limits))
      return decodeCounterValue(this.name, entry?.value)
    })
  }

  increment(limits?: CallLimits): Promise<number> {
    return this.add(1, limits)
  }

  async add(n: number, limits?: CallLimits): Promise<number> {
    assertInteger('n', n)
    return this.update('counter.add', limits, (value) => step(sumOf(this.name, value, n)))
  }

  async addIf(n: number, bounds: CounterBounds, limits?: CallLimits): Promise<{ applied: boolean; value: number }> {
    const { min = -Number.MAX_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER } = bounds
    assertInteger('n', n)
    assertInteger('min', min)
    assertInteger('max', max)
    if (min > max) throw new SynodError('INVALID_ARGUMENT', `min is ${min} and max is ${max}: no value is within`)
    return this.update<{ applied: boolean; value: number }>('counter.add_if', limits, (value) => {
      const sum = value + n
      if (sum < min || sum > max) return { result: { applied: false, value } }
      return { value: encodeCounterValue(sum), result: { applied: true, value: sum === 0 ? 0 : sum } }
    })
  }

  async set(value: number, limits?: CallLimits): Promise<void> {
    assertInteger('value', value)
    await this.update('counter.set', limits, () => step(value))
  }

  private update<T>(spanName: string, limits: CallLimits | undefined, next: (value: number) => Step<T>): Promise<T> {
    return this.context.tracing.span(spanName, { 'synod.name': this.name }, () =>
      updateOnce(this.context, this.session, this.key, (bytes) => next(decodeCounterValue(this.name, bytes)), limits),
    )
  }
}

function step(value: number): Step<number> {
  return { value: encodeCounterValue(value), result: value }
}
