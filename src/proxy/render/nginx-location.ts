/** The body of a location: what nginx does with requests of one route. */
import type { HttpListenerConfig, RouteConfig } from '../config/index.ts'
import { literal, quoted, template, wordBytesMax } from './nginx-text.ts'
import { upstreamName } from './nginx-upstream.ts'
import { pcreOf } from './pcre.ts'
import { decodedPath, escapeRegex, type RenderedUpstream, seconds, type Warnings, warnRoute } from './rendering.ts'

/** What bodies need outside of them, collected while they are written. */
export interface NginxParts {
  /** Lines of `http`: maps, splits, zones. */
  readonly http: string[]
  /** Locations that mirrors are sent to, by server. */
  readonly mirrors: string[]
  readonly upstreams: ReadonlyMap<string, RenderedUpstream>
  readonly warnings: Warnings
  /** Zones of rate limits by route: a route may stand in several servers, and its limit is one. */
  readonly zones: Map<string, string>
  /** A number not given before. */
  next(): number
}

export function locationBody(route: RouteConfig, listener: HttpListenerConfig, parts: NginxParts): string[] {
  const lines = [...groups(route)]
  const { action } = route
  lines.push(...addedHeaders(route))
  if (action.type === 'redirect')
    return [...lines, `return ${action.status} ${template(action.location, '$remote_addr')};`]
  if (action.type === 'respond') return [...lines, ...respond(route, parts)]
  warnRoute(route, parts.warnings, 'nginx')
  const upstream = parts.upstreams.get(action.to[0]!.upstream)
  if (upstream === undefined) return ['return 503;']
  lines.push(...rewrites(route), ...limits(route, parts), ...requestHeaders(route, listener, parts))
  lines.push(
    ...mirror(route, parts),
    ...locationRewrites(route),
    ...transfer(route, upstream, parts),
    ...tls(upstream, parts),
    passTo(route, upstream, parts),
  )
  return lines
}

/** `$1`… of the path's expression, kept under names that no later expression changes. */
function groups(route: RouteConfig): string[] {
  const { path } = route.match
  if (path.type !== 'regex') return []
  const texts = [
    ...[
      ...route.requestHeaders.set,
      ...route.requestHeaders.add,
      ...route.responseHeaders.set,
      ...route.responseHeaders.add,
    ].map(([, value]) => value),
    ...route.locationRewrites.flatMap(({ from, to }) => [from, to]),
    route.action.type === 'redirect' ? route.action.location : '',
  ].join(' ')
  const numbers = [...new Set([...texts.matchAll(/\$([1-9])/g)].map(([, number]) => number!))]
  if (numbers.length === 0) return []
  const sets = numbers.map((number) => `set $synod_${number} $${number};`).join(' ')
  return [`if ($uri ${path.value.ignoreCase ? '~*' : '~'} ${quoted(pcreOf(path.value.source))}) { ${sets} }`]
}

function respond(route: RouteConfig, parts: NginxParts): string[] {
  if (route.action.type !== 'respond') return []
  const { status, body, contentType } = route.action
  const text = literal(body)
  if (Buffer.byteLength(text) > wordBytesMax)
    parts.warnings.add(route.name, `its body is left out: nginx reads at most ${wordBytesMax} bytes`)
  if (body === '' || Buffer.byteLength(text) > wordBytesMax) {
    // Without a text nginx would send a page of its own for errors.
    return [
      `default_type ${literal(contentType)};`,
      status < 300 && status !== 200 ? `return ${status};` : `return ${status} "";`,
    ]
  }
  return [`default_type ${literal(contentType)};`, `return ${status} ${text};`]
}

function rewrites(route: RouteConfig): string[] {
  const target = route.rewrite.path
  if (target === undefined) return []
  const { path } = route.match
  if (path.type === 'regex') {
    const flags = path.value.ignoreCase ? '(?i)' : ''
    return [`rewrite ${quoted(flags + pcreOf(path.value.source))} ${replacement(target)} break;`]
  }
  if (path.type === 'exact') return [`rewrite "^" ${replacement(target)} break;`]
  const pattern = escapeRegex(decodedPath(path.value))
  const front = target.replaceAll('$', '$$$$')
  if (path.value.endsWith('/') && !target.endsWith('/'))
    return [
      `rewrite ${quoted(`^${pattern}$`)} ${replacement(front)} break;`,
      `rewrite ${quoted(`^${pattern}(.+)$`)} ${replacement(`${front}/$1`)} break;`,
    ]
  const slash = target.endsWith('/') && !path.value.endsWith('/') ? '/?' : ''
  return [`rewrite ${quoted(`^${pattern}${slash}(.*)$`)} ${replacement(`${front}$1`)} break;`]
}

