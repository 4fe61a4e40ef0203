import { errorCodes, errorName, JuteError } from '../../../wire/zookeeper/index.ts'
import { type Outcome, SynodError, type SynodErrorCode } from '../../errors.ts'

/** The connection went before the answer came. Reads are made again; a write that was sent is of unknown fate. */
export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost'
}

/** For reads, after which they are made again: throws what is no lost connection, and what would only be lost again. */
export function passOverLoss(error: unknown): void {
  if (!(error instanceof ConnectionLost)) throw error
  if (error.cause instanceof JuteError)
    throw new SynodError(
      'PROTOCOL_ERROR',
      `the server answered what is not ZooKeeper's protocol: ${error.cause.message}; look at the address, and whether the server is of version 3.6 or newer`,
      { cause: error.cause },
    )
}

interface Meaning {
  readonly code: SynodErrorCode
  readonly advice: string
}

const meanings: Readonly<Record<number, Meaning>> = {
  [errorCodes.noAuth]: {
    code: 'PERMISSION_DENIED',
    advice: 'give the user who owns these nodes in `auth`, or another `root`',
  },
  [errorCodes.authFailed]: { code: 'UNAUTHENTICATED', advice: 'look at user and password in `auth`' },
  [errorCodes.sessionClosedRequireSaslAuth]: {
    code: 'UNAUTHENTICATED',
    advice: 'the server demands SASL, which this driver does not speak',
  },
  [errorCodes.unimplemented]: { code: 'NOT_SUPPORTED', advice: 'ZooKeeper 3.6 or newer is needed' },
  [errorCodes.quotaExceeded]: { code: 'NO_SPACE', advice: 'raise the quota of the root node' },
  [errorCodes.throttledOp]: { code: 'RESOURCE_EXHAUSTED', advice: 'the server sheds load; try again later' },
}

/** What a reply's error means to the caller, when it is none that the driver handles itself. The server did nothing. */
export function refused(err: number, what: string): SynodError {
  const { code, advice } = meanings[err] ?? { code: 'PROTOCOL_ERROR', advice: 'this is not expected here' }
  return new SynodError(code, `ZooKeeper refused to ${what}: ${errorName(err)}; ${advice}`)
}

export function leaseNotFound(): SynodError {
  return new SynodError(
    'LEASE_NOT_FOUND',
    'the lease has ended, or was not granted by this driver: on ZooKeeper a lease is a session, which only the connection that opened it can use',
  )
}

export function driverClosed(outcome: Outcome = 'not-applied'): SynodError {
  return new SynodError('CLOSED', 'the driver was closed; open another one', { outcome })
}

export function tooLarge(sizeBytes: number, sizeBytesMax: number): SynodError {
  return new SynodError(
    'TOO_LARGE',
    `the request takes ${sizeBytes} bytes, and ZooKeeper's servers take ${sizeBytesMax} (their jute.maxbuffer); make it smaller, or raise both limits`,
  )
}
