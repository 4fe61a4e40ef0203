/** synod status: each node of a cluster, by name. */
import { parseArguments } from './arguments.ts'
import { EtcdConnection, endpointsOf, endpointsOfEnvironment, noAnswerAdvice, RpcError } from './etcd-connection.ts'
import { decodeFields, decodeMembers, type MemberFields } from './etcd-messages.ts'
import { CommandError, formatTable, printJson, printLine } from './output.ts'

export interface NodeStatus {
  readonly endpoint: string
  /** Empty when it is not known: a learner lists no members. */
  readonly name: string
  readonly memberId: string
  readonly role: 'leader' | 'follower' | 'learner' | 'no leader'
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
    const members = await listMembers(connection)
    const memberId = BigInt.asUintN(64, response.fields(1).int64(2))
    return {
      endpoint,
      name: members.find((member) => member.id === memberId)?.name ?? '',
      memberId: memberId.toString(16),
      role: roleOf(BigInt.asUintN(64, response.int64(4)), memberId, response.number(10) === 1),
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

function roleOf(leader: bigint, memberId: bigint, isLearner: boolean): NodeStatus['role'] {
  if (leader === 0n) return 'no leader'
  if (isLearner) return 'learner'
  return leader === memberId ? 'leader' : 'follower'
}

/** The members as the node knows them; none when it refuses to say, as a learner does. */
async function listMembers(connection: EtcdConnection): Promise<readonly MemberFields[]> {
  try {
    return decodeMembers(await connection.unary('/etcdserverpb.Cluster/MemberList', new Uint8Array(0)), 2)
  } catch (error) {
    if (error instanceof RpcError) return []
    throw error
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

/** A node to ask, and what came of it. */
interface Asked {
  readonly name: string
  readonly endpoint: string
  readonly status: NodeStatus | undefined
  readonly error: string
}

export async function status(args: readonly string[]): Promise<void> {
  const { flags } = parseArguments('status', args, { endpoints: { type: 'string' }, json: { type: 'boolean' } })
  const named = flags['endpoints'] !== undefined || endpointsOfEnvironment() !== undefined
  const given = endpointsOf(flags['endpoints'])
  const members = await findMembers(given)
  const nodes = named || members.length === 0 ? given.map((endpoint) => ({ name: '', endpoint })) : clientsOf(members)
  const asked = (await Promise.all(nodes.map((node) => ask(node, members)))).sort(byName)
  for (const { endpoint, status, error } of flags['json'] === true ? asked : [])
    printJson(status ?? { endpoint, error })
  if (flags['json'] !== true) printLine(formatTable(statusHeader, asked.map(rowOf)))
  const failures = asked.filter((node) => node.status === undefined).length
  if (failures === asked.length) throw new CommandError(`no node answers. ${noAnswerAdvice}`)
  if (failures > 0) process.exitCode = 1
}

async function ask(node: { name: string; endpoint: string }, members: readonly MemberFields[]): Promise<Asked> {
  try {
    const status = await fetchStatus(node.endpoint)
    const member = members.find((candidate) => candidate.id.toString(16) === status.memberId)
    const name = status.name || (member?.name ?? '')
    return { ...node, name, status: { ...status, name }, error: '' }
  } catch (error) {
    return { ...node, status: undefined, error: error instanceof Error ? error.message : String(error) }
  }
}

function rowOf({ name, endpoint, status }: Asked): string[] {
  return status === undefined ? [name, endpoint.replace('http://', ''), 'unreachable'] : statusRow(status)
}

/** Nodes whose name is not known come last. */
function byName(a: Asked, b: Asked): number {
  const [left, right] = [a, b].map(({ name, endpoint }) => `${name === '' ? '1' : '0'}${name}\0${endpoint}`)
  return left! < right! ? -1 : 1
}

/** Where each member serves its clients. */
function clientsOf(members: readonly MemberFields[]): { name: string; endpoint: string }[] {
  return members.flatMap(({ name, clientUrls }) => clientUrls.slice(0, 1).map((endpoint) => ({ name, endpoint })))
}

/** The member list of the first node that has one; empty when none says. */
async function findMembers(endpoints: readonly string[]): Promise<readonly MemberFields[]> {
  for (const endpoint of endpoints) {
    try {
      const connection = await EtcdConnection.open([endpoint])
      try {
        const members = await listMembers(connection)
        if (members.length > 0) return members
      } finally {
        connection.close()
      }
    } catch (error) {
      if (!(error instanceof CommandError)) throw error
    }
  }
  return []
}