/** nginx knows `$1` in a replacement; its arguments are kept. */
function replacement(target: string): string {
  const parts = target
    .split(/(\$[1-9])/)
    .map((part) => (/^\$[1-9]$/.test(part) ? part : literal(part.replaceAll('$$', '$')).slice(1, -1)))
  return `"${parts.join('')}"`
}

function limits(route: RouteConfig, parts: NginxParts): string[] {
  const lines = [`client_max_body_size ${route.requestBodyBytesMax};`]
  const limit = route.rateLimit
  if (limit === undefined) return lines
  const known = parts.zones.get(route.name)
  const zone = known ?? `synod_rate_${parts.next()}`
  parts.zones.set(route.name, zone)
  const perMinute = limit.requestsPerSecond < 10
  const rate = Math.max(1, Math.round(limit.requestsPerSecond * (perMinute ? 60 : 1)))
  const variable = limit.key.type === 'header' ? `http_${limit.key.name.replaceAll('-', '_')}` : 'binary_remote_addr'
  const key = /^[a-z0-9_]+$/.test(variable) ? `$${variable}` : '$binary_remote_addr'
  if (known === undefined)
    parts.http.push(`limit_req_zone ${key} zone=${zone}:10m rate=${rate}r/${perMinute ? 'm' : 's'};`)
  return [
    ...lines,
    `limit_req zone=${zone}${limit.burst > 1 ? ` burst=${limit.burst - 1} nodelay` : ''};`,
    'limit_req_status 429;',
  ]
}

function requestHeaders(route: RouteConfig, listener: HttpListenerConfig, parts: NginxParts): string[] {
  const { remove, set, add } = route.requestHeaders
  const fields = new Map<string, string>()
  fields.set('Host', route.rewrite.host === undefined ? '"$http_host"' : quoted(route.rewrite.host))
  fields.set('Upgrade', '$http_upgrade')
  fields.set('Connection', '$synod_connection')
  const forwards = listener.forwardedHeaders === 'x-forwarded' || listener.forwardedHeaders === 'both'
  for (const [name, variable] of [
    ['X-Forwarded-For', '$synod_forwarded_for'],
    ['X-Forwarded-Proto', '$synod_forwarded_proto'],
    ['X-Forwarded-Host', '$synod_forwarded_host'],
    ['X-Forwarded-Port', '$synod_forwarded_port'],
  ] as const)
    fields.set(name, forwards ? variable : '""')
  if (listener.forwardedHeaders === 'forwarded' || listener.forwardedHeaders === 'both')
    parts.warnings.add(listener.name, 'nginx is not made to send Forwarded (RFC 7239): only X-Forwarded-* are')
  fields.set('Forwarded', '""')
  if (listener.requestIds !== 'pass') fields.set('X-Request-ID', '$synod_request_id')
  const keyOf = (name: string): string => [...fields.keys()].find((known) => known.toLowerCase() === name) ?? name
  for (const name of remove) fields.set(keyOf(name), '""')
  for (const [name, value] of set) fields.set(keyOf(name), template(value, '$remote_addr'))
  for (const [name, value] of add) fields.set(keyOf(name), appended(name, value, parts))
  return [...fields].map(([name, value]) => `proxy_set_header ${quoted(name)} ${value};`)
}

/** nginx sends a field once: a second value goes into the same line. */
function appended(name: string, value: string, parts: NginxParts): string {
  const variable = name.replaceAll('-', '_')
  const text = template(value, '$remote_addr')
  if (!/^[a-z0-9_]+$/.test(variable)) return text
  const made = `$synod_header_${parts.next()}`
  parts.http.push(`map $http_${variable} ${made} { "" ${text}; default "$http_${variable}, ${text.slice(1)}; }`)
  return made
}

function addedHeaders(route: RouteConfig): string[] {
  const { remove, set, add } = route.responseHeaders
  const isForward = route.action.type === 'forward'
  const hidden = [...remove, ...set.map(([name]) => name)]
  return [
    ...(isForward ? hidden.map((name) => `proxy_hide_header ${quoted(name)};`) : []),
    ...[...set, ...add].map(([name, value]) => `add_header ${quoted(name)} ${template(value, '$remote_addr')} always;`),
  ]
}

function mirror(route: RouteConfig, parts: NginxParts): string[] {
  if (route.mirror === undefined) return []
  const number = parts.next()
  const { upstream, percent } = route.mirror
  const target = parts.upstreams.get(upstream)
  const scheme = target?.config.tls === undefined ? 'http' : 'https'
  const lines = ['internal;']
  if (percent < 100) {
    parts.http.push(`split_clients "$request_id" $synod_mirror_${number} { ${percent.toFixed(2)}% 1; * ""; }`)
    lines.push(`if ($synod_mirror_${number} = "") { return 204; }`)
  }
  lines.push('proxy_http_version 1.1;', 'proxy_set_header Host "$http_host";', 'proxy_set_header Connection "";')
  lines.push(`proxy_pass ${scheme}://${upstreamName(upstream)}$request_uri;`)
  parts.mirrors.push(`location = /.synod-mirror-${number} {`, ...lines.map((line) => `  ${line}`), '}')
  return [`mirror /.synod-mirror-${number};`]
}

