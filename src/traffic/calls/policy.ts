/** When a call is sent again, and what an attempt came to. */
import type { AttemptResult, PickRefusal, UpstreamEndpoint } from '../upstream/index.ts'

export interface CallPolicy {
  /** Attempts in all, hedges counted: 1 or more; 1: never again. */
  readonly attemptsMax: number
  /** What may be sent again although the one before may have been applied. */
  readonly isIdempotent: boolean
  /**
   * No answer after so long: another attempt is made beside it, and the first answer wins. Idempotent calls only.
   * Undefined: never.
   */
  readonly hedgeAfterMs: number | undefined
  /** An attempt without an answer in this time has failed. Undefined: only the deadline ends it. */
  readonly perAttemptTimeoutMs: number | undefined
  /** By `Clock.monotonicMs`. Undefined: none. */
  readonly deadlineMs: number | undefined
  /** Requests with the same key go to the same endpoint, where the upstream hashes. */
  readonly key: string | undefined
  /** Whether a call waits (until its deadline) while no endpoint can take it, instead of failing at once. */
  readonly waitsForEndpoints: boolean
}

/** One attempt, no hedging, no deadline. */
export const callPolicyDefault: CallPolicy = {
  attemptsMax: 1,
  isIdempotent: false,
  hedgeAfterMs: undefined,
  perAttemptTimeoutMs: undefined,
  deadlineMs: undefined,
  key: undefined,
  waitsForEndpoints: false,
}

/** What an attempt function is given. */
export interface Attempt {
  readonly endpoint: UpstreamEndpoint
  /** 1 for the first. Hedges count. */
  readonly number: number
  readonly isHedge: boolean
  /** What is left of the deadline and the attempt's own time: to be sent along. Undefined: no limit. */
  readonly timeoutMs: number | undefined
  /** Fires when nobody waits for the answer any more: another won, the time is over, or the caller gave up. */
  readonly signal: AbortSignal
}

/**
 * What an attempt came to.
 *
 * - `answered`: this is the answer, good or bad; it is not sent again. `endpoint` is what it says of the endpoint.
 * - `failed`: there is no answer. `fate`: whether the request was certainly not applied (it was never sent, or the peer
 *   says that it did not process it) or may have been. `isRetryable`: another attempt may end better.
 */
export type AttemptOutcome<T> =
  | { readonly type: 'answered'; readonly value: T; readonly endpoint: 'success' | 'failure' }
  | {
      readonly type: 'failed'
      readonly error: unknown
      readonly fate: 'not-applied' | 'unknown'
      readonly endpoint: Exclude<AttemptResult, 'cancelled'>
      readonly isRetryable: boolean
    }

/** How a call ended. `attempts`: how many were made. */
export type CallOutcome<T> =
  | { readonly type: 'answered'; readonly value: T; readonly endpoint: UpstreamEndpoint; readonly attempts: number }
  /** The last attempt's error. `fate` is that of all attempts together. */
  | {
      readonly type: 'failed'
      readonly error: unknown
      readonly fate: 'not-applied' | 'unknown'
      readonly endpoint: UpstreamEndpoint
      readonly attempts: number
    }
  /** No endpoint could be asked at all. Nothing was applied. */
  | { readonly type: 'refused'; readonly refusal: PickRefusal; readonly attempts: 0 }
  | { readonly type: 'deadline-exceeded'; readonly fate: 'not-applied' | 'unknown'; readonly attempts: number }
  | { readonly type: 'cancelled'; readonly fate: 'not-applied' | 'unknown'; readonly attempts: number }

/**
 * Makes one attempt. Should resolve soon after `signal` fires; what it resolves with then is not looked at. A rejection
 * counts as a failure of unknown fate that is retryable.
 */
export type AttemptFunction<T> = (attempt: Attempt) => Promise<AttemptOutcome<T>>
