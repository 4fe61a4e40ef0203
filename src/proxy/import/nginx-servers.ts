/** `server` blocks of `http`: who listens where, and which server a request belongs to. */
import { isHost, isIpv4, isIpv6 } from '../config/index.ts'
import type { RequestFacts } from './nginx-conditions.ts'
import { type Location, locationsOf, orderedPaths } from './nginx-locations.ts'
import {
  contentRoutes,
  type NginxImport,
  type RouteDraft,
  rewriteRoutes,
  routesOf,
  unsupported,
} from './nginx-route.ts'
import type { Directive } from './nginx-syntax.ts'
import {
  bothForms,
  escapeRegex,
  isFile,
  nginxSize,
  nginxTimeMs,
  ourRegex,
  ourSize,
  ourTime,
  wholeNumber,
} from './nginx-values.ts'
import type { Scope } from './scope.ts'
import { comment } from './written.ts'

export type ListenerDraft = Record<string, unknown>

interface Listening {
  readonly host: string
  readonly port: number
  readonly directive: Directive
  readonly flags: ReadonlySet<string>
}

interface Server {
  readonly scope: Scope
  readonly directive: Directive
  readonly names: readonly string[]
}

interface Member {
  readonly server: Server
  readonly listen: Listening
}

/** One listener an address; the routes of its servers in nginx's order of names. */
export function httpListeners(http: Scope, shared: NginxImport): readonly ListenerDraft[] {
  const byAddress = new Map<string, Member[]>()
  for (const directive of http.own('server')) {
    const scope = http.inside(directive)
    const server: Server = { scope, directive, names: serverNames(scope) }
    for (const listen of listensOf(scope, directive)) {
      const key = addressText(listen)
      byAddress.set(key, [...(byAddress.get(key) ?? []), { server, listen }])
    }
  }
  mergeFamilies(byAddress)
  return [...byAddress].map(([address, members]) => listenerDraft(address, members, shared))
}

function addressText({ host, port }: { readonly host: string; readonly port: number }): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** nginx listens at 0.0.0.0 and [::] apart; our [::] takes both. */
function mergeFamilies(byAddress: Map<string, Member[]>): void {
  for (const [address, members] of [...byAddress]) {
    const port = /^\[::\]:(\d+)$/.exec(address)?.[1]
    const four = byAddress.get(`0.0.0.0:${port}`)
    if (port === undefined || four === undefined) continue
    byAddress.delete(`0.0.0.0:${port}`)
    byAddress.set(address, [...four, ...members.filter(({ server }) => !four.some((other) => other.server === server))])
  }
}

function serverNames(scope: Scope): readonly string[] {
  return scope.own('server_name').flatMap((directive) =>
    directive.args.flatMap((written) => {
      const name = written.toLowerCase()
      if (name === '' || name === '_') return []
      if (name.startsWith('.') && isHost(name.slice(1))) return [name.slice(1), `*${name}`]
      const rest = name.startsWith('*.') ? name.slice(2) : name
      if (isHost(rest)) return [name]
      if (patternOf(written) !== undefined) return [written]
      scope.notes.tell(directive, `${written} is neither a name nor *.suffix: left out`)
      return []
    }),
  )
}

/** `shop.*` and `~^www\d+\.` as an expression for the Host field, which may have a port; undefined when it is neither. */
function patternOf(name: string): string | undefined {
  if (name.endsWith('.*') && isHost(name.slice(0, -2))) return bothForms(`^${escapeRegex(name.slice(0, -1))}`)
  const regex = name.startsWith('~') ? ourRegex(name.slice(1)) : undefined
  return regex === undefined ? undefined : bothForms(regex.regex.replace(/(?<!\\)\$$/, '(?::\\d+)?$'))
}

function listensOf(scope: Scope, server: Directive): readonly Listening[] {
  const directives = scope.own('listen')
  if (directives.length === 0) return [{ host: '0.0.0.0', port: 80, directive: server, flags: new Set() }]
  return directives.flatMap((directive) => {
    const [target = '', ...flags] = directive.args
    const [, host = '*', port = '80'] = /^(?:(\[[0-9A-Fa-f:]+\]|\*|[^:/[\]]+))?(?::?(\d{1,5}))?$/.exec(target) ?? [
      '',
      '',
    ]
    const isPortAlone = /^\d{1,5}$/.test(target)
    const address = isPortAlone ? '0.0.0.0' : host === '*' ? '0.0.0.0' : host.replace(/^\[|\]$/g, '')
    const number = Number(isPortAlone ? target : port)
    if (target.startsWith('unix:') || !(isHost(address) || isIpv6(address)) || number > 65_535) {
      scope.notes.tell(directive, 'is no address and port: left out')
      return []
    }
    if (flags.includes('quic')) {
      scope.notes.tell(directive, 'HTTP/3 is not spoken: left out')
      return []
    }
    return [{ host: address, port: number, directive, flags: new Set(flags) }]
  })
}

