/** synod member add, promote, remove, update, list. */
import { parseArguments } from './arguments.ts'
import { type EtcdConnection, RpcError } from './etcd-connection.ts'
import { decodeFields, decodeMember, decodeMembers, encode, type MemberFields } from './etcd-messages.ts'
import { operand, refuseMore, withConnection } from './keys.ts'
import { CommandError, formatTable, printJson, printLine } from './output.ts'

const actions = ['list', 'add', 'promote', 'remove', 'update'] as const

export async function member(args: readonly string[]): Promise<void> {
  const { flags, operands } = parseArguments('member', args, {
    endpoints: { type: 'string' },
    json: { type: 'boolean' },
    'peer-urls': { type: 'string' },
    learner: { type: 'boolean' },
  })
  const json = flags['json'] === true
  const action = operand(operands, 0, 'member', `action: ${actions.join(', ')}`)
  if (!actions.some((known) => known === action))
    throw new CommandError(`"${action}" is not an action of synod member. See synod member --help.`, 2)
  refuseMore(operands, action === 'list' ? 1 : 2, 'member')
  const whom = action === 'list' ? '' : operand(operands, 1, 'member', action === 'add' ? 'NAME' : 'member ID or NAME')
  const needsUrls = action === 'add' || action === 'update'
  const peerUrls = needsUrls ? peerUrlsOf(flags['peer-urls']) : []
  if (!needsUrls && flags['peer-urls'] !== undefined)
    throw new CommandError(`--peer-urls has no meaning for synod member ${action}.`, 2)
  if (action !== 'add' && flags['learner'] === true)
    throw new CommandError(`--learner has no meaning for synod member ${action}.`, 2)
  await withConnection(flags['endpoints'], async (connection) => {
    if (action === 'list') return list(connection, json)
    if (action === 'add') return add(connection, whom, peerUrls, flags['learner'] === true, json)
    const { id, name } = await find(connection, whom)
    if (action === 'update') {
      const request = encode((w) => peerUrls.reduce((writer, url) => writer.presentText(2, url), w.int64(1, id)))
      await change(connection, 'MemberUpdate', request)
    } else
      await change(
        connection,
        action === 'promote' ? 'MemberPromote' : 'MemberRemove',
        encode((w) => w.int64(1, id)),
      )
    if (json) printJson({ ok: true, id: id.toString(16), name })
    else printLine(`${action}d ${name === '' ? '' : `${name} `}(${id.toString(16)})`)
  })
}

