import type { Refusal } from '../replication/index.ts'
import type { EngineErrorCode, Failure } from './results.ts'

/** A refusal of something that was not carried out, and will not be. */
export function fail(code: EngineErrorCode): Failure {
  return { ok: false, code, outcome: 'not-applied' }
}

const codes: Readonly<Record<Refusal['reason'], EngineErrorCode>> = {
  'no-leader': 'NO_LEADER',
  'leader-changed': 'LEADER_CHANGED',
  timeout: 'TIMEOUT',
  overloaded: 'TOO_MANY_REQUESTS',
  'too-large': 'REQUEST_TOO_LARGE',
  'disk-full': 'DISK_FULL',
  stopped: 'STOPPED',
}

/** What a refusal of the consensus group means to the engine's callers. */
export function failureOf(refusal: Refusal): Failure {
  return { ok: false, code: codes[refusal.reason], outcome: refusal.outcome }
}