/** `listen … ssl`, or the old `ssl on`, which is of all that the server listens at. */
function isSecureMember({ server, listen }: Member): boolean {
  return listen.flags.has('ssl') || server.scope.args('ssl')[0] === 'on'
}

function listenerDraft(address: string, members: readonly Member[], shared: NginxImport): ListenerDraft {
  const first = members[0]!
  const fallback =
    members.find(({ listen }) => listen.flags.has('default_server') || listen.flags.has('default')) ?? first
  const draft: ListenerDraft = { address }
  const isSecure = members.some(isSecureMember)
  if (isSecure) draft['tls'] = tlsOf(fallback, members)
  const hasHttp2 = members.some(
    ({ listen, server }) => listen.flags.has('http2') || server.scope.args('http2')[0] === 'on',
  )
  // Without TLS only clients that know of it beforehand speak HTTP/2.
  if (isSecure && !hasHttp2) draft['http2'] = false
  if (members.some(({ listen }) => listen.flags.has('proxy_protocol')))
    draft['proxyProtocolFrom'] = ['0.0.0.0/0', '::/0']
  const scope = fallback.server.scope
  Object.assign(draft, realIp(scope, draft))
  const limits = limitsOf(scope)
  if (limits !== undefined) draft['limits'] = limits
  const routes = listenerRoutes(members, fallback, shared, { isSecure, port: fallback.listen.port })
  if (takesOwnIds(routes)) draft['requestIds'] = 'replace'
  else if (JSON.stringify(routes).includes('$request_id'))
    scope.notes.tell(
      fallback.server.directive,
      '$request_id is what the client sent as x-request-id, where it sent one; requestIds: replace takes none, as nginx does',
    )
  draft['routes'] = routes
  return draft
}

/**
 * Whether `x-request-id` is set to nginx's own id somewhere; `requestIds` of the listener does that, and nginx's `$request_id`
 * is never the client's. Takes those edits out of the routes.
 */
function takesOwnIds(routes: readonly RouteDraft[]): boolean {
  let found = false
  for (const route of routes) {
    const edits = route['requestHeaders'] as { set?: Record<string, string> } | undefined
    if (edits?.set?.['x-request-id'] !== '$request_id') continue
    found = true
    delete edits.set['x-request-id']
    if (Object.keys(edits.set).length === 0) delete edits.set
    if (Object.keys(edits).length === 0) delete (route as Record<string, unknown>)['requestHeaders']
  }
  return found
}

/** An IP address, alone or with the length of its network. */
function isNetwork(text: string): boolean {
  const [, address = '', length = '0'] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? []
  if (isIpv4(address)) return Number(length) <= 32
  return address.includes(':') && isIpv6(address) && Number(length) <= 128
}

/** `set_real_ip_from` with `real_ip_header`: whom to believe who the client is. */
function realIp(scope: Scope, { proxyProtocolFrom }: ListenerDraft): ListenerDraft {
  const trusted = scope.all('set_real_ip_from').flatMap((directive) => {
    const range = directive.args[0] ?? ''
    if (isNetwork(range)) return [range]
    scope.notes.tell(directive, 'is no network: left out')
    return []
  })
  const header = scope.one('real_ip_header')
  if (trusted.length === 0) return {}
  const name = (header?.args[0] ?? 'X-Real-IP').toLowerCase()
  if (name === 'proxy_protocol') return proxyProtocolFrom === undefined ? {} : { proxyProtocolFrom: trusted }
  if (header !== undefined && name !== 'x-forwarded-for')
    scope.notes.tell(header, 'the client is who X-Forwarded-For says, where one of trustedProxies sends it')
  return { trustedProxies: trusted }
}

type ListenerFacts = Pick<RequestFacts, 'isSecure' | 'port'>

/** nginx looks for exact names first, then the longest `*.suffix`, then the default server. */
function listenerRoutes(
  members: readonly Member[],
  fallback: Member,
  shared: NginxImport,
  facts: ListenerFacts,
): readonly RouteDraft[] {
  const routes: RouteDraft[] = []
  const groups = nameGroups(members)
  const foreign = groups.filter(({ server }) => server !== fallback.server).flatMap(({ names }) => names)
  for (const { server, names } of groups) {
    // The default server's own names matter only where a suffix of another would take them.
    const isOwn = server === fallback.server
    const isContested = names.some((name) => foreign.some((other) => covers(other, name) || mayTake(other, name)))
    if (!isOwn || isContested) routes.push(...serverRoutes(server, names, shared, facts))
  }
  routes.push(...serverRoutes(fallback.server, [], shared, facts))
  return routes
}

