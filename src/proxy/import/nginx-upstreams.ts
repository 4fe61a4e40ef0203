/** `upstream` blocks, and the addresses that `proxy_pass` names itself. */
import { isHost, isIpv4 } from '../config/index.ts'
import type { ImportNotes } from './carried.ts'
import type { Directive } from './nginx-syntax.ts'
import { nginxTimeMs, ourName, ourTime, wholeNumber } from './nginx-values.ts'
import { Scope } from './scope.ts'

/** One entry of our `upstreams:`. */
export type UpstreamDraft = Record<string, unknown>

export interface ServerDraft {
  readonly address: string
  weight?: number
  priority?: number
}

/**
 * All upstreams of one import. Blocks of `http` and `stream` have names of their own there; here they share one map. A block is
 * read when something uses it.
 */
export class NginxUpstreams {
  private readonly drafts = new Map<string, UpstreamDraft>()
  private readonly byBlock = new Map<string, string>()
  private readonly blocks = new Map<string, Directive>()
  /** Variants by the name of what they are made from. */
  private readonly variants = new Map<string, string[]>()
  private readonly notes: ImportNotes

  constructor(notes: ImportNotes) {
    this.notes = notes
  }

  /** Takes an `upstream NAME { … }` of `part` (`http` or `stream`). */
  declare(block: Directive, part: string): void {
    const name = this.freeName(ourName(block.args[0] ?? ''))
    this.byBlock.set(`${part} ${block.args[0]}`, name)
    this.blocks.set(name, block)
    this.notes.take(block)
  }

  /**
   * Those that `isUsed` names, and what each is to be called: a block of which only one variant is used gives it its own name.
   */
  used(isUsed: (name: string) => boolean): {
    readonly drafts: Record<string, UpstreamDraft>
    renamed: Map<string, string>
  } {
    const drafts: Record<string, UpstreamDraft> = {}
    const renamed = new Map<string, string>()
    for (const [name, made] of this.variants) {
      const others = made.filter(isUsed)
      if (!isUsed(name) && others.length === 1) renamed.set(others[0]!, name)
    }
    for (const [name, draft] of this.drafts) if (isUsed(name)) drafts[renamed.get(name) ?? name] = draft
    for (const [name, block] of this.blocks)
      if (
        drafts[name] === undefined &&
        ![...this.drafts.keys()].some((each) => each === name || each.startsWith(`${name}-`))
      )
        this.notes.tell(block, 'nothing that is carried over uses it: left out')
    return { drafts, renamed }
  }

  /** The name of the upstream for `host[:port]` or a declared block; undefined when it cannot be one. */
  nameFor(
    part: string,
    target: string,
    defaultPort: number | undefined,
    tls: UpstreamDraft | undefined,
  ): string | undefined {
    const declared = this.byBlock.get(`${part} ${target}`)
    if (declared !== undefined) {
      const block = this.blocks.get(declared)
      if (block !== undefined && !this.drafts.has(declared)) this.drafts.set(declared, upstreamDraft(block, this.notes))
      return tls === undefined ? declared : this.variant(declared, 'tls', tls)
    }
    const address = addressOf(target, defaultPort)
    if (address === undefined) return undefined
    const key = `${part} ${address} ${JSON.stringify(tls ?? null)}`
    const known = this.byBlock.get(key)
    if (known !== undefined) return known
    const name = this.nameOf(address)
    this.byBlock.set(key, name)
    this.drafts.set(name, { ...sourceOf(address), ...tls })
    return name
  }

  /** The same upstream with other settings, such as `protocol: http2`; made once for each. */
  variant(name: string, suffix: string, settings: UpstreamDraft): string {
    const base = this.drafts.get(name) ?? {}
    if (Object.entries(settings).every(([key, value]) => JSON.stringify(base[key]) === JSON.stringify(value)))
      return name
    const key = `variant ${name} ${JSON.stringify(settings)}`
    const known = this.byBlock.get(key)
    if (known !== undefined) return known
    const made = this.freeName(`${name}-${suffix}`)
    this.byBlock.set(key, made)
    this.variants.set(name, [...(this.variants.get(name) ?? []), made])
    this.drafts.set(made, { ...base, ...settings })
    return made
  }