function locationRewrites(route: RouteConfig): string[] {
  return route.locationRewrites.map(
    ({ from, to }) => `proxy_redirect ${template(from, '$remote_addr')} ${template(to, '$remote_addr')};`,
  )
}

const retryWords: Readonly<Record<string, readonly string[]>> = {
  'connect-failure': ['error'],
  'broken-connection': ['error', 'invalid_header'],
  timeout: ['timeout'],
  '502': ['http_502'],
  '503': ['http_503'],
  '504': ['http_504'],
  'gateway-error': ['http_502', 'http_503', 'http_504'],
}

function transfer(route: RouteConfig, { config }: RenderedUpstream, parts: NginxParts): string[] {
  const { retry, timeouts, sticky } = route
  if (sticky !== undefined) parts.warnings.add(route.name, 'nginx without its commercial part has no sticky cookies')
  const words = new Set(retry.on.flatMap((condition) => retryWords[condition] ?? []))
  if (retry.nonIdempotent) words.add('non_idempotent')
  const isRetried = retry.attemptsMax > 1 && words.size > 0
  const read = Math.max(timeouts.attemptMs === 0 ? 86_400_000 : timeouts.attemptMs, timeouts.responseIdleMs)
  if (timeouts.attemptMs !== timeouts.responseIdleMs)
    parts.warnings.add(
      route.name,
      'nginx has one time limit for the head and for each part of the answer: the longer is used',
    )
  return [
    'proxy_http_version 1.1;',
    `proxy_connect_timeout ${seconds(config.settings.connectTimeoutMs)};`,
    `proxy_read_timeout ${seconds(read)};`,
    `proxy_send_timeout ${seconds(read)};`,
    ...(isRetried
      ? [`proxy_next_upstream ${[...words].join(' ')};`, `proxy_next_upstream_tries ${retry.attemptsMax};`]
      : ['proxy_next_upstream off;']),
  ]
}

function tls({ config, endpoints }: RenderedUpstream, parts: NginxParts): string[] {
  const { tls: settings } = config
  if (settings === undefined) return []
  const name = settings.serverName ?? endpoints[0]?.host
  if (settings.serverName === undefined && endpoints.length > 1)
    parts.warnings.add(config.settings.name, 'nginx has one server name for all endpoints: set tls.serverName')
  return [
    'proxy_ssl_server_name on;',
    ...(name === undefined ? [] : [`proxy_ssl_name ${quoted(name)};`]),
    ...(settings.verify
      ? [
          'proxy_ssl_verify on;',
          'proxy_ssl_verify_depth 5;',
          `proxy_ssl_trusted_certificate ${quoted(settings.caFile ?? '/etc/ssl/certs/ca-certificates.crt')};`,
        ]
      : ['proxy_ssl_verify off;']),
    ...(settings.certFile === undefined || settings.keyFile === undefined
      ? []
      : [
          `proxy_ssl_certificate ${quoted(settings.certFile)};`,
          `proxy_ssl_certificate_key ${quoted(settings.keyFile)};`,
        ]),
  ]
}

function passTo(route: RouteConfig, first: RenderedUpstream, parts: NginxParts): string {
  if (route.action.type !== 'forward') return ''
  const targets = route.action.to.filter(({ weight }) => weight > 0)
  const scheme = first.config.tls === undefined ? 'http' : 'https'
  if (first.config.protocol === 'http2')
    parts.warnings.add(first.name, 'nginx speaks HTTP/1.1 to upstreams: HTTP/2 is not used')
  if (
    targets.some(
      ({ upstream }) => (parts.upstreams.get(upstream)?.config.tls === undefined) !== (first.config.tls === undefined),
    )
  )
    parts.warnings.add(route.name, 'nginx cannot split between an upstream with TLS and one without')
  if (targets.length === 1) return `proxy_pass ${scheme}://${upstreamName(targets[0]!.upstream)};`
  const variable = `$synod_split_${parts.next()}`
  parts.http.push(`split_clients "$request_id" ${variable} { ${splitLines(targets).join(' ')} }`)
  return `proxy_pass ${scheme}://${variable};`
}

function splitLines(targets: readonly { readonly upstream: string; readonly weight: number }[]): string[] {
  const sum = targets.reduce((total, { weight }) => total + weight, 0)
  return targets.map(({ upstream, weight }, index) => {
    const share = index === targets.length - 1 ? '*' : `${Math.max(0.01, (weight * 100) / sum).toFixed(2)}%`
    return `${share} ${upstreamName(upstream)};`
  })
}
