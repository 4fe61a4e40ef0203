/**
 * HTTP listeners for nginx. Our routes are tried in order, nginx's servers and locations are not: so there is one server
 * for each pattern of hosts, with the routes that can match there, in order. Where only paths decide, each route is a
 * location with a regular expression, which nginx tries in order. Where methods or headers decide too, maps find the first
 * route that matches, and a named location serves it.
 */
import type { HeaderMatch, HttpListenerConfig, RouteConfig } from '../config/index.ts'
import { locationBody, type NginxParts } from './nginx-location.ts'
import { quoted } from './nginx-text.ts'
import { pcreOf } from './pcre.ts'
import { addressText, decodedRegex, escapeRegex, seconds } from './rendering.ts'

/** The servers of a listener. */
export function nginxServers(listener: HttpListenerConfig, parts: NginxParts): string[] {
  const hosts = [...new Set(listener.routes.flatMap(({ match }) => match.hosts))].sort()
  const common = serverLines(listener, parts)
  const servers = [
    server(
      ['server_name _;'],
      ' default_server',
      listener.routes.filter(({ match }) => match.hosts.length === 0),
    ),
    ...hosts.map((host) =>
      server(
        [`server_name ${quoted(host)};`],
        '',
        listener.routes.filter((route) => mayServe(route, host)),
      ),
    ),
  ]
  return servers.flat()

  function server(names: readonly string[], flag: string, routes: readonly RouteConfig[]): string[] {
    const inner: NginxParts = { ...parts, mirrors: [], next: parts.next }
    const locations = locationsOf(listener, routes, inner)
    const body = [listenLine(listener, flag), ...names, ...common, ...locations, ...inner.mirrors]
    return ['server {', ...body.map((line) => `  ${line}`), '}']
  }
}

/** Whether a route can match where nginx has chosen the server of `host`: exact names first, then the longest suffix. */
function mayServe({ match }: RouteConfig, host: string): boolean {
  if (match.hosts.length === 0 || match.hosts.includes(host)) return true
  const bare = host.startsWith('*') ? host.slice(1) : host
  return match.hosts.some((other) => other.startsWith('*.') && bare.endsWith(other.slice(1)))
}

function listenLine(listener: HttpListenerConfig, flag: string): string {
  const words = [addressText(listener)]
  if (listener.host === '::') words.push('ipv6only=off')
  if (listener.tls !== undefined) words.push('ssl', ...(listener.http2 ? ['http2'] : []))
  if (listener.proxyProtocolFrom.length > 0) words.push('proxy_protocol')
  // Options of the socket may stand once for each address.
  const kept = flag === '' ? words.filter((word) => word !== 'ipv6only=off') : words
  return `listen ${kept.join(' ')}${flag};`
}

function serverLines(listener: HttpListenerConfig, parts: NginxParts): string[] {
  const { limits, tls, warnings } = { ...listener, warnings: parts.warnings }
  if (tls === undefined && listener.http2)
    warnings.add(listener.name, 'nginx 1.22 serves HTTP/2 without TLS only where it serves nothing else: HTTP/1.1 only')
  const trusted = [...new Set([...listener.trustedProxies, ...listener.proxyProtocolFrom])]
  const lines = [
    `large_client_header_buffers 4 ${Math.ceil(limits.headBytesMax / 4 / 1024)}k;`,
    `client_header_timeout ${seconds(limits.headTimeoutMs)};`,
    `client_body_timeout ${seconds(limits.bodyIdleTimeoutMs)};`,
    `send_timeout ${seconds(limits.bodyIdleTimeoutMs)};`,
    `keepalive_timeout ${seconds(limits.idleTimeoutMs)};`,
    `keepalive_requests ${limits.requestsPerConnectionMax};`,
    ...(trusted.length === 0 ? [] : trusted.map((range) => `set_real_ip_from ${range};`)),
    ...(trusted.length === 0
      ? []
      : [
          `real_ip_header ${listener.proxyProtocolFrom.length > 0 ? 'proxy_protocol' : 'X-Forwarded-For'};`,
          'real_ip_recursive on;',
        ]),
    ...forwarded(listener, parts),
    `set $synod_ids ${listener.requestIds === 'replace' ? 'replace' : 'pass'};`,
  ]
  if (tls === undefined) return lines
  if (tls.certificates.length > 1)
    warnings.add(listener.name, 'nginx shows the certificate of the server, not by name: only the first is used')
  const [certificate] = tls.certificates
  return [
    ...lines,
    ...(certificate === undefined
      ? []
      : [`ssl_certificate ${quoted(certificate.certFile)};`, `ssl_certificate_key ${quoted(certificate.keyFile)};`]),
    `ssl_protocols ${tls.minVersion === 'TLSv1.3' ? 'TLSv1.3' : 'TLSv1.2 TLSv1.3'};`,
    ...(listener.http2 ? [`http2_max_concurrent_streams ${limits.http2StreamsMax};`] : []),
    ...(tls.clientCaFile === undefined || tls.clientCertificate === 'none'
      ? []
      : [
          `ssl_client_certificate ${quoted(tls.clientCaFile)};`,
          `ssl_verify_client ${tls.clientCertificate === 'required' ? 'on' : 'optional'};`,
        ]),
  ]
}

