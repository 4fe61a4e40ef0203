/** Why no connection to an endpoint could be made, told from how its transport closed before it was open. */
import type { CloseReason } from '../../runtime/index.ts'
import type { AttemptFailure } from './exchange.ts'

/**
 * `detail`: the `closeDetail` of the connection. A transport that closed as unreachable of which the operating system said
 * nothing was given up here, when the time for connecting was over.
 */
export function connectFailureKind(
  reason: CloseReason,
  detail: string | undefined,
  isTls: boolean,
): AttemptFailure['kind'] {
  if (reason === 'refused') return 'connect-refused'
  if (reason !== 'unreachable') return isTls ? 'connect-tls' : 'connect-unreachable'
  return detail === undefined || detail.includes('ETIMEDOUT') ? 'connect-timeout' : 'connect-unreachable'
}
