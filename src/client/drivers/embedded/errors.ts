/** The one table from what the engine refuses to what the client's callers are told. */
import type { EngineErrorCode, Failure } from '../../../engine/coordination/index.ts'
import { DataDirectoryError } from '../../../node/index.ts'
import { DiskError } from '../../../runtime/index.ts'
import { SynodError, type SynodErrorCode } from '../../errors.ts'

const table: Readonly<Record<EngineErrorCode, readonly [SynodErrorCode, string]>> = {
  MALFORMED_REQUEST: ['PROTOCOL_ERROR', 'the engine could not read the request; this is a bug, report it'],
  EMPTY_KEY: ['INVALID_ARGUMENT', 'a key is empty: give it at least one byte'],
  EMPTY_OPERATION: ['INVALID_ARGUMENT', 'an operation of the transaction is empty'],
  VALUE_PROVIDED: ['INVALID_ARGUMENT', 'a value is given to a put that keeps the value'],
  LEASE_PROVIDED: ['INVALID_ARGUMENT', 'a lease is given to a put that keeps the lease'],
  TOO_MANY_OPERATIONS: ['TOO_LARGE', 'the transaction has too many operations: split it'],
  DUPLICATE_KEY: ['INVALID_ARGUMENT', 'the transaction writes a key twice: write each key once'],
  INVALID_SORT_OPTION: ['INVALID_ARGUMENT', 'the order asked for does not exist'],
  REQUEST_TOO_LARGE: ['TOO_LARGE', 'the request is larger than the engine takes: split it, or raise the limit'],
  KEY_NOT_FOUND: ['NOT_FOUND', 'the key is not there'],
  COMPACTED: ['COMPACTED', 'the revision asked for was compacted away: read a later one'],
  FUTURE_REVISION: ['FUTURE_REVISION', 'the revision asked for does not exist yet'],
  NO_SPACE: [
    'NO_SPACE',
    'the engine reached its quota and takes no writes that add: delete, compact, and disarm the alarm',
  ],
  CORRUPT: ['CORRUPT', 'the engine found its data damaged and takes no more requests: restore it'],
  LEASE_NOT_FOUND: ['LEASE_NOT_FOUND', 'there is no such lease: it ended, or was revoked'],
  LEASE_EXISTS: ['ALREADY_EXISTS', 'a lease of that id exists already'],
  LEASE_TTL_TOO_LARGE: ['INVALID_ARGUMENT', 'the time to live is longer than any lease may be'],
  NO_LEADER: ['UNAVAILABLE', 'the cluster has no leader now: try again'],
  LEADER_CHANGED: ['UNAVAILABLE', 'the leader changed: try again'],
  TIMEOUT: ['TIMEOUT', 'the engine did not answer in time'],
  TOO_MANY_REQUESTS: ['RESOURCE_EXHAUSTED', 'too many requests wait for the engine: slow down'],
  DISK_FULL: ['NO_SPACE', 'the disk of the engine is full: make room, then try again'],
  STOPPED: ['UNAVAILABLE', 'the node was stopped'],
  UNHEALTHY: ['UNAVAILABLE', 'the cluster is not healthy now'],
  UNKNOWN_COMMAND: ['NOT_SUPPORTED', 'a node of the cluster does not know the command'],
  LEARNER_NOT_READY: ['UNAVAILABLE', 'the member has not caught up'],
  MEMBER_BAD_URLS: ['INVALID_ARGUMENT', 'the URLs of the member cannot be used'],
  MEMBER_NOT_FOUND: ['NOT_FOUND', 'there is no such member'],
  MEMBER_EXISTS: ['ALREADY_EXISTS', 'the member exists already'],
  PEER_URL_EXISTS: ['ALREADY_EXISTS', 'a member has that URL already'],
  MEMBER_NOT_LEARNER: ['CONFLICT', 'the member is no learner'],
  TOO_MANY_LEARNERS: ['CONFLICT', 'the cluster has as many learners as it may'],
  NOT_ENOUGH_STARTED: ['CONFLICT', 'too few members would be left running'],
}

export function errorOf({ code, outcome }: Failure): SynodError {
  const [synodCode, message] = table[code]
  const fate = outcome === 'unknown' ? '; whether it was carried out is not known: read before you repeat it' : ''
  return new SynodError(synodCode, `${message}${fate}`, { outcome })
}

/** Refusals that another attempt, perhaps at another node, may not meet. */
export function isPassing({ code }: Failure): boolean {
  return code === 'NO_LEADER' || code === 'LEADER_CHANGED' || code === 'STOPPED' || code === 'TIMEOUT'
}

/** The engine gave up by itself. */
export function engineFailed(cause: unknown, outcome: 'not-applied' | 'unknown'): SynodError {
  const why = cause instanceof Error ? cause.message : String(cause)
  const message = `the embedded engine stopped, because it could not go on safely: ${why}. Close it, and open it anew.`
  return new SynodError('ENGINE_FAILED', message, { outcome, cause })
}

/** Why an engine does not start. */
export function startFailure(error: unknown): SynodError {
  if (error instanceof SynodError) return error
  const why = error instanceof Error ? error.message : String(error)
  const cause = error instanceof DataDirectoryError ? (error.cause ?? error) : error
  if (cause instanceof DiskError && cause.code === 'LOCKED')
    return new SynodError('ALREADY_EXISTS', `the directory is in use: ${why}`, { cause })
  if (cause instanceof DiskError && (cause.code === 'NOT_FOUND' || cause.code === 'EXISTS'))
    return new SynodError('INVALID_ARGUMENT', `the directory cannot be used: ${why}`, { cause })
  if (error instanceof DataDirectoryError) return new SynodError('INVALID_ARGUMENT', why, { cause: error })
  const code = codeOf(error)
  if (code === 'NO_SPACE') return new SynodError('NO_SPACE', why, { cause: error })
  if (code === 'PERMISSION_DENIED') return new SynodError('PERMISSION_DENIED', why, { cause: error })
  if (code === 'CORRUPT' || code === 'SNAPSHOT_MISSING') return new SynodError('CORRUPT', why, { cause: error })
  return new SynodError('ENGINE_FAILED', `the embedded engine did not start: ${why}`, { cause: error })
}

function codeOf(error: unknown): string | undefined {
  const { code } = error as { readonly code?: unknown }
  return typeof code === 'string' ? code : undefined
}
