/**
 * The whole configuration for HAProxy 2.6. Its `use_backend` rules are tried in order, as our routes are: each route is
 * a few ACLs and one rule, and a backend (one for each upstream it splits to) with the settings of the route.
 */
import type {
  HeaderMatch,
  HttpListenerConfig,
  RouteConfig,
  TcpListenerConfig,
  TlsPassthroughListenerConfig,
  TlsTerminationConfig,
} from '../config/index.ts'
import { answeringBackend, forwardingBackend, section, tcpBackend } from './haproxy-backend.ts'
import { quoted } from './haproxy-text.ts'
import { pcreOf } from './pcre.ts'
import {
  addressText,
  decodedPath,
  type Rendered,
  type RenderedUpstream,
  type RenderInput,
  upstreamsOf,
  Warnings,
} from './rendering.ts'

interface HaproxyParts {
  readonly input: RenderInput
  readonly upstreams: ReadonlyMap<string, RenderedUpstream>
  readonly warnings: Warnings
  readonly pems: { file: string; from: readonly string[] }[]
}

/**
 * Writes a complete `haproxy.cfg` that behaves as the configuration says, as far as HAProxy can; the rest is told in
 * `warnings`. Whatever the configuration holds stands in it as text, never as syntax.
 */
export function renderHaproxy(input: RenderInput): Rendered {
  const { config } = input
  const parts: HaproxyParts = { input, upstreams: upstreamsOf(input), warnings: new Warnings(), pems: [] }
  const { warnings } = parts
  const body = config.listeners.flatMap((listener) =>
    listener.protocol === 'http' ? httpListener(listener, parts) : tcpListener(listener, parts),
  )
  if (config.admin !== undefined) warnings.add('admin', 'HAProxy is not made to have such a page')
  if (config.workers > 1) warnings.add('workers', `HAProxy has threads in one process: nbthread ${config.workers}`)
  const log = config.accessLog
  if (log !== undefined && log.file !== '-')
    warnings.add('accessLog', 'HAProxy writes no files: the log goes to standard output')
  const lines = [
    '# Made by synod proxy render haproxy: change the configuration of synod instead.',
    ...warnings.comments(),
    ...section('global', '', [
      // No maxconn: HAProxy takes what the limit of open files allows, and would not start above it.
      // For normalize-uri.
      'expose-experimental-directives',
      `nbthread ${config.workers}`,
      `hard-stop-after ${Math.max(1, config.drainTimeoutMs)}ms`,
      ...(log === undefined ? [] : ['log stdout format raw local0']),
      ...(input.pidFile === undefined ? [] : [`pidfile ${quoted(input.pidFile)}`]),
    ]),
    ...section('defaults', '', [
      'timeout connect 5s',
      'timeout client 75s',
      'timeout server 60s',
      ...(log === undefined ? [] : ['log global']),
    ]),
    ...body,
  ]
  return { text: `${lines.map((line) => line.trimEnd()).join('\n')}\n`, warnings: warnings.list, pems: parts.pems }
}

function bindLine(listener: HttpListenerConfig | TcpListenerConfig | TlsPassthroughListenerConfig, more = ''): string {
  const family = listener.host === '::' ? ' v4v6' : ''
  return `bind ${addressText(listener)}${family}${more}`
}

/** PROXY headers are expected of the given networks; connections of others are refused. */
function proxyLines(ranges: readonly string[]): string[] {
  if (ranges.length === 0) return []
  const trusted = `{ src ${ranges.join(' ')} }`
  return [`tcp-request connection expect-proxy layer4 if ${trusted}`, `tcp-request connection reject if !${trusted}`]
}

function httpListener(listener: HttpListenerConfig, parts: HaproxyParts): string[] {
  const { limits } = listener
  const id = sectionName(listener.name)
  const before: string[] = []
  const rules: string[] = []
  const backends: string[] = []
  listener.routes.forEach((route, index) => {
    const rendered = routeRules(route, `${id}_${index}`, listener, parts)
    before.push(...rendered.before)
    rules.push(...rendered.rules)
    backends.push(...rendered.backends)
  })
  const none = section('backend', `b_${id}_none`, ['mode http', 'http-request return status 404'])
  const log = parts.input.config.accessLog
  return [
    ...section('frontend', `f_${id}`, [
      'mode http',
      bindLine(listener, listener.tls === undefined ? '' : tlsWords(listener, listener.tls, parts)),
      `maxconn ${listener.connectionsMax}`,
      ...proxyLines(listener.proxyProtocolFrom),
      ...(log === undefined
        ? []
        : [log.format === 'combined' ? `log-format ${quoted(combined)}` : `log-format ${quoted(json)}`]),
      `timeout http-request ${limits.headTimeoutMs}ms`,
      `timeout http-keep-alive ${limits.idleTimeoutMs}ms`,
      `timeout client ${limits.bodyIdleTimeoutMs}ms`,
      // As the client sent them: backends change them before they are asked for.
      'http-request set-var(txn.authority) req.hdr(host)',
      "http-request set-var(txn.host) 'req.hdr(host),lower,regsub(:[0-9]+$,)'",
      ...requestIdLines(listener),
      'http-request set-var(txn.target) pathq',
      ...canonicalPaths,
      ...before,
      ...rules,
      `default_backend b_${id}_none`,
    ]),
    ...backends,
    ...none,
  ]
}

