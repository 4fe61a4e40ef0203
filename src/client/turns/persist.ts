import type { CallOptions, ClientRuntime } from '../driver/index.ts'
import { SynodError, type SynodErrorCode } from '../errors.ts'
import { assertInTime, cancelledError, timeoutError } from '../limits.ts'
import { Backoff, pause } from '../watching/index.ts'

/** After this an attempt is given up and made again: its connection may be dead. */
const attemptTimeoutMs = 5_000
const totalTimeoutMsDefault = 30_000

/** How long to go on. */
export interface PersistOptions {
  readonly signal?: AbortSignal | undefined
  /** On the monotonic clock. Default: 30 s from now. `Infinity`: until the signal. */
  readonly deadlineMs?: number | undefined
}

/** One try. `isFirst` tells whether none before it can have left anything behind. */
export type Attempt<T> = (options: CallOptions, isFirst: boolean) => Promise<T>

const passing: ReadonlySet<SynodErrorCode> = new Set(['TIMEOUT', 'UNAVAILABLE', 'RESOURCE_EXHAUSTED'])

/**
 * Makes `attempt` until it is answered, with growing pauses. It must be one that applies at most once, however often it
 * is made: a read, or a write guarded by what it changes. What is refused for good is thrown at once; what is given up
 * after an attempt of unknown fate is thrown with `outcome: 'unknown'`.
 */
export async function persist<T>(outside: ClientRuntime, options: PersistOptions, attempt: Attempt<T>): Promise<T> {
  const { clock } = outside
  const { signal } = options
  const deadlineMs = options.deadlineMs ?? clock.monotonicMs() + totalTimeoutMsDefault
  const backoff = new Backoff(outside)
  let uncertain = false
  for (;;) {
    try {
      assertInTime(outside, { signal, deadlineMs })
      const attemptEndsMs = Math.min(deadlineMs, clock.monotonicMs() + attemptTimeoutMs)
      return await attempt({ signal, deadlineMs: attemptEndsMs }, !uncertain)
    } catch (error) {
      if (!(error instanceof SynodError)) throw error
      if (error.outcome === 'unknown') uncertain = true
      if (!passing.has(error.code)) throw told(error, uncertain)
      if (signal?.aborted === true) throw told(cancelledError(signal), uncertain)
      if (clock.monotonicMs() >= deadlineMs) throw told(error.code === 'TIMEOUT' ? error : timeoutError(), uncertain)
    }
    await pause(outside, backoff.next(), { signal, deadlineMs }).catch((error: SynodError) => {
      throw told(error, uncertain)
    })
  }
}

function told(error: SynodError, uncertain: boolean): SynodError {
  if (!uncertain || error.outcome === 'unknown') return error
  return new SynodError(error.code, `${error.message}; an attempt may have been applied`, {
    outcome: 'unknown',
    retryable: error.retryable,
    cause: error,
  })
}
