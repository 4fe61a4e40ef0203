/** Backends for HAProxy: one for each pair of route and upstream, so that each carries the settings of its route. */
import type { EndpointAddress } from '../../traffic/upstream/index.ts'
import type { HttpListenerConfig, RouteConfig } from '../config/index.ts'
import { templateParts } from '../config/index.ts'
import { logFormat, quoted, replacement, template } from './haproxy-text.ts'
import { pcreOf } from './pcre.ts'
import {
  addressText,
  escapeRegex,
  type RenderedUpstream,
  seconds,
  type Warnings,
  warnRoute,
  warnUpstream,
} from './rendering.ts'

/** HAProxy's weights go to 256. */
const weightMax = 256
const idempotent = ['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']

/** A backend that answers by itself. */
export function answeringBackend(name: string, route: RouteConfig, warnings: Warnings): string[] {
  const { action } = route
  const lines = ['mode http']
  if (action.type === 'redirect') {
    const { text, hasGroups } = template(action.location)
    if (hasGroups) warnings.add(route.name, 'HAProxy has no groups of the path in a location: they are empty')
    lines.push(`http-request redirect location ${text} code ${action.status}`)
  } else if (action.type === 'respond') {
    const body = action.body === '' ? '' : ` content-type ${quoted(action.contentType)} string ${quoted(action.body)}`
    const headers = [...route.responseHeaders.set, ...route.responseHeaders.add].map(
      ([name, value]) => ` hdr ${quoted(name)} ${template(value).text}`,
    )
    lines.push(`http-request return status ${action.status}${body}${headers.join('')}`)
  }
  return section('backend', name, lines)
}

export function section(kind: string, name: string, lines: readonly string[]): string[] {
  return [`${kind} ${name}`, ...lines.map((line) => `  ${line}`), '']
}

/** A backend that passes requests of `route` on to `upstream`. */
export function forwardingBackend(
  name: string,
  route: RouteConfig,
  upstream: RenderedUpstream,
  listener: HttpListenerConfig,
  warnings: Warnings,
): string[] {
  warnRoute(route, warnings, 'HAProxy')
  if (route.mirror !== undefined) warnings.add(route.name, 'HAProxy does not mirror')
  return section('backend', name, [
    'mode http',
    ...balanceLines(upstream, warnings),
    ...limits(route, warnings),
    ...timeouts(route, upstream),
    ...retries(route),
    ...rewrites(route),
    ...requestHeaders(route, listener, warnings),
    ...locationRewrites(route, warnings),
    ...responseHeaders(route, warnings),
    ...sticky(route),
    ...checkLines(upstream, warnings),
    ...servers(upstream, route, warnings),
  ])
}

export function tcpBackend(
  name: string,
  upstream: RenderedUpstream,
  proxy: 0 | 1 | 2,
  idleMs: number,
  warnings: Warnings,
): string[] {
  const sends = proxy === 0 ? '' : proxy === 1 ? ' send-proxy' : ' send-proxy-v2'
  return section('backend', name, [
    'mode tcp',
    ...balanceLines(upstream, warnings),
    `timeout connect ${milliseconds(upstream.config.settings.connectTimeoutMs)}`,
    `timeout server ${milliseconds(idleMs)}`,
    `timeout tunnel ${milliseconds(idleMs)}`,
    ...checkLines(upstream, warnings),
    ...servers(upstream, undefined, warnings).map((line) => line + sends),
  ])
}

function milliseconds(ms: number): string {
  return `${ms}ms`
}

