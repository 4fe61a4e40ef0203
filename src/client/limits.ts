/** How long a call may take and what cancels it: the last parameter of every call of the API. */
import type { CallOptions, ClientRuntime, Driver } from './driver/index.ts'
import { SynodError } from './errors.ts'

/** The limits of one call. */
export interface CallLimits {
  /** Ends the call with `CANCELLED`. A write that was under way then has `outcome: 'unknown'`. */
  readonly signal?: AbortSignal | undefined
  /** Ends the call with `TIMEOUT`, in milliseconds from now, more than 0. Default: the connection's request time-out. */
  readonly timeoutMs?: number | undefined
}

/** What a driver takes, of what a program says. Throws `INVALID_ARGUMENT` for a time that is none. */
export function callOptions(
  at: Pick<Driver, 'outside'> | { readonly driver: Pick<Driver, 'outside'> },
  limits: CallLimits = {},
): CallOptions {
  const { signal, timeoutMs } = limits
  if (timeoutMs === undefined) return { signal }
  if (!(timeoutMs > 0 && Number.isFinite(timeoutMs)))
    throw new SynodError('INVALID_ARGUMENT', `timeoutMs is ${timeoutMs}; it must be a number of milliseconds above 0`)
  const driver = 'driver' in at ? at.driver : at
  return { signal, deadlineMs: driver.outside.clock.monotonicMs() + timeoutMs }
}

/** The error of a wait whose `signal` fired. */
export function cancelledError(signal: AbortSignal): SynodError {
  return new SynodError('CANCELLED', 'the wait was cancelled by its signal', { cause: signal.reason })
}

/** The error of a wait whose deadline passed. */
export function timeoutError(): SynodError {
  return new SynodError(
    'TIMEOUT',
    'what was waited for did not happen in time; wait longer, or look whether it ever can',
  )
}

/** Throws `CANCELLED` or `TIMEOUT` when these options say that it is over. */
export function assertInTime(outside: Pick<ClientRuntime, 'clock'>, { signal, deadlineMs }: CallOptions): void {
  if (signal?.aborted === true) throw cancelledError(signal)
  if (deadlineMs !== undefined && outside.clock.monotonicMs() >= deadlineMs) throw timeoutError()
}