interface NameGroup {
  readonly server: Server
  readonly names: readonly string[]
}

/** `*.example` takes `a.example` and `*.a.example`. */
function covers(suffix: string, name: string): boolean {
  return suffix.startsWith('*.') && name !== suffix && name.endsWith(suffix.slice(1))
}

/** Whether the expression of a name may take what another name takes too. */
function mayTake(other: string, name: string): boolean {
  const pattern = patternOf(other)
  return pattern !== undefined && (!isHost(name) || name.startsWith('*') || new RegExp(pattern).test(name))
}

/** The names of the servers, in the order in which they must be tried; those of one server together where that changes nothing. */
function nameGroups(members: readonly Member[]): readonly NameGroup[] {
  const taken = new Map<string, Server>()
  for (const { server } of members) for (const name of server.names) if (!taken.has(name)) taken.set(name, server)
  const all = [...taken].filter(([name]) => patternOf(name) === undefined)
  const isSuffix = ([name]: readonly [string, Server]): boolean => name.startsWith('*.')
  const suffixes = all.filter(isSuffix).sort((a, b) => b[0].length - a[0].length)
  const groups: { server: Server; names: string[] }[] = []
  for (const server of new Set(all.filter((each) => !isSuffix(each)).map(([, each]) => each)))
    groups.push({ server, names: all.filter((each) => !isSuffix(each) && each[1] === server).map(([name]) => name) })
  for (const [suffix, server] of suffixes) {
    const own = groups.findIndex((group) => group.server === server)
    const others = all.filter(([, each]) => each !== server)
    // Nothing of another server lies within this suffix, or around what is put together with it.
    const isApart = !others.some(([name]) => covers(suffix, name) || covers(name, suffix))
    if (own !== -1 && isApart) groups[own]!.names.push(suffix)
    else groups.push({ server, names: [suffix] })
  }
  // Then the longest `name.*`, then the expressions in the order of the file.
  const patterns = [...taken].filter(([name]) => patternOf(name) !== undefined)
  const wide = patterns.filter(([name]) => !name.startsWith('~')).sort((a, b) => b[0].length - a[0].length)
  for (const [name, server] of [...wide, ...patterns.filter(([each]) => each.startsWith('~'))])
    groups.push({ server, names: [name] })
  return groups
}

function serverRoutes(
  server: Server,
  names: readonly string[],
  shared: NginxImport,
  listener: ListenerFacts,
): readonly RouteDraft[] {
  const pattern = names.length === 1 ? patternOf(names[0]!) : undefined
  const host: RouteDraft =
    pattern !== undefined
      ? { headers: { host: { regex: pattern } } }
      : names.length === 0
        ? {}
        : { host: names.length === 1 ? names[0] : names }
  const { scope, directive } = server
  const facts: RequestFacts = { ...listener, names: pattern === undefined ? names : [] }
  const of = (route: RouteDraft, path: RouteDraft = {}): RouteDraft => {
    const headers = { ...(host['headers'] as RouteDraft | undefined), ...(route['headers'] as RouteDraft | undefined) }
    return withoutUndefined({ ...host, ...path, ...route, headers })
  }
  const whole = rewriteRoutes(scope, undefined, shared, facts)
  const routes: RouteDraft[] = whole.routes.map((route) => of(route))
  if (whole.hasEnded) {
    scope.takeAll()
    return routes
  }
  const locations = locationsOf(scope)
  for (const path of new Set(slashRedirects(locations)))
    routes.push({
      ...host,
      path: { exact: path },
      redirect: { location: `$scheme://$http_host${inLocation(path)}/$is_args$args`, status: 301 },
      [comment]: 'as nginx does',
    })
  const paths = orderedPaths(locations)
  for (const { path, location } of paths) {
    const isInternal = location.scope.own('internal').length > 0
    if (isInternal) location.scope.takeAll()
    const made = isInternal
      ? [{ respond: 404 }]
      : (routesOf(location.scope, location, shared, facts) ?? unsupported(location.scope, location.directive))
    // A string is a prefix here, and ends at a slash. What is refused is refused as nginx does it.
    const isOpen = typeof path === 'string' && !path.endsWith('/')
    const refuses = made.some(({ respond }) => typeof respond === 'number' && respond >= 400)
    if (isOpen && !refuses && made.some((route) => !('path' in route)))
      scope.notes.tell(
        location.directive,
        'takes this path and what is below it; nginx would also take it with more letters',
      )
    const at = isOpen && refuses ? { regex: `^${escapeRegex(path)}` } : path
    for (const route of made) routes.push(of(route, path === '/' ? {} : { path: at }))
  }
  if (paths.some(({ path }) => path === '/')) return routes
  // A request that no location takes is nginx's own: it must not fall to the next server.
  const rest = contentRoutes(scope, undefined, shared, facts)
  const hasNone = rest === undefined && names.length === 0 && routes.length > 0
  return [
    ...routes,
    ...(rest ?? (hasNone ? [{ respond: 404 }] : unsupported(scope, directive))).map((route) => of(route)),
  ]
}

