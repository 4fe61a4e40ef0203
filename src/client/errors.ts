/**
 * What is thrown at the public boundary of the client: one class, told apart by `code`.
 *
 * `outcome` answers the question that matters after a failed write: `not-applied` means that it certainly did not
 * happen and never will; `unknown` that it may have happened, or may yet. A time-out is never told as a failure.
 */

/** Why a call failed. Match on this, never on the message. */
export type SynodErrorCode =
  // What the program asked for cannot be.
  | 'INVALID_ARGUMENT'
  | 'NOT_SUPPORTED'
  | 'VALIDATION_FAILED'
  | 'TOO_LARGE'
  // What it asked for is not so (any more).
  | 'CONFLICT'
  | 'ALREADY_EXISTS'
  | 'NOT_FOUND'
  | 'COMPACTED'
  | 'FUTURE_REVISION'
  | 'FENCED'
  | 'LOCK_LOST'
  | 'SESSION_LOST'
  | 'LEASE_NOT_FOUND'
  | 'NOT_LEADER'
  // Time, or the caller's wish.
  | 'TIMEOUT'
  | 'CANCELLED'
  | 'CLOSED'
  // The engine.
  | 'UNAVAILABLE'
  | 'RESOURCE_EXHAUSTED'
  | 'NO_SPACE'
  | 'UNAUTHENTICATED'
  | 'PERMISSION_DENIED'
  | 'CORRUPT'
  | 'ENGINE_FAILED'
  | 'PROTOCOL_ERROR'

/** Whether a failed call certainly changed nothing, or may have. A failed read is always `not-applied`. */
export type Outcome = 'not-applied' | 'unknown'

/** What a `SynodError` says beside its code and message. */
export interface SynodErrorDetails {
  /** Default `not-applied`. */
  readonly outcome?: Outcome
  /** Whether the same call may succeed later. Default: by the code. */
  readonly retryable?: boolean
  readonly cause?: unknown
}

const retryableCodes: ReadonlySet<SynodErrorCode> = new Set([
  'CONFLICT',
  'TIMEOUT',
  'UNAVAILABLE',
  'RESOURCE_EXHAUSTED',
])

/** The one error of the client API. */
export class SynodError extends Error {
  override readonly name = 'SynodError'
  readonly code: SynodErrorCode
  /** Whether the same call may succeed when it is made again. Look at `outcome` first: it may also apply twice. */
  readonly retryable: boolean
  readonly outcome: Outcome

  /** `message` says what happened, why, and what to do. */
  constructor(code: SynodErrorCode, message: string, details: SynodErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.code = code
    this.outcome = details.outcome ?? 'not-applied'
    this.retryable = details.retryable ?? retryableCodes.has(code)
  }
}
