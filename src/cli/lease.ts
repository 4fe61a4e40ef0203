/** synod lease grant, revoke, keep-alive, ttl, list. */
import { setTimeout as delay } from 'node:timers/promises'
import { parseArguments, wholeNumberOf } from './arguments.ts'
import type { EtcdConnection } from './etcd-connection.ts'
import { decodeFields, encode, printable } from './etcd-messages.ts'
import { leaseId, operand, refuseMore, withConnection } from './keys.ts'
import { CommandError, printJson, printLine } from './output.ts'

/** etcd's limit for a time to live, in seconds. */
const ttlSecondsMax = 9_000_000_000

export async function lease(args: readonly string[]): Promise<void> {
  const { flags, operands } = parseArguments('lease', args, {
    endpoints: { type: 'string' },
    json: { type: 'boolean' },
    once: { type: 'boolean' },
  })
  const json = flags['json'] === true
  const action = operand(operands, 0, 'lease', 'action: grant, revoke, keep-alive, ttl or list')
  refuseMore(operands, action === 'list' ? 1 : 2, 'lease')
  await withConnection(flags['endpoints'], actionOf(action, operands, flags['once'] === true, json))
}

/** Reads the rest of the arguments, so that what is wrong with them is told before anything is connected. */
function actionOf(
  action: string,
  operands: readonly string[],
  once: boolean,
  json: boolean,
): (connection: EtcdConnection) => Promise<void> {
  if (action === 'list') return (connection) => list(connection, json)
  if (action === 'grant') {
    const ttl = wholeNumberOf('SECONDS', operand(operands, 1, 'lease', 'number of SECONDS'), 1, ttlSecondsMax)
    return (connection) => grant(connection, ttl, json)
  }
  if (action !== 'revoke' && action !== 'keep-alive' && action !== 'ttl')
    throw new CommandError(`"${action}" is not an action of synod lease. See synod lease --help.`, 2)
  const id = leaseId(operand(operands, 1, 'lease', 'lease ID'))
  if (action === 'revoke') return (connection) => revoke(connection, id, json)
  if (action === 'ttl') return (connection) => timeToLive(connection, id, json)
  return (connection) => keepAlive(connection, id, once, json)
}

function hex(id: bigint): string {
  return BigInt.asUintN(64, id).toString(16).padStart(16, '0')
}

async function grant(connection: EtcdConnection, ttl: number, json: boolean): Promise<void> {
  const response = decodeFields(
    await connection.unary(
      '/etcdserverpb.Lease/LeaseGrant',
      encode((w) => w.int(1, ttl)),
    ),
  )
  const id = hex(response.int64(2))
  if (json) printJson({ id, ttl: response.number(3) })
  else printLine(id)
}

async function revoke(connection: EtcdConnection, id: bigint, json: boolean): Promise<void> {
  await connection.unary(
    '/etcdserverpb.Lease/LeaseRevoke',
    encode((w) => w.int64(1, id)),
  )
  if (json) printJson({ ok: true, id: hex(id) })
  else printLine(`revoked ${hex(id)}`)
}

async function keepAlive(connection: EtcdConnection, id: bigint, once: boolean, json: boolean): Promise<void> {
  const stream = connection.stream('/etcdserverpb.Lease/LeaseKeepAlive')
  const request = encode((w) => w.int64(1, id))
  stream.send(request)
  for await (const message of stream.messages()) {
    const ttl = decodeFields(message).number(3)
    if (ttl <= 0) throw new CommandError(`lease ${hex(id)} has expired or was revoked.`)
    if (json) printJson({ id: hex(id), ttl })
    else printLine(`renewed ${hex(id)}, ${ttl} s`)
    if (once) return
    await delay((ttl * 1000) / 3)
    stream.send(request)
  }
}

async function timeToLive(connection: EtcdConnection, id: bigint, json: boolean): Promise<void> {
  const request = encode((w) => w.int64(1, id).bool(2, true))
  const response = decodeFields(await connection.unary('/etcdserverpb.Lease/LeaseTimeToLive', request))
  const ttl = response.number(3)
  if (ttl < 0) throw new CommandError(`lease ${hex(id)} has expired or was revoked.`)
  const keys = response.all(5).map(printable)
  if (json) printJson({ id: hex(id), ttl, grantedTtl: response.number(4), keys })
  else printLine([`${ttl} s of ${response.number(4)} s left`, ...keys].join('\n'))
}

async function list(connection: EtcdConnection, json: boolean): Promise<void> {
  const response = decodeFields(await connection.unary('/etcdserverpb.Lease/LeaseLeases', new Uint8Array(0)))
  const ids = response.all(2).map((bytes) => hex(decodeFields(bytes).int64(1)))
  for (const id of ids) json ? printJson({ id }) : printLine(id)
}
