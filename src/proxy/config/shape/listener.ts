/** `listeners:` of the file. */
import type { HttpLimits, HttpListenerConfig, ListenerConfig, RouteConfig, TlsTerminationConfig } from '../model.ts'
import type { Path } from '../problem.ts'
import {
  duration,
  field,
  flag,
  type Invalid,
  integer,
  invalid,
  list,
  listenAddress,
  mapped,
  network,
  object,
  oneOf,
  optional,
  type Read,
  refuse,
  required,
  type Schema,
  scalar,
  siteName,
  size,
  type YamlSource,
} from '../schema/index.ts'
import { route } from './route.ts'
import { filePath, plainName, upstreamName } from './texts.ts'

const certificateFields = object('Certificate', 'A certificate and its key, as PEM files.', {
  cert: required(filePath, 'The certificate, followed by those that lead to the root.'),
  key: required(filePath, 'Its key.'),
})

const tlsFields = object('Tls', 'TLS ends at the proxy. `cert` and `key`, or `certificates`.', {
  cert: optional(filePath, 'The certificate, where there is one only.'),
  key: optional(filePath, 'Its key.'),
  certificates: field(
    list(certificateFields, { itemsMax: 10_000 }),
    [],
    'none',
    'Chosen by the name that the client asks for; the first when none fits.',
  ),
  minVersion: field(oneOf('1.2', '1.3'), '1.2', '1.2', 'Older versions are refused.'),
  clientCa: optional(filePath, 'Clients are asked for a certificate signed by the authorities in this PEM file.'),
  clientCertificate: optional(
    oneOf('none', 'optional', 'required'),
    'Whether clients must show one. Default: required with `clientCa`, else none.',
  ),
})

function tlsOf(read: Read<typeof tlsFields>, at: Path, source: YamlSource): TlsTerminationConfig | Invalid {
  const certificates = read.certificates.map(({ cert, key }) => ({ certFile: cert, keyFile: key }))
  if (read.cert !== undefined && read.key !== undefined)
    certificates.unshift({ certFile: read.cert, keyFile: read.key })
  else if (read.given.has('cert') !== read.given.has('key'))
    source.report(at, 'has cert or key without the other: give both')
  else if (certificates.length === 0 && !['cert', 'certificates'].some((name) => read.given.has(name)))
    source.report(at, 'has no certificate: give cert and key, or certificates')
  const clientCertificate = read.clientCertificate ?? (read.clientCa === undefined ? 'none' : 'required')
  if (clientCertificate !== 'none' && read.clientCa === undefined)
    source.report([...at, 'clientCertificate'], 'needs clientCa: by whom must certificates be signed?')
  const minVersion = read.minVersion === '1.3' ? 'TLSv1.3' : 'TLSv1.2'
  return { certificates, minVersion, clientCaFile: read.clientCa, clientCertificate }
}

export const limitsDefault: HttpLimits = {
  headBytesMax: 32 * 1024,
  headerFieldsMax: 128,
  headTimeoutMs: 30_000,
  idleTimeoutMs: 75_000,
  bodyIdleTimeoutMs: 60_000,
  requestsPerConnectionMax: 100_000,
  http2StreamsMax: 128,
}

const limitFields = object('Limits', 'Bounds on what clients may ask, and how slowly.', {
  head: field(
    size(1_024, 1024 * 1024),
    limitsDefault.headBytesMax,
    '32KiB',
    'Request line and headers together. Past it 431, or 414 for the line alone.',
  ),
  headerFields: field(
    integer(8, 10_000),
    limitsDefault.headerFieldsMax,
    '128',
    'Header fields of a request. Past it 431.',
  ),
  headTimeout: field(
    duration({ minMs: 100, maxMs: 3_600_000 }),
    limitsDefault.headTimeoutMs,
    '30s',
    'The whole head must arrive in this time.',
  ),
  idleTimeout: field(
    duration({ minMs: 100 }),
    limitsDefault.idleTimeoutMs,
    '75s',
    'A kept connection may be idle this long.',
  ),
  bodyIdleTimeout: field(
    duration({ minMs: 100 }),
    limitsDefault.bodyIdleTimeoutMs,
    '1m',
    'Nothing of a body arrives, or is taken, for this long: the exchange ends.',
  ),
  requestsPerConnection: field(
    integer(1, 1_000_000_000),
    limitsDefault.requestsPerConnectionMax,
    '100000',
    'Requests on one connection before it is closed.',
  ),
  http2Streams: field(
    integer(1, 10_000),
    limitsDefault.http2StreamsMax,
    '128',
    'Requests under way on one HTTP/2 connection.',
  ),
})