/** The id of a request: the client's where it may give one that is fit for logs. */
function requestIdLines({ requestIds }: HttpListenerConfig): string[] {
  const own = "'uuid,regsub(-,,g)'"
  if (requestIds === 'replace')
    return [
      `http-request set-var(txn.request_id) ${own}`,
      'http-request set-header x-request-id %[var(txn.request_id)]',
    ]
  return [
    "http-request set-var(txn.request_id) req.hdr(x-request-id) if { req.hdr(x-request-id) -m reg '^[A-Za-z0-9_.:/+=-]{1,128}$' }",
    `http-request set-var(txn.request_id) ${own} if !{ var(txn.request_id) -m found }`,
    ...(requestIds === 'generate' ? ['http-request set-header x-request-id %[var(txn.request_id)]'] : []),
  ]
}

/**
 * No other spelling of a path slips past a route: escapes that need none are decoded, `//`, `/./` and `/../` resolved, and
 * comparisons see the rest decoded. What leads above the root, or holds control characters, is refused.
 */
const canonicalPaths = [
  'http-request normalize-uri percent-decode-unreserved strict',
  'http-request normalize-uri path-merge-slashes',
  'http-request normalize-uri path-strip-dot',
  'http-request normalize-uri path-strip-dotdot',
  "http-request set-var(txn.path) 'path,url_dec,regsub(//+,/,g)'",
  "http-request return status 400 if { path -m reg -i -- '%([01][0-9a-f]|7f)' }",
  "http-request return status 400 if { var(txn.path) -m reg -- '/\\.\\.?(/|$)' }",
]

const combined = '%ci - - [%T] "%HM %HU %HV" %ST %B "-" "-"'
const json =
  '{"time":"%T","client":"%ci","method":"%HM","protocol":"%HV","status":%ST,"bytes":%B,"durationMs":%Ta,"upstream":"%si:%sp","requestId":"%[var(txn.request_id)]"}'

function sectionName(name: string): string {
  return name.replace(/[^A-Za-z0-9_.-]/g, '_')
}

function tlsWords(listener: HttpListenerConfig, tls: TlsTerminationConfig, parts: HaproxyParts): string {
  const crts = tls.certificates.map(({ certFile, keyFile }, index) => {
    // HAProxy looks for the key in the same file, or beside it with .key at the end.
    if (keyFile === certFile || keyFile === `${certFile}.key`) return `crt ${quoted(certFile)}`
    const folder = parts.input.pemFolder ?? certFile.slice(0, Math.max(0, certFile.lastIndexOf('/')))
    const file = `${folder}/${sectionName(listener.name)}-${index + 1}.synod.pem`
    parts.pems.push({ file, from: [certFile, keyFile] })
    parts.warnings.add(
      listener.name,
      `HAProxy wants certificate and key in one file: ${file} must hold ${certFile} and ${keyFile}`,
    )
    return `crt ${quoted(file)}`
  })
  const verify =
    tls.clientCaFile === undefined || tls.clientCertificate === 'none'
      ? ''
      : ` ca-file ${quoted(tls.clientCaFile)} verify ${tls.clientCertificate}`
  return ` ssl ${crts.join(' ')} ssl-min-ver ${tls.minVersion === 'TLSv1.3' ? 'TLSv1.3' : 'TLSv1.2'} alpn ${listener.http2 ? 'h2,' : ''}http/1.1${verify}`
}

interface RouteRules {
  /** ACLs and draws, which HAProxy wants before all choices. */
  readonly before: readonly string[]
  readonly rules: readonly string[]
  readonly backends: readonly string[]
}

