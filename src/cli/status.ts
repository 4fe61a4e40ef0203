/** synod status: one row a node. */
import { parseArguments } from './arguments.ts'
import { EtcdConnection, endpointsOf } from './etcd-connection.ts'
import { decodeFields } from './etcd-messages.ts'
import { CommandError, formatTable, printJson, printLine } from './output.ts'

export interface NodeStatus {
  readonly endpoint: string
  readonly name: string
  readonly memberId: string
  readonly role: 'leader' | 'follower' | 'no leader'
  readonly term: number
  readonly revision: number
  readonly appliedIndex: number
  readonly sizeBytes: number
  readonly version: string
  readonly errors: readonly string[]
}

/** Asks the node at `endpoint` and, for names, the member list it has. Rejects with a CommandError. */
export async function fetchStatus(endpoint: string): Promise<NodeStatus> {
  const connection = await EtcdConnection.open([endpoint])
  try {
    const response = decodeFields(await connection.unary('/etcdserverpb.Maintenance/Status', new Uint8Array(0)))
    const members = decodeFields(await connection.unary('/etcdserverpb.Cluster/MemberList', new Uint8Array(0)))
    const memberId = BigInt.asUintN(64, response.fields(1).int64(2))
    const leader = BigInt.asUintN(64, response.int64(4))
    const member = members
      .all(2)
      .map(decodeFields)
      .find((candidate) => BigInt.asUintN(64, candidate.int64(1)) === memberId)
    return {
      endpoint,
      name: member?.text(2) ?? '',
      memberId: memberId.toString(16),
      role: leader === 0n ? 'no leader' : leader === memberId ? 'leader' : 'follower',
      term: response.number(6),
      revision: response.fields(1).number(3),
      appliedIndex: response.number(7),
      sizeBytes: response.number(3),
      version: response.text(2),
      errors: response.all(8).map((bytes) => Buffer.from(bytes).toString('utf8')),
    }
  } finally {
    connection.close()
  }
}

export const statusHeader = ['NAME', 'ENDPOINT', 'ROLE', 'TERM', 'REVISION', 'SIZE'] as const

export function statusRow(status: NodeStatus): string[] {
  const row = [
    status.name,
    status.endpoint.replace('http://', ''),
    status.role,
    String(status.term),
    String(status.revision),
    `${(status.sizeBytes / 1048576).toFixed(1)} MiB`,
  ]
  return status.errors.length === 0 ? row : [...row, status.errors.join(', ')]
}

export async function status(args: readonly string[]): Promise<void> {
  const { flags } = parseArguments('status', args, { endpoints: { type: 'string' }, json: { type: 'boolean' } })
  const named = flags['endpoints'] !== undefined || process.env['SYNOD_ENDPOINTS'] !== undefined
  const endpoints = named ? endpointsOf(flags['endpoints']) : await discover()
  const results = await Promise.allSettled(endpoints.map(fetchStatus))
  const rows: string[][] = []
  let failures = 0
  for (const [i, result] of results.entries()) {
    const endpoint = endpoints[i]!
    if (result.status === 'fulfilled') {
      if (flags['json'] === true) printJson(result.value)
      else rows.push(statusRow(result.value))
      continue
    }
    failures++
    if (flags['json'] === true) printJson({ endpoint, error: String(result.reason?.message ?? result.reason) })
    else rows.push(['', endpoint.replace('http://', ''), 'unreachable'])
  }
  if (flags['json'] !== true) printLine(formatTable(statusHeader, rows))
  if (failures === endpoints.length) throw new CommandError('no node answers. Start a cluster with "synod up".')
  if (failures > 0) process.exitCode = 1
}

/** All nodes of the cluster behind the default endpoint. */
async function discover(): Promise<string[]> {
  const connection = await EtcdConnection.open(endpointsOf(undefined))
  try {
    const members = decodeFields(await connection.unary('/etcdserverpb.Cluster/MemberList', new Uint8Array(0)))
    const urls = members.all(2).flatMap((bytes) => decodeFields(bytes).all(4).slice(0, 1))
    return urls.length === 0 ? [connection.endpoint] : urls.map((bytes) => Buffer.from(bytes).toString('utf8'))
  } finally {
    connection.close()
  }
}
