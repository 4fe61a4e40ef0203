/**
 * The one table from what a server, or the way to it, said to what that means: the code, whether the request was
 * certainly not carried out, and whether another node, or the same one later, may do better.
 *
 * Certain is only what etcd and Synod say before they propose a request, or when applying it changed nothing. Their
 * `leader changed`, `request timed out` and `server stopped` say the same of a request that nobody took and of one whose
 * fate is open.
 */
import type { GrpcFailureReply } from '../../../wire/grpc-client/index.ts'
import { type Outcome, SynodError, type SynodErrorCode } from '../../errors.ts'

/** What a refusal tells about the node, or about us. */
export type RefusalMark = 'learner' | 'leaderless' | 'token'

export interface Verdict {
  readonly code: SynodErrorCode
  /** Certainly not carried out, now or later. */
  readonly certain: boolean
  /** Whether asking again can help. */
  readonly again: boolean
  readonly mark?: RefusalMark | undefined
  readonly advice: string
}

const again = 'Try again.'
const wrongRequest = 'Correct the request.'
const credentialsAdvice = 'Check the user name and the password of the connection.'

function certain(code: SynodErrorCode, advice: string, more: Partial<Verdict> = {}): Verdict {
  return { code, certain: true, again: false, advice, ...more }
}

function open(code: SynodErrorCode, advice: string, more: Partial<Verdict> = {}): Verdict {
  return { code, certain: false, again: true, advice, ...more }
}

const invalid = certain('INVALID_ARGUMENT', wrongRequest)
const tokenRefused = certain('UNAUTHENTICATED', credentialsAdvice, { again: true, mark: 'token' })

/** By etcd's texts (`api/v3rpc/rpctypes/error.go`), which both servers use. */
const byText: ReadonlyMap<string, Verdict> = new Map(
  Object.entries({
    'key is not provided': invalid,
    'key not found': invalid,
    'value is provided': invalid,
    'lease is provided': invalid,
    'too many operations in txn request': certain('INVALID_ARGUMENT', 'Split the transaction.'),
    'duplicate key given in txn request': certain('INVALID_ARGUMENT', 'Write each key at most once in a transaction.'),
    'invalid sort option': invalid,
    'request is too large': certain('TOO_LARGE', 'Store less in one request, or raise --max-request-bytes.'),
    'mvcc: required revision has been compacted': certain('COMPACTED', 'Read a newer revision.'),
    'mvcc: required revision is a future revision': certain('FUTURE_REVISION', 'Read a revision that exists.'),
    'mvcc: database space exceeded': certain(
      'NO_SPACE',
      'Free space in the cluster (compact, defragment), or raise --quota-backend-bytes, then clear the alarm.',
    ),
    'corrupt cluster': open('CORRUPT', 'Look after the cluster before anything is written.', { again: false }),
    'requested lease not found': certain('LEASE_NOT_FOUND', 'The lease has ended; get a new one.'),
    'lease already exists': certain('ALREADY_EXISTS', 'Use another lease id.'),
    'too large lease TTL': certain('INVALID_ARGUMENT', 'Ask for a shorter lease.'),
    'ttl is 0': invalid,
    'no leader': certain('UNAVAILABLE', again, { again: true, mark: 'leaderless' }),
    'leader changed': open('UNAVAILABLE', again),
    'request timed out': open('TIMEOUT', again),
    'request timed out, possibly due to previous leader failure': open('TIMEOUT', again),
    'request timed out, possibly due to connection lost': open('TIMEOUT', again),
    'request timed out, waiting for the applied index took too long': open('TIMEOUT', again),
    'too many requests': certain('RESOURCE_EXHAUSTED', 'Ask less often.', { again: true }),
    // Of a change of keys, only Synod says this: the leader's disk is full, and the request was not taken.
    'unhealthy cluster': certain('UNAVAILABLE', 'Look after the cluster; its disk may be full.', { again: true }),
    'server stopped': open('UNAVAILABLE', again),
    'not capable': certain('NOT_SUPPORTED', 'Use a newer server.'),
    'rpc not supported for learner': certain('UNAVAILABLE', again, { again: true, mark: 'learner' }),
    'not leader': open('UNAVAILABLE', again),
    'invalid auth token': tokenRefused,
    'revision of auth store is old': tokenRefused,
    'user name is empty': certain('UNAUTHENTICATED', 'This cluster wants a user name and a password: give them.'),
    'authentication failed, invalid user ID or password': certain('UNAUTHENTICATED', credentialsAdvice),
    'permission denied': certain('PERMISSION_DENIED', 'Grant the user a role that may touch these keys.'),
  } satisfies Record<string, Verdict>).map(([text, verdict]) => [`etcdserver: ${text}`, verdict]),
)