/** `$synod_forwarded_*`: what a trusted proxy said is extended, what others said is replaced. */
function forwarded(listener: HttpListenerConfig, parts: NginxParts): string[] {
  if (listener.trustedProxies.length === 0)
    return [
      'set $synod_forwarded_for "$remote_addr";',
      'set $synod_forwarded_proto "$scheme";',
      'set $synod_forwarded_host "$http_host";',
      'set $synod_forwarded_port "$server_port";',
    ]
  const number = parts.next()
  const ranges = listener.trustedProxies.map((range) => `${range} 1;`).join(' ')
  parts.http.push(`geo $realip_remote_addr $synod_trusted_${number} { default 0; ${ranges} }`)
  const header = (name: string, own: string, extended: string): string => {
    const variable = `$synod_${name}_${number}`
    parts.http.push(
      `map "$synod_trusted_${number}$http_x_${name}" ${variable} { "~^1." "${extended}"; default "${own}"; }`,
    )
    return `set $synod_${name} "${variable}";`
  }
  // Ours is false beside a scheme or host that another proxy told (see `forwarded/`).
  const ownPort = `$synod_own_port_${number}`
  const told = `"$synod_trusted_${number}$http_x_forwarded_proto$http_x_forwarded_host"`
  parts.http.push(`map ${told} ${ownPort} { "~^1." ""; default "$server_port"; }`)
  return [
    header('forwarded_for', '$realip_remote_addr', '$http_x_forwarded_for, $realip_remote_addr'),
    header('forwarded_proto', '$scheme', '$http_x_forwarded_proto'),
    header('forwarded_host', '$http_host', '$http_x_forwarded_host'),
    header('forwarded_port', ownPort, '$http_x_forwarded_port'),
  ]
}

function locationsOf(listener: HttpListenerConfig, routes: readonly RouteConfig[], parts: NginxParts): string[] {
  const isPathAlone = routes.every(({ match }) => match.methods.length === 0 && match.headers.length === 0)
  return isPathAlone ? pathLocations(listener, routes, parts) : mappedLocations(listener, routes, parts)
}

function block(head: string, body: readonly string[]): string[] {
  return [`${head} {`, ...body.map((line) => `  ${line}`), '}']
}

function pathLocations(listener: HttpListenerConfig, routes: readonly RouteConfig[], parts: NginxParts): string[] {
  const lines: string[] = []
  for (const route of routes) {
    const { path } = route.match
    const body = [`# ${route.name}`, ...locationBody(route, listener, parts)]
    // The rest is never reached.
    if (path.type === 'prefix' && path.value === '/') return [...lines, ...block('location /', body)]
    const { source, ignoreCase } = decodedRegex(path)
    lines.push(...block(`location ${ignoreCase ? '~*' : '~'} ${quoted(source)}`, body))
  }
  return [...lines, ...block('location /', ['return 404;'])]
}

function mappedLocations(listener: HttpListenerConfig, routes: readonly RouteConfig[], parts: NginxParts): string[] {
  const number = parts.next()
  const bits = routes.map((route, index) => routeBit(route, `${number}_${index}`, parts))
  const choices = routes.map((_route, index) => `"~^${'0'.repeat(index)}1" "@synod_${number}_${index}";`)
  parts.http.push(
    `map "${bits.map((bit) => `\${${bit}}`).join('')}" $synod_choice_${number} { ${choices.join(' ')} default "@synod_${number}_none"; }`,
  )
  const sizes = [...new Set(routes.map(({ requestBodyBytesMax }) => requestBodyBytesMax))]
  if (sizes.length > 1)
    parts.warnings.add(
      listener.name,
      'nginx has one limit of bodies where methods or headers decide: the largest is used',
    )
  const largest = sizes.includes(0) ? 0 : Math.max(0, ...sizes)
  const dispatch = [
    'recursive_error_pages on;',
    `client_max_body_size ${largest};`,
    `error_page 418 = $synod_choice_${number};`,
    'return 418;',
  ]
  return [
    ...block('location /', dispatch),
    ...routes.flatMap((route, index) =>
      block(`location @synod_${number}_${index}`, [`# ${route.name}`, ...locationBody(route, listener, parts)]),
    ),
    ...block(`location @synod_${number}_none`, ['return 404;']),
  ]
}

/** A variable that is 1 where the route matches, else 0; its name without `$`. */
function routeBit({ match }: RouteConfig, id: string, parts: NginxParts): string {
  const tests: string[] = []
  const test = (source: string, lines: string): void => {
    const name = `synod_t_${id}_${tests.length}`
    tests.push(name)
    parts.http.push(`map ${source} $${name} { ${lines} }`)
  }
  const { source, ignoreCase } = decodedRegex(match.path)
  test('$uri', `${quoted(`~${ignoreCase ? '*' : ''}${source}`)} 1; default 0;`)
  if (match.methods.length > 0)
    test('$request_method', `${quoted(`~^(${match.methods.map(escapeRegex).join('|')})$`)} 1; default 0;`)
  for (const header of match.headers) headerTest(header, test, parts)
  const name = `synod_r_${id}`
  parts.http.push(
    `map "${tests.map((each) => `\${${each}}`).join('')}" $${name} { ${quoted('1'.repeat(tests.length))} 1; default 0; }`,
  )
  return name
}

function headerTest(
  { name, test }: HeaderMatch,
  add: (source: string, lines: string) => void,
  parts: NginxParts,
): void {
  const variable = name.replaceAll('-', '_')
  if (!/^[a-z0-9_]+$/.test(variable)) {
    parts.warnings.add(`header ${name}`, 'nginx cannot look at it: the route never matches')
    return add('$request_method', 'default 0;')
  }
  const source = `$http_${variable}`
  if (test.type === 'present') return add(source, '"" 0; default 1;')
  if (test.type === 'absent') return add(source, '"" 1; default 0;')
  // Plain keys of a map ignore case: a regular expression does not.
  const regex =
    test.type === 'regex' ? pcreOf(test.value.source) : `^${escapeRegex(test.value)}${test.type === 'exact' ? '$' : ''}`
  add(source, `${quoted(`~${regex}`)} 1; default 0;`)
}
