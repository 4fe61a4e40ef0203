/** The errors with which an operation under the once rule ends. */
import { SynodError } from '../errors.ts'
import type { Session } from '../sessions/index.ts'

/** The session ended first. */
export function sessionLostError(
  session: Session,
  uncertain: boolean,
  cause: unknown = session.signal.reason,
): SynodError {
  const message = uncertain
    ? 'the session ended before it could be told whether this was applied, and its marker with it; look at the value'
    : 'the session ended before this was applied; call again with a new session'
  return new SynodError('SESSION_LOST', message, { outcome: uncertain ? 'unknown' : 'not-applied', cause })
}

/** The marker that would have told was deleted while the session lives: by another's hand, or just before its end. */
export function markerGoneError(): SynodError {
  return new SynodError(
    'SESSION_LOST',
    'the marker that tells whether this was applied is gone: the session ended, or somebody deleted it; look at the value',
    { outcome: 'unknown' },
  )
}

/** The same error for an operation that may have been applied, or may yet be. */
export function unsettledError(error: SynodError): SynodError {
  if (error.outcome === 'unknown') return error
  return new SynodError(error.code, `${error.message} (it may have been applied, or may yet be)`, {
    outcome: 'unknown',
    retryable: error.retryable,
    cause: error,
  })
}

/** Its time was up. */
export function expiredError(): SynodError {
  return new SynodError(
    'TIMEOUT',
    'this was not settled in time: the engine did not answer, or too many others wrote the same key; allow more time',
  )
}