  /** Of `app:3000`: `app`; where that is taken, `app-3000`. */
  private nameOf(address: string): string {
    const [, host = '', port = ''] = /^(.*):(\d+)$/.exec(address) ?? []
    const isOfLoopback = host === 'localhost' || host === '127.0.0.1' || host === '[::1]'
    const long = ourName(`${isOfLoopback ? 'local' : host.replaceAll(':', '-')}-${port}`)
    const short = host.split('.')[0] ?? ''
    if (isOfLoopback || isIpv4(host) || !/^[A-Za-z_][A-Za-z0-9_-]*$/.test(short) || this.isTaken(short))
      return this.freeName(long)
    return short
  }

  private isTaken(name: string): boolean {
    return this.drafts.has(name) || this.blocks.has(name)
  }

  private freeName(name: string): string {
    let free = name
    for (let number = 2; this.isTaken(free); number++) free = `${name}-${number}`
    return free
  }
}

/** Endpoints for an IP address, DNS for a name: nginx asks for names once, at its start; ours again and again. */
function sourceOf(address: string): UpstreamDraft {
  const host = address.replace(/:\d+$/, '')
  return isIpv4(host) || host.startsWith('[') || host === 'localhost' ? { endpoints: [address] } : { dns: address }
}

/** `host:port` that our file accepts. */
export function addressOf(target: string, defaultPort: number | undefined): string | undefined {
  const [, host, port = defaultPort] = /^(\[[0-9A-Fa-f:.]+\]|[^:/[\]]+)(?::(\d{1,5}))?$/.exec(target) ?? []
  if (host === undefined || port === undefined || Number(port) < 1 || Number(port) > 65_535) return undefined
  return host.startsWith('[') || isHost(host) ? `${host}:${port}` : undefined
}

function upstreamDraft(block: Directive, notes: ImportNotes): UpstreamDraft {
  const scope = new Scope(block.block ?? [], undefined, notes)
  notes.take(block)
  const draft: UpstreamDraft = {}
  const servers: ServerDraft[] = []
  const failures = new Set<string>()
  for (const server of scope.own('server')) serverDraft(server, servers, failures, notes)
  if (servers.length > 0)
    draft['endpoints'] = servers.map((server) => (Object.keys(server).length === 1 ? server.address : server))
  else {
    notes.tell(
      block,
      'has no server that could be carried over: 127.0.0.1:9, where nothing answers, stands in for them',
    )
    draft['endpoints'] = ['127.0.0.1:9']
  }
  // nginx counts no failures of a server that is alone.
  if (servers.length < 2) failures.clear()
  if (failures.size === 1) Object.assign(draft, outlierOf([...failures][0]!))
  else if (failures.size > 1)
    notes.tell(block, 'max_fails and fail_timeout differ between servers: outlier has its defaults')
  const balance = balanceOf(scope, servers)
  if (balance !== undefined) draft['balance'] = balance
  const keepalive = wholeNumber(scope.args('keepalive')[0], 0, 65_536)
  if (keepalive !== undefined) draft['idleConnections'] = keepalive
  const idle = nginxTimeMs(scope.args('keepalive_timeout')[0])
  if (idle !== undefined) draft['idleTimeout'] = ourTime(idle, 100, 86_400_000)
  const requests = wholeNumber(scope.args('keepalive_requests')[0], 1, 1_000_000_000)
  if (requests !== undefined) draft['requestsPerConnection'] = requests
  scope.own('zone')
  for (const other of scope.directives) if (!notes.isTaken(other)) notes.tell(other, 'not carried over')
  return draft
}