function balanceLines({ config, name }: RenderedUpstream, warnings: Warnings): string[] {
  const { policy, hashKey, boundedLoadFactor } = config.settings.balance
  const simple = {
    'round-robin': 'roundrobin',
    'weighted-round-robin': 'roundrobin',
    'least-connections': 'leastconn',
    random: 'random(1)',
    'weighted-random': 'random(1)',
    p2c: 'random(2)',
  }
  if (policy in simple) return [`balance ${simple[policy as keyof typeof simple]}`]
  if (policy === 'least-time') {
    warnings.add(name, 'HAProxy has no least-time: leastconn is used')
    return ['balance leastconn']
  }
  if (policy !== 'ketama' && policy !== 'ring-hash' && policy !== 'ip-hash')
    warnings.add(name, `HAProxy has no ${policy}: its consistent hash is used`)
  const key =
    policy === 'ip-hash' || hashKey.type === 'client-ip'
      ? 'source'
      : hashKey.type === 'path'
        ? 'uri path-only'
        : hashKey.type === 'query'
          ? `url_param ${quoted(hashKey.name)}`
          : hashKey.type === 'header'
            ? `hdr(${hashKey.name})`
            : `hash req.cook(${hashKey.name})`
  const factor = boundedLoadFactor > 1 ? [`hash-balance-factor ${Math.round(boundedLoadFactor * 100)}`] : []
  return [`balance ${key}`, 'hash-type consistent', ...factor]
}

function limits(route: RouteConfig, warnings: Warnings): string[] {
  const lines: string[] = []
  if (route.requestBodyBytesMax > 0) {
    warnings.add(route.name, 'HAProxy checks the size of bodies whose length is told, not of others')
    lines.push(`http-request deny deny_status 413 if { req.hdr_val(content-length) gt ${route.requestBodyBytesMax} }`)
  }
  const limit = route.rateLimit
  if (limit === undefined) return lines
  // As many as the burst in the time in which the bucket would fill.
  const periodMs = Math.max(1_000, Math.round((limit.burst / limit.requestsPerSecond) * 1_000))
  const count = Math.max(1, Math.round((limit.requestsPerSecond * periodMs) / 1_000))
  warnings.add(route.name, `HAProxy limits to ${count} requests in ${seconds(periodMs)}, not by a token bucket`)
  const isAddress = limit.key.type === 'client-ip'
  const key = limit.key.type === 'client-ip' ? 'src' : `req.hdr(${limit.key.name})`
  return [
    ...lines,
    `stick-table type ${isAddress ? 'ipv6' : 'string len 128'} size 100k expire ${Math.max(60_000, periodMs * 2)}ms store http_req_rate(${periodMs}ms)`,
    `http-request track-sc0 ${key}`,
    `http-request deny deny_status 429 if { sc_http_req_rate(0) gt ${count} }`,
  ]
}

function timeouts(route: RouteConfig, { config }: RenderedUpstream): string[] {
  const { attemptMs, responseIdleMs, upgradedIdleMs } = route.timeouts
  return [
    `timeout connect ${milliseconds(config.settings.connectTimeoutMs)}`,
    `timeout server ${milliseconds(Math.max(attemptMs === 0 ? 86_400_000 : attemptMs, responseIdleMs))}`,
    `timeout tunnel ${milliseconds(upgradedIdleMs)}`,
  ]
}

function retries({ retry }: RouteConfig): string[] {
  if (retry.attemptsMax <= 1) return ['retries 0']
  const words: Readonly<Record<string, readonly string[]>> = {
    'connect-failure': ['conn-failure'],
    'broken-connection': ['empty-response', 'junk-response'],
    timeout: ['response-timeout'],
    'gateway-error': ['502', '503', '504'],
  }
  const on = new Set(['conn-failure', ...retry.on.flatMap((condition) => words[condition] ?? [condition])])
  return [
    `retries ${retry.attemptsMax - 1}`,
    'option redispatch 1',
    `retry-on ${[...on].join(' ')}`,
    ...(retry.nonIdempotent ? [] : [`http-request disable-l7-retry if !{ method ${idempotent.join(' ')} }`]),
  ]
}

