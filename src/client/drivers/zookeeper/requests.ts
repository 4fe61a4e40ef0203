/** Single requests, and what their answers say. */
import {
  createFlags,
  errorCodes,
  type OperationName,
  type RequestOf,
  type ResponseOf,
  type Stat,
} from '../../../wire/zookeeper/index.ts'
import type { Entry, Key, Revision } from '../../driver/index.ts'
import { SynodError } from '../../errors.ts'
import type { Reply, ServerConnection } from './connection.ts'
import { ConnectionLost, refused } from './errors.ts'

/** The revision of a zxid: its upper half counts the ensemble's leaders, its lower half their writes. */
export function revisionOf(zxid: bigint): Revision {
  if (zxid <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(zxid)
  throw new SynodError(
    'NOT_SUPPORTED',
    `the ensemble is at zxid 0x${zxid.toString(16)}, and revisions reach up to 2^53 - 1 (2 097 151 leader elections); copy the keys to a new ensemble`,
  )
}

export function entryOf(key: Key, stat: Stat, value: Uint8Array): Entry {
  if (stat.version < 0 || stat.version === 0x7fffffff)
    throw new SynodError('NOT_SUPPORTED', 'the key was written 2 147 483 647 times; delete it and make it anew')
  return {
    key,
    value,
    createRevision: revisionOf(stat.czxid),
    modRevision: revisionOf(stat.mzxid),
    version: stat.version + 1,
    leaseId: BigInt.asUintN(64, stat.ephemeralOwner),
  }
}

const sessionIsGone: ReadonlySet<number> = new Set([
  errorCodes.sessionExpired,
  errorCodes.sessionMoved,
  errorCodes.unknownSession,
])

/** Whether the server answered that it knows nothing of the session: it did nothing, and the connection is of no use. */
export function saysSessionIsGone(err: number): boolean {
  return sessionIsGone.has(err)
}

/** The body of a reply that must have succeeded. */
export function answered<Op extends OperationName>(reply: Reply<Op>, what: string): ResponseOf<Op> {
  if (reply.body !== undefined) return reply.body
  if (saysSessionIsGone(reply.err)) throw new ConnectionLost('the session has ended')
  throw refused(reply.err, what)
}

/** Makes nodes without data, in this order, unless they are there. Can be repeated without harm. */
export async function makeNodes(
  connection: ServerConnection,
  paths: readonly string[],
  kind: 'create' | 'createContainer',
  acl: RequestOf<'create'>['acl'],
): Promise<void> {
  const flags = kind === 'create' ? createFlags.persistent : createFlags.container
  const replies = await Promise.all(paths.map((path) => connection.send(kind, { path, data: undefined, acl, flags })))
  // A container above may have been removed in between, for being empty: the caller finds the node missing, and repeats.
  for (const reply of replies)
    if (reply.err !== errorCodes.nodeExists && reply.err !== errorCodes.noNode) answered(reply, 'create a directory')
}