const limits = mapped(
  limitFields,
  (read): HttpLimits => ({
    headBytesMax: read.head,
    headerFieldsMax: read.headerFields,
    headTimeoutMs: read.headTimeout,
    idleTimeoutMs: read.idleTimeout,
    bodyIdleTimeoutMs: read.bodyIdleTimeout,
    requestsPerConnectionMax: read.requestsPerConnection,
    http2StreamsMax: read.http2Streams,
  }),
)

const sniFields = object('SniRoute', 'Connections that ask for one of these names go to one upstream.', {
  name: required(list(siteName(), { itemsMin: 1, itemsMax: 1_000, orOne: true }), 'Exact, or `*.suffix`.'),
  to: required(upstreamName, 'Which upstream.'),
})

const proxyVersion: Schema<0 | 1 | 2> = scalar(
  { type: '`true` | `false` | `v1` | `v2`', json: { enum: [true, false, 'v1', 'v2'] } },
  (value) => {
    const versions: Readonly<Record<string, 0 | 1 | 2>> = { true: 2, v2: 2, v1: 1, false: 0 }
    return Object.hasOwn(versions, value) ? versions[value]! : refuse('must be true, false, v1 or v2')
  },
)

const networks = list(network(), { itemsMax: 1_000, orOne: true })

const listenerFields = object('Listener', 'An address where connections are accepted, and what is done with them.', {
  name: optional(plainName, 'In logs and metrics. Default: `listener-` and its number.'),
  address: required(
    listenAddress(),
    '`:8080` and `8080` mean loopback; `0.0.0.0:80` every interface; `[::]:80` those of IPv6 and IPv4.',
  ),
  protocol: field(
    oneOf('http', 'tcp', 'tls-passthrough'),
    'http',
    'http',
    '`tls-passthrough` reads the name in the ClientHello and leaves TLS to the upstream.',
  ),
  proxyProtocolFrom: field(
    networks,
    [],
    'none',
    'Connections from these networks begin with a PROXY protocol header (1 or 2); others are refused then.',
  ),
  connectionsMax: field(integer(1, 10_000_000), 20_000, '20000', 'Connections at a time, for each worker.'),
  tls: optional(mapped(tlsFields, tlsOf), '`http`: TLS ends here. Default: no TLS.'),
  http2: field(flag(), true, 'true', '`http`: HTTP/2 by ALPN with TLS, by prior knowledge without.'),
  trustedProxies: field(
    networks,
    [],
    'none',
    '`http`: `X-Forwarded-*` and `Forwarded` from these networks are believed and extended; from others they are replaced.',
  ),
  forwardedHeaders: field(
    oneOf('x-forwarded', 'forwarded', 'both', 'none'),
    'x-forwarded',
    'x-forwarded',
    '`http`: which of them are sent upstream. `X-Forwarded-Port` is not where a trusted proxy told a scheme or host without it.',
  ),
  requestIds: field(
    oneOf('pass', 'generate', 'replace'),
    'pass',
    'pass',
    '`http`: `x-request-id` upstream. `pass`: as the client sent it (1 to 128 of `A-Za-z0-9._:/+=-`; others are dropped); `generate`: also a new one (128 random bits, in hexadecimal) where it sent none; `replace`: always a new one. The JSON access log and `$request_id` have an id in any case.',
  ),
  limits: field(limits, limitsDefault, 'its defaults', '`http`: bounds for clients.'),
  routes: optional(list(route, { itemsMax: 10_000 }), '`http`: the first that matches is taken; when none does: 404.'),
  to: optional(
    plainName,
    '`tcp`: the upstream. `tls-passthrough`: that for other names and none; without it they are closed.',
  ),
  names: optional(list(sniFields, { itemsMax: 10_000 }), '`tls-passthrough`: upstreams by name.'),
  idleTimeout: field(
    duration({ minMs: 100 }),
    600_000,
    '10m',
    '`tcp`, `tls-passthrough`: a connection idle in both directions for this long is closed.',
  ),
  sendProxyProtocol: field(
    proxyVersion,
    0,
    'false',
    '`tcp`, `tls-passthrough`: begin connections to the upstream with a PROXY header; `true` is v2.',
  ),
})