function rewrites({ rewrite, match: { path } }: RouteConfig): string[] {
  const target = rewrite.path
  if (target === undefined) return []
  if (path.type === 'exact') return [`http-request set-path ${logFormat(target)}`]
  if (path.type === 'regex') {
    // The whole path is replaced, whatever part of it the expression took.
    const source = `${path.value.ignoreCase ? '(?i)' : ''}^[\\s\\S]*?(?:${pcreOf(path.value.source)})[\\s\\S]*$`
    return [
      "http-request set-path %[var(txn.path)] if { var(txn.path) -m reg -- '^[A-Za-z0-9/._~!$&*+,;=:@-]*$' }",
      `http-request replace-path ${quoted(source)} ${replacement(target)}`,
    ]
  }
  const pattern = anySpelling(path.value)
  const replaced = (text: string): string => replacement(text.replaceAll('$', '$$$$'))
  if (path.value.endsWith('/') && !target.endsWith('/'))
    return [
      `http-request replace-path ${quoted(`^${pattern}(.+)$`)} ${replaced(`${target}/`)}\\1`,
      `http-request replace-path ${quoted(`^${pattern}$`)} ${replaced(target)}`,
    ]
  const slash = target.endsWith('/') && !path.value.endsWith('/') ? '/?' : ''
  return [`http-request replace-path ${quoted(`^${pattern}${slash}(.*)$`)} ${replaced(target)}\\1`]
}

/** `text` as it stands, or with its reserved characters escaped (RFC 3986 §2.2). */
function anySpelling(text: string): string {
  return text.replace(/%[0-9A-Fa-f]{2}|./g, (part) => {
    if (/^[A-Za-z0-9\-._~]$/.test(part)) return escapeRegex(part)
    const hex = part.length === 3 ? part.slice(1) : part.charCodeAt(0).toString(16).padStart(2, '0')
    const escaped = `%${hex.replace(/[A-Fa-f]/g, (digit) => `[${digit.toLowerCase()}${digit.toUpperCase()}]`)}`
    return part.length === 3 ? escaped : `(?:${escapeRegex(part)}|${escaped})`
  })
}

function requestHeaders(route: RouteConfig, listener: HttpListenerConfig, warnings: Warnings): string[] {
  const { remove, set, add } = route.requestHeaders
  const value = (text: string): string => {
    const { text: written, hasGroups } = template(text)
    if (hasGroups) warnings.add(route.name, 'HAProxy has no groups of the path in headers: they are empty')
    return written
  }
  return [
    ...forwarded(listener, warnings),
    ...(route.rewrite.host === undefined ? [] : [`http-request set-header host ${logFormat(route.rewrite.host)}`]),
    ...remove.map((name) => `http-request del-header ${quoted(name)}`),
    ...fields('http-request set-header', set, value),
    // A variable may be empty (no certificate, no query): then there is no such field.
    ...set
      .filter(([, text]) => templateParts(text).every(({ type }) => type !== 'literal'))
      .map(([name]) => `http-request del-header ${quoted(name)} if { req.fhdr(${name}) -m len 0 }`),
    ...fields('http-request add-header', add, value),
  ]
}