function serverDraft(server: Directive, servers: ServerDraft[], failures: Set<string>, notes: ImportNotes): void {
  const [target = '', ...rest] = server.args
  const address = addressOf(target, 80)
  if (address === undefined) {
    const isSocket = target.startsWith('unix:')
    return notes.tell(
      server,
      isSocket
        ? 'Unix sockets are not reached: let the service listen on loopback too, and put that address into endpoints'
        : 'is no host and port: left out',
    )
  }
  const draft: ServerDraft = { address }
  let maxFails: string | undefined
  let failTimeout: string | undefined
  for (const arg of rest) {
    const [key, value] = arg.split('=', 2) as [string, string?]
    if (key === 'weight') draft.weight = wholeNumber(value, 1, 65_535) ?? 1
    else if (key === 'backup') draft.priority = 1
    else if (key === 'max_fails') maxFails = value
    else if (key === 'fail_timeout') failTimeout = value
    else if (key === 'down') return notes.tell(server, 'is down: left out')
    else notes.tell(server, `${key} is not carried over${parameterCures[key ?? ''] ?? ''}`)
  }
  if (maxFails !== undefined || failTimeout !== undefined) failures.add(`${maxFails ?? '1'} ${failTimeout ?? '10s'}`)
  if (servers.some((other) => other.address === address)) notes.tell(server, 'stands twice: kept once')
  else servers.push(draft)
}

const parameterCures: Readonly<Record<string, string>> = {
  max_conns: ': requests under way are not bounded by server',
  resolve: ': say dns: HOST:PORT instead of endpoints, which asks again and again',
  service: ': say dns with an SRV name instead of endpoints',
  slow_start: ': see slowStart of the upstream',
}

function outlierOf(failures: string): UpstreamDraft {
  const [maxFails = '', timeout = ''] = failures.split(' ')
  const count = wholeNumber(maxFails, 0, 10_000)
  if (count === 0 || nginxTimeMs(timeout) === 0) return { outlier: 'off' }
  const ejection = ourTime(nginxTimeMs(timeout) ?? 10_000, 100, 86_400_000)
  if (count === undefined) return {}
  return { outlier: { failures: count, ejection, ejectionMax: ejection, ejectedMax: '100%' } }
}

function balanceOf(scope: Scope, servers: readonly ServerDraft[]): unknown {
  const isWeighted = servers.some(({ weight }) => weight !== undefined)
  if (scope.own('least_conn').length > 0) return 'least-connections'
  if (scope.own('ip_hash').length > 0) return 'ip-hash'
  const random = scope.own('random')[0]
  if (random !== undefined) {
    const [two, method] = random.args
    if (two === 'two') {
      if (method !== undefined && method !== 'least_conn')
        scope.notes.tell(random, 'became p2c, which weighs requests under way and latency')
      return 'p2c'
    }
    return isWeighted ? 'weighted-random' : 'random'
  }
  const hash = scope.own('hash')[0]
  if (hash === undefined) return isWeighted ? 'weighted-round-robin' : undefined
  const key = hashKeyOf(hash.args[0] ?? '')
  if (key === undefined) {
    scope.notes.tell(hash, 'this key cannot be hashed: client-ip is used')
    return { policy: 'rendezvous' }
  }
  return { policy: hash.args[1] === 'consistent' ? 'ketama' : 'rendezvous', key }
}

/** `$remote_addr`, `$request_uri` (without its query), `$http_x_user`, `$cookie_id`, `$arg_id`. */
function hashKeyOf(variable: string): string | undefined {
  if (/^\$(binary_)?remote_addr$/.test(variable)) return 'client-ip'
  if (/^\$(request_uri|uri)$/.test(variable)) return 'path'
  const [, type, name] = /^\$(http|cookie|arg)_([A-Za-z0-9_]+)$/.exec(variable) ?? []
  if (type === 'http') return `header:${name!.replaceAll('_', '-').toLowerCase()}`
  if (type === 'cookie') return `cookie:${name}`
  return type === 'arg' ? `query:${name}` : undefined
}