const fieldsOnlyOf: Readonly<Record<ListenerConfig['protocol'], readonly string[]>> = {
  http: ['tls', 'http2', 'trustedProxies', 'forwardedHeaders', 'requestIds', 'limits', 'routes'],
  tcp: ['to', 'idleTimeout', 'sendProxyProtocol'],
  'tls-passthrough': ['to', 'names', 'idleTimeout', 'sendProxyProtocol'],
}

type ListenerRead = Read<typeof listenerFields>

/** A listener. */
export const listener: Schema<ListenerConfig> = mapped(listenerFields, (read, at, source): ListenerConfig | Invalid => {
  const result = listenerOf(read, at, source)
  return result === invalid ? invalid : source.placed(result, at)
})

function listenerOf(read: ListenerRead, at: Path, source: YamlSource): ListenerConfig | Invalid {
  reportMisplaced(read, source)
  const index = typeof at.at(-1) === 'number' ? (at.at(-1) as number) : 0
  const base = {
    name: read.name ?? `listener-${index + 1}`,
    ...read.address,
    proxyProtocolFrom: read.proxyProtocolFrom,
    connectionsMax: read.connectionsMax,
  }
  const { idleTimeout: idleTimeoutMs, sendProxyProtocol } = read
  switch (read.protocol) {
    case 'http':
      return httpListener(base, read, source)
    case 'tcp':
      if (read.to !== undefined)
        return { ...base, protocol: 'tcp', upstream: read.to, idleTimeoutMs, sendProxyProtocol }
      if (!read.given.has('to')) source.report(at, 'lacks to: which upstream gets the connections?')
      return invalid
    case 'tls-passthrough': {
      const names = (read.names ?? []).map(({ name, to }) => ({ names: name, upstream: to }))
      if (names.length === 0 && !read.given.has('names') && read.to === undefined)
        source.report(at, 'lacks names, and to: where do connections go?')
      return { ...base, protocol: 'tls-passthrough', names, defaultUpstream: read.to, idleTimeoutMs, sendProxyProtocol }
    }
  }
}

function httpListener(
  base: Pick<HttpListenerConfig, 'name' | 'host' | 'port' | 'proxyProtocolFrom' | 'connectionsMax'>,
  read: ListenerRead,
  source: YamlSource,
): HttpListenerConfig {
  if (!read.given.has('routes')) source.report(read.at, 'lacks routes')
  else if (read.routes?.length === 0) source.warn([...read.at, 'routes'], 'is empty or wrong: every request gets 404')
  const routes = (read.routes ?? []).map((route): RouteConfig => {
    const at = source.placeOf(route)
    const number = ((at.at(-1) as number | undefined) ?? 0) + 1
    return source.placed({ ...route, name: route.name === '' ? `${base.name}-${number}` : route.name }, at)
  })
  const everyone = read.trustedProxies.find((range) => range.endsWith('/0'))
  if (everyone !== undefined) source.warn([...read.at, 'trustedProxies'], `${everyone} lets any client say who it is`)
  return {
    ...base,
    protocol: 'http',
    tls: read.tls,
    http2: read.http2,
    trustedProxies: read.trustedProxies,
    forwardedHeaders: read.forwardedHeaders,
    requestIds: read.requestIds,
    limits: read.limits,
    routes,
  }
}

function reportMisplaced(read: ListenerRead, source: YamlSource): void {
  const allowed = fieldsOnlyOf[read.protocol]
  for (const name of new Set(Object.values(fieldsOnlyOf).flat())) {
    if (!read.given.has(name) || allowed.includes(name)) continue
    const owners = Object.entries(fieldsOnlyOf).filter(([, names]) => names.includes(name))
    source.report(
      [...read.at, name],
      `has no meaning with protocol ${read.protocol}: it is for ${owners.map(([owner]) => owner).join(' and ')}${name === 'to' ? '; that of a route stands below the route, further in' : ''}`,
    )
  }
}