function forwarded(listener: HttpListenerConfig, warnings: Warnings): string[] {
  const names = ['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'x-forwarded-port']
  if (listener.forwardedHeaders === 'forwarded' || listener.forwardedHeaders === 'both')
    warnings.add(listener.name, 'HAProxy 2.6 does not send Forwarded (RFC 7239): only X-Forwarded-* are sent')
  const clear = ['http-request del-header forwarded']
  if (listener.forwardedHeaders === 'none') return [...clear, ...names.map((name) => `http-request del-header ${name}`)]
  const own = ['%[src]', '%[ssl_fc,iif(https,http)]', '%[var(txn.authority)]', '%[dst_port]']
  if (listener.trustedProxies.length === 0)
    return [...clear, ...names.map((name, index) => `http-request set-header ${name} ${own[index]}`)]
  const trusted = `{ src ${listener.trustedProxies.join(' ')} }`
  return [
    ...clear,
    ...names.map((name, index) => `http-request set-header ${name} ${own[index]} if !${trusted}`),
    `http-request set-header x-forwarded-for '%[req.fhdr(x-forwarded-for)], %[src]' if ${trusted} { req.fhdr(x-forwarded-for) -m found }`,
    `http-request set-header x-forwarded-for %[src] if ${trusted} !{ req.fhdr(x-forwarded-for) -m found }`,
    // First, and not beside a scheme or host that another proxy told: ours is false there (see `forwarded/`).
    `http-request set-header x-forwarded-port ${own[3]} if ${trusted} ${names
      .slice(1)
      .map((name) => `!{ req.fhdr(${name}) -m found }`)
      .join(' ')}`,
    ...[1, 2].map(
      (index) =>
        `http-request set-header ${names[index]} ${own[index]} if ${trusted} !{ req.fhdr(${names[index]}) -m found }`,
    ),
  ]
}

function responseHeaders(
  { name: route, responseHeaders: { remove, set, add } }: RouteConfig,
  warnings: Warnings,
): string[] {
  const value = (text: string): string => {
    const { text: written, hasGroups } = template(text)
    if (hasGroups) warnings.add(route, 'HAProxy has no groups of the path in headers: they are empty')
    return written
  }
  return [
    ...remove.map((name) => `http-response del-header ${quoted(name)}`),
    ...fields('http-response set-header', set, value),
    ...fields('http-response add-header', add, value),
  ]
}

/** Of several rules the first that fits: what it made is not looked at again. */
function locationRewrites({ name: route, locationRewrites: rewrites }: RouteConfig, warnings: Warnings): string[] {
  return rewrites.flatMap(({ from, to }) => {
    const parts = templateParts(from)
    if (parts.some(({ type }) => type !== 'literal')) {
      warnings.add(route, `HAProxy replaces no beginning of a place that holds a variable: ${from} stays`)
      return []
    }
    const { text, hasGroups } = template(to)
    if (hasGroups) warnings.add(route, 'HAProxy has no groups of the path in headers: they are empty')
    const front = escapeRegex(parts.map((part) => (part.type === 'literal' ? part.text : '')).join(''))
    return ['location', 'refresh'].flatMap((name) => {
      const source = name === 'location' ? `^${front}(.*)$` : `(?i)^(.*?url=)(?-i)${front}(.*)$`
      const replaced = name === 'location' ? `${text}\\1` : `\\1${text}\\2`
      const isFirst = `!{ var(txn.placed_${name}) -m found } { res.fhdr(${name}) -m reg -- ${quoted(source)} }`
      return [
        `http-response set-var(txn.placed_${name}) int(1) if ${isFirst}`,
        `http-response replace-header ${name} ${quoted(source)} ${replaced} if { var(txn.placed_${name}) -m int 1 }`,
        `http-response set-var(txn.placed_${name}) int(2) if { var(txn.placed_${name}) -m int 1 }`,
      ]
    })
  })
}

type Values = RouteConfig['requestHeaders']['set']

/** One rule a field; HAProxy refuses empty values. */
function fields(rule: string, values: Values, value: (text: string) => string): string[] {
  return values.flatMap(([name, text]) => (value(text) === "''" ? [] : [`${rule} ${quoted(name)} ${value(text)}`]))
}

function sticky({ sticky: settings }: RouteConfig): string[] {
  if (settings === undefined) return []
  const life = settings.maxAgeSeconds > 0 ? ` attr ${quoted(`Max-Age=${settings.maxAgeSeconds}`)}` : ''
  const path = settings.path === '/' ? '' : ` attr ${quoted(`Path=${settings.path}`)}`
  return [`cookie ${quoted(settings.cookie)} insert indirect nocache${life}${path}`]
}

function checkLines({ config, name }: RenderedUpstream, warnings: Warnings): string[] {
  const check = config.settings.activeCheck?.check
  if (check === undefined || check.type === 'tcp') return []
  if (check.type !== 'http') {
    warnings.add(name, `HAProxy has no ${check.type} check: it only connects`)
    return []
  }
  const host = check.host === '' ? '' : ` hdr host ${quoted(check.host)}`
  return [
    'option httpchk',
    `http-check send meth GET uri ${quoted(check.path)} ver HTTP/1.1${host === '' ? ' hdr host localhost' : host}`,
    `http-check expect status ${check.statusMin}-${check.statusMax}`,
  ]
}

function servers(upstream: RenderedUpstream, route: RouteConfig | undefined, warnings: Warnings): string[] {
  const { config, endpoints, name } = upstream
  warnUpstream(upstream, warnings, 'HAProxy')
  const { activeCheck, outlier, balance } = config.settings
  if (outlier !== undefined && outlier.consecutiveFailures > 0 && activeCheck === undefined)
    warnings.add(name, 'HAProxy ejects after failures only where there are active checks too')
  const lowest = Math.min(...endpoints.map(({ priority }) => priority))
  const largest = Math.max(1, ...endpoints.map(({ weight }) => weight))
  const fits = endpoints.every(({ weight }) => Number.isInteger(weight) && weight <= weightMax)
  return endpoints.map((endpoint, index) => {
    const weight = fits ? endpoint.weight : Math.max(1, Math.round((endpoint.weight * weightMax) / largest))
    const words = [`server s${index + 1}_${serverId(endpoint)} ${addressText(endpoint)} weight ${weight}`]
    if (endpoint.priority > lowest) words.push('backup')
    if (activeCheck !== undefined) {
      words.push(
        `check inter ${activeCheck.intervalMs}ms rise ${activeCheck.healthyAfter} fall ${activeCheck.unhealthyAfter}`,
      )
      if (outlier !== undefined && outlier.consecutiveFailures > 0)
        words.push(
          `observe layer${route === undefined ? 4 : 7} error-limit ${outlier.consecutiveFailures} on-error mark-down`,
        )
      if (balance.slowStartMs > 0) words.push(`slowstart ${balance.slowStartMs}ms`)
    }
    if (route?.sticky !== undefined) words.push(`cookie ${cookieOf(endpoint)}`)
    if (route !== undefined) words.push(...httpWords(upstream))
    return words.join(' ')
  })
}

function httpWords({ config }: RenderedUpstream): string[] {
  const words =
    config.idleConnectionsMax > 0
      ? [`pool-max-conn ${config.idleConnectionsMax} pool-purge-delay ${config.idleTimeoutMs}ms`]
      : ['pool-max-conn 0']
  const { tls } = config
  if (tls === undefined) return config.protocol === 'http2' ? [...words, 'proto h2'] : words
  words.push(`ssl alpn ${config.protocol === 'http2' ? 'h2' : 'http/1.1'}`)
  words.push(
    tls.verify
      ? `verify required ca-file ${quoted(tls.caFile ?? '/etc/ssl/certs/ca-certificates.crt')}`
      : 'verify none',
  )
  if (tls.serverName !== undefined) words.push(`sni str(${tls.serverName}) verifyhost ${quoted(tls.serverName)}`)
  if (tls.certFile !== undefined) words.push(`crt ${quoted(tls.certFile)}`)
  return words
}

function serverId(endpoint: EndpointAddress): string {
  return endpoint.id.replace(/[^A-Za-z0-9_.-]/g, '_').slice(0, 64)
}

/** The value of a sticky cookie: the endpoint's id, not readable at a glance, the same after each render (FNV-1a). */
function cookieOf(endpoint: EndpointAddress): string {
  let hash = 0x811c9dc5
  for (const char of endpoint.id) hash = Math.imul(hash ^ char.codePointAt(0)!, 0x01000193) >>> 0
  return hash.toString(16).padStart(8, '0')
}