function routeRules(route: RouteConfig, id: string, listener: HttpListenerConfig, parts: HaproxyParts): RouteRules {
  const acls: string[] = []
  const names: string[] = []
  const acl = (kind: string, ...lines: readonly string[]): void => {
    names.push(`${kind}_${id}`)
    acls.push(...lines.map((line) => `acl ${kind}_${id} ${line}`))
  }
  const { hosts, methods, headers } = route.match
  if (hosts.length > 0)
    acl(
      'host',
      ...hosts.map(
        (host) => `var(txn.host) -m ${host.startsWith('*.') ? 'end' : 'str'} -- ${quoted(host.replace(/^\*/, ''))}`,
      ),
    )
  acl('path', ...pathTests(route))
  if (methods.length > 0) acl('method', `method -- ${methods.map(quoted).join(' ')}`)
  for (const [index, header] of headers.entries()) acl(`h${index}`, headerTest(header))
  const negated = headers.flatMap((header, index) => (header.test.type === 'absent' ? [`h${index}_${id}`] : []))
  const condition = names.map((name) => (negated.includes(name) ? `!${name}` : name)).join(' ')
  if (route.action.type !== 'forward') {
    return {
      before: acls,
      rules: [`use_backend b_${id} if ${condition}`],
      backends: answeringBackend(`b_${id}`, route, parts.warnings),
    }
  }
  const targets = route.action.to.filter(({ weight }) => weight > 0)
  const sum = targets.reduce((total, { weight }) => total + weight, 0)
  const rules: string[] = []
  const before = [...acls]
  if (targets.length > 1)
    before.push(`http-request set-var(txn.split_${id.replace(/[^A-Za-z0-9_]/g, '_')}) rand(${sum}) if ${condition}`)
  let below = 0
  const backends = targets.flatMap(({ upstream, weight }, index) => {
    below += weight
    const isLast = index === targets.length - 1
    const share = isLast ? '' : ` { var(txn.split_${id.replace(/[^A-Za-z0-9_]/g, '_')}) -m int lt ${below} }`
    rules.push(`use_backend b_${id}_${index} if ${condition}${share}`)
    return forwardingBackend(`b_${id}_${index}`, route, parts.upstreams.get(upstream)!, listener, parts.warnings)
  })
  return { before, rules, backends }
}

function pathTests({ match: { path } }: RouteConfig): string[] {
  const [fetch, value] = ['var(txn.path)', path.type === 'regex' ? '' : decodedPath(path.value)]
  if (path.type === 'exact') return [`${fetch} -m str -- ${quoted(value)}`]
  if (path.type === 'regex')
    return [`${fetch} -m reg${path.value.ignoreCase ? ' -i' : ''} -- ${quoted(pcreOf(path.value.source))}`]
  if (value.endsWith('/')) return [`${fetch} -m beg -- ${quoted(value)}`]
  return [`${fetch} -m str -- ${quoted(value)}`, `${fetch} -m beg -- ${quoted(`${value}/`)}`]
}

function headerTest({ name, test }: HeaderMatch): string {
  const fetch = `req.fhdr(${name})`
  if (test.type === 'present' || test.type === 'absent') return `${fetch} -m found`
  if (test.type === 'regex') return `${fetch} -m reg -- ${quoted(pcreOf(test.value.source))}`
  return `${fetch} -m ${test.type === 'exact' ? 'str' : 'beg'} -- ${quoted(test.value)}`
}

function tcpListener(listener: TcpListenerConfig | TlsPassthroughListenerConfig, parts: HaproxyParts): string[] {
  const id = sectionName(listener.name)
  const backend = (suffix: string, upstream: string): string[] =>
    tcpBackend(
      `b_${id}_${suffix}`,
      parts.upstreams.get(upstream)!,
      listener.sendProxyProtocol,
      listener.idleTimeoutMs,
      parts.warnings,
    )
  const common = [
    'mode tcp',
    bindLine(listener),
    `maxconn ${listener.connectionsMax}`,
    ...proxyLines(listener.proxyProtocolFrom),
    `timeout client ${listener.idleTimeoutMs}ms`,
  ]
  if (listener.protocol === 'tcp') {
    return [
      ...section('frontend', `f_${id}`, [...common, `default_backend b_${id}_0`]),
      ...backend('0', listener.upstream),
    ]
  }
  const rules = listener.names.map(({ names }, index) => {
    const tests = names.map((name) =>
      name.startsWith('*.')
        ? `{ req.ssl_sni -i -m end -- ${quoted(name.slice(1))} }`
        : `{ req.ssl_sni -i -m str -- ${quoted(name)} }`,
    )
    return `use_backend b_${id}_${index} if ${tests.join(' or ')}`
  })
  const inspect = ['tcp-request inspect-delay 5s', 'tcp-request content accept if { req.ssl_hello_type 1 }']
  const fallback = listener.defaultUpstream === undefined ? [] : [`default_backend b_${id}_default`]
  return [
    ...section('frontend', `f_${id}`, [...common, ...inspect, ...rules, ...fallback]),
    ...listener.names.flatMap(({ upstream }, index) => backend(String(index), upstream)),
    ...(listener.defaultUpstream === undefined ? [] : backend('default', listener.defaultUpstream)),
  ]
}
