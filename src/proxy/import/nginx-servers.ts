/** `server` blocks of `http`: who listens where, and which server a request belongs to. */
import { isHost, isIpv6 } from '../config/index.ts'
import { type Location, locationsOf, orderedPaths } from './nginx-locations.ts'
import { type NginxImport, type RouteDraft, routeOf, unsupportedRoute } from './nginx-route.ts'
import type { Directive } from './nginx-syntax.ts'
import { isFile, nginxSize, nginxTimeMs, ourSize, ourTime, wholeNumber } from './nginx-values.ts'
import type { Scope } from './scope.ts'

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
      scope.notes.tell(directive, `${written} is neither a name nor *.suffix: left out`)
      return []
    }),
  )
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
    return [{ host: address, port: number, directive, flags: new Set(flags) }]
  })
}

function listenerDraft(address: string, members: readonly Member[], shared: NginxImport): ListenerDraft {
  const first = members[0]!
  const fallback =
    members.find(({ listen }) => listen.flags.has('default_server') || listen.flags.has('default')) ?? first
  const draft: ListenerDraft = { address }
  const isSecure = members.some(({ listen }) => listen.flags.has('ssl'))
  if (isSecure) draft['tls'] = tlsOf(fallback, members)
  if (!members.some(({ listen }) => listen.flags.has('http2'))) draft['http2'] = false
  if (members.some(({ listen }) => listen.flags.has('proxy_protocol')))
    draft['proxyProtocolFrom'] = ['0.0.0.0/0', '::/0']
  const scope = fallback.server.scope
  const trusted = scope
    .all('set_real_ip_from')
    .map(({ args }) => args[0] ?? '')
    .filter((range) => /^[0-9A-Fa-f.:]+(\/\d+)?$/.test(range))
  const realIp = scope.args('real_ip_header')[0]?.toLowerCase()
  if (trusted.length > 0 && realIp === 'x-forwarded-for') draft['trustedProxies'] = trusted
  else if (trusted.length > 0 && draft['proxyProtocolFrom'] !== undefined) draft['proxyProtocolFrom'] = trusted
  const limits = limitsOf(scope)
  if (limits !== undefined) draft['limits'] = limits
  draft['routes'] = routesOf(members, fallback, shared)
  return draft
}

/** nginx looks for exact names first, then the longest `*.suffix`, then the default server. */
function routesOf(members: readonly Member[], fallback: Member, shared: NginxImport): readonly RouteDraft[] {
  const routes: RouteDraft[] = []
  const taken = new Set<string>()
  const named = members.flatMap(({ server }) => server.names.map((name) => ({ name, server })))
  const groups = new Map<string, { readonly server: Server; readonly names: string[] }>()
  const ordered = [
    ...named.filter(({ name }) => !name.startsWith('*.')),
    ...named.filter(({ name }) => name.startsWith('*.')).sort((a, b) => b.name.length - a.name.length),
  ]
  for (const { name, server } of ordered) {
    if (taken.has(name)) continue
    taken.add(name)
    // Exact names of a server can stand together; each suffix has its own place in the order.
    const key = `${members.findIndex((each) => each.server === server)} ${name.startsWith('*.') ? name : ''}`
    const group = groups.get(key)
    if (group === undefined) groups.set(key, { server, names: [name] })
    else group.names.push(name)
  }
  const foreign = named.filter(({ server, name }) => server !== fallback.server && name.startsWith('*.'))
  for (const { server, names } of groups.values()) {
    // The default server's own names matter only where a suffix of another would take them.
    const isOwn = server === fallback.server
    const isContested = names.some((name) => foreign.some((other) => name.endsWith(other.name.slice(1))))
    if (!isOwn || isContested) routes.push(...serverRoutes(server, names, shared))
  }
  routes.push(...serverRoutes(fallback.server, [], shared))
  return routes
}

function serverRoutes(server: Server, names: readonly string[], shared: NginxImport): readonly RouteDraft[] {
  const host = names.length === 0 ? {} : { host: names.length === 1 ? names[0] : names }
  const { scope, directive } = server
  const isWhole = scope.directives.some(({ name }) => name === 'return')
  const routes: RouteDraft[] = []
  const whole = isWhole ? routeOf(scope, undefined, shared) : undefined
  if (whole !== undefined) return [{ ...host, ...whole }]
  const locations = locationsOf(scope)
  for (const path of new Set(slashRedirects(locations)))
    routes.push({
      ...host,
      path: { exact: path },
      redirect: { location: `$scheme://$http_host${inLocation(path)}/$is_args$args`, status: 301 },
    })
  const paths = orderedPaths(locations)
  for (const { path, location } of paths) {
    if (location.scope.own('internal').length > 0) continue
    const route = routeOf(location.scope, location, shared) ?? unsupportedRoute(location.scope, location.directive)
    // A string is a prefix here.
    if (typeof path === 'string' && !path.endsWith('/') && !('path' in route))
      scope.notes.tell(location.directive, `takes ${path} and what is below it; nginx would also take ${path}x`)
    routes.push({ ...host, ...(path === '/' ? {} : { path }), ...withoutUndefined(route) })
  }
  if (paths.some(({ path }) => path === '/')) return routes
  // A request that no location takes is nginx's own: it must not fall to the next server.
  return [
    ...routes,
    {
      ...host,
      ...withoutUndefined(
        routeOf(scope, undefined, shared) ??
          (names.length === 0 && routes.length > 0 ? { respond: 404 } : unsupportedRoute(scope, directive)),
      ),
    },
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