/**
 * `location /x/ { proxy_pass … }` redirects `/x` to `/x/`, unless another location takes it; expressions do not
 * (`auto_redirect` in ngx_http_core_find_static_location).
 */
function slashRedirects(locations: readonly Location[]): readonly string[] {
  const taken = new Set(locations.filter(({ kind }) => kind !== 'regex').map(({ value }) => value))
  return locations.flatMap(({ kind, value, scope }) => {
    const bare = value.slice(0, -1)
    const passes = scope.directives.some(({ name }) => name === 'proxy_pass' || name === 'grpc_pass')
    return kind !== 'regex' && value.endsWith('/') && bare !== '' && passes && !taken.has(bare) ? [bare] : []
  })
}

/** A path in a template of a location: `$` would begin a variable there, and some characters no URL may hold. */
function inLocation(path: string): string {
  return path.replace(/[^A-Za-z0-9\-._~!&'()*+,;=:@%/]/g, (char) => encodeURIComponent(char))
}

function withoutUndefined(route: RouteDraft): RouteDraft {
  const entries = Object.entries(route).filter(
    ([, value]) =>
      value !== undefined && (typeof value !== 'object' || value === null || Object.keys(value).length > 0),
  )
  return Object.fromEntries(entries)
}

function tlsOf(fallback: Member, members: readonly Member[]): unknown {
  const certificates: { cert: string; key: string }[] = []
  for (const { server } of [fallback, ...members]) {
    const certs = server.scope.all('ssl_certificate')
    const keys = server.scope.all('ssl_certificate_key')
    for (const [index, { args }] of certs.entries()) {
      const cert = args[0] ?? ''
      const key = keys[index]?.args[0] ?? ''
      if (!isFile(cert) || !isFile(key))
        server.scope.notes.tell(certs[index]!, 'this certificate cannot be carried over')
      else if (!certificates.some((other) => other.cert === cert)) certificates.push({ cert, key })
    }
  }
  const { scope, directive } = fallback.server
  if (certificates.length === 0) {
    scope.notes.tell(directive, 'has no certificate: put one where the file says so')
    certificates.push({ cert: 'put-a-certificate-here.pem', key: 'put-its-key-here.pem' })
  }
  const tls: Record<string, unknown> = certificates.length === 1 ? { ...certificates[0] } : { certificates }
  const protocols = scope.all('ssl_protocols').flatMap(({ args }) => args)
  if (protocols.length > 0 && !protocols.includes('TLSv1.2') && protocols.includes('TLSv1.3')) tls['minVersion'] = '1.3'
  if (protocols.some((protocol) => ['TLSv1', 'TLSv1.1', 'SSLv3'].includes(protocol)))
    scope.notes.tell(scope.one('ssl_protocols')!, 'versions before 1.2 are not offered')
  const ca = scope.args('ssl_client_certificate')[0]
  const verify = scope.args('ssl_verify_client')[0]
  if (verify === 'optional_no_ca')
    scope.notes.tell(scope.one('ssl_verify_client')!, 'clients are not asked for certificates that nobody signed')
  if (isFile(ca) && (verify === 'on' || verify === 'optional')) {
    tls['clientCa'] = ca
    if (verify === 'optional') tls['clientCertificate'] = 'optional'
  }
  return tls
}

function limitsOf(scope: Scope): unknown {
  const limits: Record<string, unknown> = {}
  const time = (directive: string, key: string): void => {
    const ms = nginxTimeMs(scope.args(directive)[0])
    if (ms !== undefined && ms > 0) limits[key] = ourTime(ms, 100, 3_600_000)
  }
  time('client_header_timeout', 'headTimeout')
  time('client_body_timeout', 'bodyIdleTimeout')
  time('keepalive_timeout', 'idleTimeout')
  const requests = wholeNumber(scope.args('keepalive_requests')[0], 1, 1_000_000_000)
  if (requests !== undefined) limits['requestsPerConnection'] = requests
  const streams = wholeNumber(scope.args('http2_max_concurrent_streams')[0], 1, 10_000)
  if (streams !== undefined) limits['http2Streams'] = streams
  const [count, each] = scope.args('large_client_header_buffers')
  const head = (wholeNumber(count, 1, 1_024) ?? 0) * (nginxSize(each) ?? 0)
  if (head > 0) limits['head'] = ourSize(Math.min(1024 * 1024, Math.max(1_024, head)))
  return Object.keys(limits).length > 0 ? limits : undefined
}
