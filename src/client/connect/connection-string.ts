/**
 * Connection strings:
 *
 *     embedded:PATH[?nodes=1|3|5]          in this process, durable in the directory PATH
 *     embedded:[?nodes=…], memory:         in this process, in memory only
 *     synod://[USER:PASSWORD@]HOST[:2379],…[?options]
 *     etcd://…                             the same on a real etcd
 *     zookeeper://[USER:PASSWORD@]HOST[:2181],…[/ROOT][?options]
 *     redis://[USER:PASSWORD@]HOST[:6379][/DATABASE][?options]
 *
 * Options of all: `namespace` (before every key), `timeoutMs` (of a request), `ttlMs` (of the shared session); of those
 * with hosts: `tls=true`. What is not known is refused by name. A password is percent-encoded and never repeated in a
 * message.
 */
import type { Address } from '../../runtime/index.ts'
import { SynodError } from '../errors.ts'

export type ConnectionScheme = 'embedded' | 'synod' | 'etcd' | 'zookeeper' | 'redis'

export interface ConnectionTarget {
  readonly scheme: ConnectionScheme
  /** Empty for `embedded`. */
  readonly addresses: readonly Address[]
  readonly user: string | undefined
  readonly password: string | undefined
  /** The directory, ZooKeeper's root or Redis's database; undefined when the string has none. */
  readonly path: string | undefined
  readonly nodes: 1 | 3 | 5
  readonly namespace: string
  readonly requestTimeoutMs: number | undefined
  readonly sessionTtlMs: number | undefined
  readonly tls: boolean
}

const defaultPorts = { synod: 2379, etcd: 2379, zookeeper: 2181, redis: 6379 }
const everywhere = ['namespace', 'timeoutMs', 'ttlMs']
const examples = 'embedded:./data, memory:, synod://127.0.0.1:2379, etcd://…, zookeeper://… or redis://…'

/** Throws `INVALID_ARGUMENT` naming what is wrong. */
export function parseConnectionString(text: string): ConnectionTarget {
  const at = text.indexOf(':')
  const scheme = at === -1 ? '' : text.slice(0, at)
  const rest = text.slice(at + 1)
  switch (scheme) {
    case 'memory':
      return embeddedTarget('', rest)
    case 'embedded':
      return embeddedTarget(rest.replace(/\?.*$/s, ''), rest.replace(/^[^?]*/s, ''))
    case 'synod':
    case 'etcd':
    case 'zookeeper':
    case 'redis':
      return hostedTarget(scheme, rest)
    default:
      throw refused(`${scheme === '' ? 'it has no scheme' : `"${scheme}:" is no engine`}; it must be like ${examples}`)
  }
}

function embeddedTarget(path: string, query: string): ConnectionTarget {
  if (path.startsWith('//'))
    throw refused('embedded: takes a path, not a host: write embedded:./data or embedded:/data')
  const options = readQuery(query.startsWith('?') || query === '' ? query.slice(1) : refuseTail(query), [
    ...everywhere,
    'nodes',
  ])
  const nodes = options.get('nodes') ?? '1'
  if (nodes !== '1' && nodes !== '3' && nodes !== '5') throw refused(`nodes=${nodes}; it may be 1, 3 or 5`)
  return {
    scheme: 'embedded',
    addresses: [],
    user: undefined,
    password: undefined,
    path: path === '' ? undefined : path,
    nodes: Number(nodes) as 1 | 3 | 5,
    tls: false,
    ...sharedOptions(options),
  }
}

function refuseTail(tail: string): never {
  throw refused(`memory: keeps nothing on disk, so "${tail}" has no meaning; for a directory write embedded:${tail}`)
}

function hostedTarget(scheme: Exclude<ConnectionScheme, 'embedded'>, rest: string): ConnectionTarget {
  const match = /^\/\/(?:([^@/?]*)@)?([^/?]*)(\/[^?]*)?(?:\?(.*))?$/s.exec(rest)
  if (match === null) throw refused(`${scheme}: needs hosts: ${scheme}://HOST:${defaultPorts[scheme]}`)
  const [, credentials, hosts = '', path, query = ''] = match
  if (hosts.includes('@')) throw refused('an @ in the user or the password must be percent-encoded: %40')
  const [user, password] = readCredentials(credentials)
  const options = readQuery(query, [...everywhere, 'tls'])
  const tls = options.get('tls') ?? 'false'
  if (tls !== 'true' && tls !== 'false') throw refused(`tls=${tls}; it may be true or false`)
  const addresses = hosts.split(',').map((host) => readAddress(host, scheme))
  const trimmed = path === undefined || path === '/' ? undefined : path
  if (trimmed !== undefined && (scheme === 'synod' || scheme === 'etcd'))
    throw refused(`a path ("${trimmed}") has no meaning for ${scheme}; for a prefix of all keys say ?namespace=…`)
  if (scheme === 'redis' && addresses.length > 1) throw refused('redis:// takes one host: the primary')
  return { scheme, addresses, user, password, path: trimmed, nodes: 1, tls: tls === 'true', ...sharedOptions(options) }
}

function readCredentials(text: string | undefined): [user: string | undefined, password: string | undefined] {
  if (text === undefined) return [undefined, undefined]
  const colon = text.indexOf(':')
  const user = colon === -1 ? text : text.slice(0, colon)
  const password = colon === -1 ? undefined : decoded(text.slice(colon + 1), 'the password')
  return [user === '' ? undefined : decoded(user, 'the user'), password]
}

function readAddress(text: string, scheme: Exclude<ConnectionScheme, 'embedded'>): Address {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]+))(?::(\d{1,5}))?$/.exec(text)
  const host = match?.[1] ?? match?.[2]
  const port = match?.[3] === undefined ? defaultPorts[scheme] : Number(match[3])
  if (host !== undefined && (port < 1 || port > 65_535)) throw refused(`the port of "${text}" is not from 1 to 65535`)
  if (host === undefined) throw refused(`"${text}" is no HOST or HOST:PORT; an IPv6 address stands in brackets`)
  return { host, port }
}

function readQuery(query: string, known: readonly string[]): ReadonlyMap<string, string> {
  const options = new Map<string, string>()
  for (const [name, value] of new URLSearchParams(query)) {
    if (!known.includes(name)) throw refused(`the option "${name}" is not known here; there is ${known.join(', ')}`)
    if (options.has(name)) throw refused(`the option "${name}" is there twice`)
    options.set(name, value)
  }
  return options
}

function sharedOptions(options: ReadonlyMap<string, string>) {
  return {
    namespace: options.get('namespace') ?? '',
    requestTimeoutMs: readMs(options, 'timeoutMs'),
    sessionTtlMs: readMs(options, 'ttlMs'),
  }
}

function readMs(options: ReadonlyMap<string, string>, name: string): number | undefined {
  const text = options.get(name)
  if (text === undefined) return undefined
  if (!/^[1-9]\d{0,8}$/.test(text)) throw refused(`${name}=${text}; it must be a whole number of milliseconds`)
  return Number(text)
}

function decoded(text: string, what: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw refused(`${what} is not percent-encoded rightly`)
  }
}

function refused(why: string): SynodError {
  return new SynodError('INVALID_ARGUMENT', `the connection string cannot be used: ${why}`)
}
