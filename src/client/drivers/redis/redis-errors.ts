/** What Redis says, by the first word of its reply, and how it is told. The only table of its kind. */
import { SynodError, type SynodErrorCode } from '../../errors.ts'

interface Told {
  readonly code: SynodErrorCode
  readonly advice: string
  /** The server refused it before it changed anything, and may not the next time. */
  readonly mayPass?: boolean
}

const wait = 'it may pass; if it stays, look at the server'

const told: Readonly<Record<string, Told>> = {
  NOAUTH: { code: 'UNAUTHENTICATED', advice: 'give a user and a password' },
  WRONGPASS: { code: 'UNAUTHENTICATED', advice: 'give the right user and password' },
  NOPERM: { code: 'PERMISSION_DENIED', advice: 'allow this user what docs/engines.md lists, with ACL SETUSER' },
  OOM: { code: 'NO_SPACE', advice: 'raise maxmemory, or delete keys' },
  MISCONF: { code: 'NO_SPACE', advice: 'the server cannot write its disk: free space there' },
  WRONGTYPE: {
    code: 'CORRUPT',
    advice: 'something else wrote to a key under synod/: delete it, or use another namespace',
  },
  CORRUPT: {
    code: 'CORRUPT',
    advice: 'something else wrote to a key under synod/: delete it, or use another namespace',
  },
  READONLY: { code: 'UNAVAILABLE', advice: 'the server has become a replica: connect to the primary', mayPass: true },
  LOADING: { code: 'UNAVAILABLE', advice: wait, mayPass: true },
  BUSY: { code: 'UNAVAILABLE', advice: wait, mayPass: true },
  MASTERDOWN: { code: 'UNAVAILABLE', advice: wait, mayPass: true },
  NOREPLICAS: { code: 'UNAVAILABLE', advice: 'min-replicas-to-write is not met', mayPass: true },
  TRYAGAIN: { code: 'UNAVAILABLE', advice: wait, mayPass: true },
  MOVED: { code: 'NOT_SUPPORTED', advice: 'this is a Redis Cluster: connect to a server that is not part of one' },
  CROSSSLOT: { code: 'NOT_SUPPORTED', advice: 'this is a Redis Cluster: connect to a server that is not part of one' },
}

/** Whether the server answered, and with an error: then the command is over. */
export function isReply(error: unknown): error is Error {
  return error instanceof Error && error.name === 'ReplyError'
}

/** The first word of an error reply; of one inside a script, that of the error in the script. */
export function replyWord(error: Error): string {
  return /^(?:ERR .*?user_script:\d+: (?:user_script:\d+: )?)?([A-Z]+)\b/.exec(error.message)?.[1] ?? ''
}

/** Whether the server refused it for the moment, and certainly changed nothing. */
export function isPassingRefusal(error: unknown): boolean {
  return isReply(error) && told[replyWord(error)]?.mayPass === true
}

/** `what` was answered by an error reply. A script that fails half-way may have written before. */
export function replyError(what: string, error: Error): SynodError {
  const entry = told[replyWord(error)]
  if (entry === undefined)
    return new SynodError(
      'PROTOCOL_ERROR',
      `Redis refused ${what}: ${error.message}; this client expected no such answer`,
      {
        cause: error,
        outcome: 'unknown',
      },
    )
  return new SynodError(entry.code, `Redis refused ${what}: ${error.message}; ${entry.advice}`, { cause: error })
}