function peerUrlsOf(flag: string | boolean | undefined): string[] {
  const urls = (typeof flag === 'string' ? flag : '').split(',').filter((url) => url.trim() !== '')
  if (urls.length === 0)
    throw new CommandError('--peer-urls is missing: http://HOST:PORT where the others reach it.', 2)
  for (const url of urls)
    if (!/^http:\/\/[^/?#]+:\d+$/.test(url.trim()))
      throw new CommandError(`--peer-urls: "${url}" is not http://HOST:PORT.`, 2)
  return urls.map((url) => url.trim())
}

async function list(connection: EtcdConnection, json: boolean): Promise<void> {
  const members = await fetchMembers(connection)
  if (json) for (const each of members) printJson({ ...each, id: each.id.toString(16) })
  else printLine(formatTable(['NAME', 'ID', 'STATUS', 'ROLE', 'PEER URLS', 'CLIENT URLS'], members.map(rowOf)))
}

function rowOf({ id, name, peerUrls, clientUrls, isLearner }: MemberFields): string[] {
  const state = name === '' ? 'unstarted' : 'started'
  return [name, id.toString(16), state, isLearner ? 'learner' : 'voter', peerUrls.join(','), clientUrls.join(',')]
}

/** Declares the member, and says with which settings to start it. */
async function add(
  connection: EtcdConnection,
  name: string,
  peerUrls: readonly string[],
  isLearner: boolean,
  json: boolean,
): Promise<void> {
  const request = encode((w) => {
    for (const url of peerUrls) w.presentText(1, url)
    w.bool(2, isLearner)
  })
  const response = await change(connection, 'MemberAdd', request)
  const added = decodeMember(decodeFields(response).bytes(2))
  const members = decodeMembers(response, 3)
  // Others that have not started have no name to be called by, and cannot be asked.
  const named = members
    .map((each) => (each.id === added.id ? { ...each, name } : each))
    .filter((each) => each.name !== '')
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
  const cluster = named.flatMap((each) => each.peerUrls.map((url) => `${each.name}=${url}`))
  const environment = {
    ETCD_NAME: name,
    ETCD_INITIAL_CLUSTER: cluster.join(','),
    ETCD_INITIAL_ADVERTISE_PEER_URLS: added.peerUrls.join(','),
    ETCD_INITIAL_CLUSTER_STATE: 'existing',
  }
  const id = added.id.toString(16)
  if (json) {
    printJson({ id, name, peerUrls: added.peerUrls, isLearner, environment })
    return
  }
  printLine(`added ${name} (${id})${isLearner ? ' as a learner' : ''}. Start it with an empty data directory and:\n`)
  for (const [variable, value] of Object.entries(environment)) printLine(`${variable}="${value}"`)
  printLine(
    `\nsynod node --name ${name} --listen-peer-urls ${added.peerUrls.join(',')} --initial-cluster ${cluster.join(',')} --initial-cluster-state existing`,
  )
  printLine('\nWhere port 2379 is taken, add --listen-client-urls and --advertise-client-urls http://127.0.0.1:PORT.')
}

async function fetchMembers(connection: EtcdConnection): Promise<readonly MemberFields[]> {
  const request = encode((w) => w.bool(1, true))
  return decodeMembers(await connection.unary('/etcdserverpb.Cluster/MemberList', request), 2).toSorted((a, b) => {
    return a.name === b.name ? (a.id < b.id ? -1 : 1) : a.name < b.name ? -1 : 1
  })
}

/** The member with this id (hexadecimal, as the list prints it) or, if there is none, with this name. */
async function find(connection: EtcdConnection, whom: string): Promise<MemberFields> {
  const members = await fetchMembers(connection)
  const byId = members.find((each) => each.id.toString(16) === whom.toLowerCase().replace(/^0+(?=.)/, ''))
  if (byId !== undefined) return byId
  const [found, another] = members.filter((each) => each.name === whom)
  if (another !== undefined) throw new CommandError(`several members are called ${whom}: name one by its id.`)
  if (found !== undefined) return found
  const known = members.map((each) => `${each.name === '' ? '(unstarted)' : each.name} ${each.id.toString(16)}`)
  throw new CommandError(`there is no member ${whom}. The members are: ${known.join(', ')}.`)
}

/** What to do about the refusals that an operator can do something about. */
const advice: readonly (readonly [RegExp, string])[] = [
  [/in sync with leader/, 'Start it, or give it time to catch up, and try again.'],
  [
    /not enough started members/,
    'Start the members that "synod member list" shows as unstarted, or remove them, first.',
  ],
  [/unhealthy cluster/, 'Bring back the members that are down, or remove one of those, first.'],
  [/too many learner/, 'Promote or remove the learner that is there first.'],
  [/request timed out/, 'The change may have been made: see "synod member list".'],
  [/not supported for learner/, 'Name a voter with --endpoints.'],
]

async function change(connection: EtcdConnection, method: string, request: Uint8Array): Promise<Uint8Array> {
  try {
    return await connection.unary(`/etcdserverpb.Cluster/${method}`, request)
  } catch (error) {
    if (!(error instanceof RpcError)) throw error
    const hint = advice.find(([pattern]) => pattern.test(error.message))?.[1]
    throw hint === undefined ? error : new RpcError(error.status, `${error.message}. ${hint}`)
  }
}