/** What gRPC libraries on the way say. */
const byPattern: readonly { readonly pattern: RegExp; readonly verdict: Verdict }[] = [
  // Raft of etcd: this member took no proposals at that moment, and did not propose this one.
  { pattern: /^raft proposal dropped/, verdict: certain('UNAVAILABLE', again, { again: true }) },
  {
    pattern: /received message larger than max/,
    verdict: certain('TOO_LARGE', 'Ask for less at once, or store less in one request.'),
  },
  {
    pattern: /trying to send message larger than max/,
    verdict: open('TOO_LARGE', 'Ask for less at once.', { again: false }),
  },
]

/** By gRPC status, for what has no text that is known. */
const byStatus: Readonly<Record<number, Verdict>> = {
  1: open('UNAVAILABLE', again),
  2: open('ENGINE_FAILED', 'Look at the log of the server.', { again: false }),
  3: open('INVALID_ARGUMENT', wrongRequest, { again: false }),
  4: open('TIMEOUT', again),
  5: open('NOT_FOUND', wrongRequest, { again: false }),
  6: open('ALREADY_EXISTS', wrongRequest, { again: false }),
  7: open('PERMISSION_DENIED', 'Ask whoever runs the cluster, or the proxy before it.', { again: false }),
  8: open('RESOURCE_EXHAUSTED', 'Ask less often, or for less at once.', { again: false }),
  9: open('NOT_SUPPORTED', wrongRequest, { again: false }),
  10: open('CONFLICT', again),
  11: open('INVALID_ARGUMENT', wrongRequest, { again: false }),
  12: certain('NOT_SUPPORTED', 'Use a server that offers it.'),
  13: open('PROTOCOL_ERROR', 'Check that the address is that of an etcd or Synod client port.', { again: false }),
  14: open('UNAVAILABLE', again),
  15: open('CORRUPT', 'Look after the cluster before anything is written.', { again: false }),
  16: open('UNAUTHENTICATED', credentialsAdvice, { again: false }),
}

const unknownStatus = open('PROTOCOL_ERROR', 'Check what answers at this address.', { again: false })

/** What a failed call means. */
export function judge(reply: Pick<GrpcFailureReply, 'status' | 'message' | 'processed'>): Verdict {
  const verdict = judgeText(reply.message) ?? byStatus[reply.status] ?? unknownStatus
  // What the server never took may be asked again anywhere, whatever the reason.
  return reply.processed ? verdict : { ...verdict, certain: true, again: verdict.again || reply.status === 14 }
}

/** What a reason alone means, such as that of a cancelled watch. */
export function judgeText(text: string): Verdict | undefined {
  return byText.get(text) ?? byPattern.find(({ pattern }) => pattern.test(text))?.verdict
}

/** What the program that made the call is told. */
export function refusalError(
  what: string,
  where: string,
  reply: Pick<GrpcFailureReply, 'status' | 'message' | 'origin'>,
  verdict: Verdict,
  outcome: Outcome,
): SynodError {
  const said =
    reply.origin === 'server'
      ? `${where} answered "${reply.message}" (gRPC status ${reply.status})`
      : `${where}: ${reply.message}`
  return new SynodError(verdict.code, `${what} failed: ${said}.${fateOf(outcome)} ${verdict.advice}`, { outcome })
}

/** What a message says of an open fate. */
export function fateOf(outcome: Outcome): string {
  return outcome === 'unknown' ? ' It may have been carried out all the same: read before it is made again.' : ''
}
