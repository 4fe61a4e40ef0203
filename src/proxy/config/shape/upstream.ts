/** `upstreams:` of the file. */
import { balancePolicies } from '../../../core/balance/index.ts'
import {
  type BalanceSettings,
  type EndpointAddress,
  type EndpointSource,
  type HashKeySource,
  upstreamSettingsDefault,
} from '../../../traffic/upstream/index.ts'
import type { ProxyUpstreamConfig, UpstreamTlsConfig } from '../model.ts'
import type { Path } from '../problem.ts'
import {
  called,
  decimal,
  duration,
  either,
  endpointAddress,
  field,
  flag,
  formatDuration,
  type HostPort,
  integer,
  isHost,
  list,
  mapped,
  object,
  oneOf,
  optional,
  orOff,
  parseHostPort,
  percent,
  plainHost,
  record,
  refuse,
  required,
  type Schema,
  scalar,
  text,
  type YamlSource,
} from '../schema/index.ts'
import { activeCheck } from './checks.ts'
import { filePath, plainName } from './texts.ts'

const defaults = upstreamSettingsDefault
const outlierDefaults = defaults.outlier!

const endpointFields = object('Endpoint', 'One server of an upstream.', {
  address: required(endpointAddress(), 'Host and port; IPv6 in brackets.'),
  id: optional(plainName, 'Names it in logs, metrics and cookies. Default: its address.'),
  weight: field(decimal(0.001, 65_535), 1, '1', 'Its share, relative to the others.'),
  priority: field(integer(0, 255), 0, '0', '0 is used first; 1 when too few of 0 are healthy; and so on.'),
  zone: field(plainName, '', 'none', 'Where it stands, for `balance.zone`.'),
  metadata: field(
    record(text({ type: 'text' }), { keys: plainName, keyName: 'name', entriesMax: 64 }),
    [],
    'none',
    'Whatever else is to be known of it.',
  ),
})

function addressId({ host, port }: HostPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

const endpoint: Schema<EndpointAddress> = either(
  mapped(endpointAddress(), (address) => ({
    ...address,
    id: addressId(address),
    weight: 1,
    priority: 0,
    zone: '',
    metadata: {},
  })),
  mapped(endpointFields, ({ address, id, weight, priority, zone, metadata }) => ({
    ...address,
    id: id ?? addressId(address),
    weight,
    priority,
    zone,
    metadata: Object.fromEntries(metadata),
  })),
)

const dnsRefresh = duration({ minMs: 1_000, maxMs: 3_600_000 })

interface DnsName {
  readonly name: string
  readonly port: number | undefined
}

/** `orders.example:8080` for A and AAAA, `_http._tcp.orders.example` for SRV. */
const dnsName: Schema<DnsName> = scalar(
  { type: 'DNS name, with a port or as SRV', json: { type: 'string' } },
  (value) => {
    if (value.includes(':')) {
      const parsed = parseHostPort(value, 1)
      return 'refused' in parsed ? parsed : { name: parsed.host, port: parsed.port }
    }
    return isHost(value) ? { name: value, port: undefined } : refuse('must be a DNS name, such as orders.example:8080')
  },
)

const dnsFields = object('Dns', 'Endpoints from the DNS, asked again and again.', {
  name: required(
    dnsName,
    'A name and a port (`orders.example:8080`: A and AAAA records), or a name alone (SRV records, which bring port, weight and priority).',
  ),
  refresh: field(dnsRefresh, 10_000, '10s', 'How often it is asked.'),
})

const dns: Schema<readonly EndpointSource[]> = either(
  mapped(dnsName, (name): readonly EndpointSource[] => [{ type: 'dns', ...name, refreshMs: 10_000 }]),
  mapped(dnsFields, ({ name, refresh }): readonly EndpointSource[] => [{ type: 'dns', ...name, refreshMs: refresh }]),
)

const policy = called(oneOf(...balancePolicies), 'policy')

/** `client-ip`, `path`, `header:x-user`, `cookie:session`, `query:id`. */
export const hashKey: Schema<HashKeySource> = scalar(
  { type: '`client-ip` | `path` | `header:NAME` | `cookie:NAME` | `query:NAME`', json: { type: 'string' } },
  (value) => {
    if (value === 'client-ip' || value === 'path') return { type: value }
    const [, type, name] = /^(header|cookie|query):(.+)$/.exec(value) ?? []
    if (name === undefined || name.length > 256)
      return refuse('write client-ip, path, header:NAME, cookie:NAME or query:NAME')
    if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name)) return refuse(`${name} is no name of a ${type}`)
    return { type: type as 'header' | 'cookie' | 'query', name: type === 'header' ? name.toLowerCase() : name }
  },
)

const balanceFields = object(
  'Balance',
  'How an endpoint is chosen for each request. docs/traffic/balancing.md compares them.',
  {
    policy: field(
      called(oneOf(...balancePolicies), balancePolicies.map((name) => `\`${name}\``).join(' | ')),
      defaults.balance.policy,
      'round-robin',
      'The algorithm. Those that end in `hash`, `rendezvous`, `maglev` and `ketama` look at `key`.',
    ),
    key: field(
      hashKey,
      defaults.balance.hashKey,
      'client-ip',
      'What the hashing policies hash. Requests that have none, or an empty one, go anywhere.',
    ),
    boundedLoad: field(
      decimal(0, 100),
      0,
      '0 (unbounded)',
      '`ring-hash`: an endpoint gets at most this many times the mean of active requests; 1.25 is usual.',
    ),
    slowStart: field(
      duration({ maxMs: 3_600_000 }),
      0,
      '0',
      'The weight of a new or recovered endpoint grows from a tenth to its own in this time.',
    ),
    panicThreshold: field(
      percent(),
      defaults.balance.panicThresholdPercent,
      '50%',
      'With fewer healthy endpoints than this share, all are used, healthy or not. 0: never.',
    ),
    zone: field(plainName, '', 'none', 'The zone of this proxy: endpoints of it are preferred.'),
    subset: field(integer(0, 65_535), 0, '0 (all)', 'Use only so many of the endpoints, chosen for this proxy.'),
  },
)

const balance: Schema<BalanceSettings> = either(
  mapped(policy, (name): BalanceSettings => ({ ...defaults.balance, policy: name })),
  mapped(
    balanceFields,
    (read): BalanceSettings => ({
      policy: read.policy,
      hashKey: read.key,
      boundedLoadFactor: read.boundedLoad,
      slowStartMs: read.slowStart,
      panicThresholdPercent: read.panicThreshold,
      zone: read.zone,
      subsetSize: read.subset,
    }),
  ),
)

const outlierFields = object('Outlier', 'Passive checks: endpoints that answer badly are ejected for a while.', {
  failures: field(
    integer(0, 10_000),
    outlierDefaults.consecutiveFailures,
    '5',
    'So many failures in a row eject. 0: off.',
  ),
  interval: field(duration({ minMs: 100 }), outlierDefaults.intervalMs, '10s', 'How often the statistics are judged.'),
  ejection: field(
    duration({ minMs: 100 }),
    outlierDefaults.ejectionMs,
    '30s',
    'How long the first ejection lasts; the n-th in a row n times as long.',
  ),
  ejectionMax: field(duration({ minMs: 100 }), outlierDefaults.ejectionMsMax, '5m', 'But no longer than this.'),
  ejectedMax: field(
    percent(),
    outlierDefaults.ejectedPercentMax,
    '50%',
    'Never more than this share of the endpoints; one always may.',
  ),
  successRateFactor: field(
    decimal(0, 100),
    outlierDefaults.successRateStdevFactor,
    '1.9',
    'A success rate below mean − factor × standard deviation ejects. 0: off.',
  ),
  successRateEndpoints: field(
    integer(2, 10_000),
    outlierDefaults.successRateEndpointsMin,
    '5',
    'The statistics need so many endpoints…',
  ),
  successRateRequests: field(
    integer(1, 1_000_000),
    outlierDefaults.successRateRequestsMin,
    '100',
    '… with so many requests an interval.',
  ),
  latencyFactor: field(
    decimal(0, 1_000),
    outlierDefaults.latencyFactor,
    '0 (off)',
    'Slower than this many times the median of the others ejects.',
  ),
})

const circuitFields = object(
  'Circuit',
  'Bounds on what an upstream is asked at once, for each worker; past them requests get 503 at once.',
  {
    requests: field(integer(1, 10_000_000), defaults.circuit.requestsMax, '65536', 'Requests under way.'),
    connections: field(
      integer(1, 10_000_000),
      defaults.circuit.connectionsMax,
      '65536',
      'Connections to each endpoint, of each worker.',
    ),
    pending: field(
      integer(0, 10_000_000),
      defaults.circuit.pendingMax,
      '8192',
      'Requests that wait for a connection to each endpoint, of each worker.',
    ),
    failures: field(
      integer(0, 1_000_000),
      defaults.circuit.consecutiveFailures,
      '0 (never)',
      'So many failures in a row of the whole upstream open the circuit.',
    ),
    open: field(
      duration({ minMs: 10 }),
      defaults.circuit.openMs,
      '5s',
      'How long it stays open before one request tries.',
    ),
  },
)

const budgetFields = object(
  'RetryBudget',
  'How many retries and hedges an upstream may get, so that they cannot become a storm. Hedges have at most half of it.',
  {
    share: field(percent(), defaults.retryBudget.percent, '20%', 'Of the requests in the last 10 s.'),
    perSecond: field(decimal(0, 1_000_000), defaults.retryBudget.minPerSecond, '10', 'So many a second in any case.'),
  },
)

const tlsFields = object('UpstreamTls', 'TLS to the endpoints.', {
  ca: optional(filePath, 'PEM file of the authorities that are trusted. Default: those of Node.'),
  cert: optional(filePath, 'PEM file of the certificate shown to endpoints (mutual TLS).'),
  key: optional(filePath, 'PEM file of its key.'),
  serverName: optional(
    plainHost(),
    'For SNI, and the name that the certificate must have. Default: the host of the endpoint.',
  ),
  verify: field(
    flag(),
    true,
    'true',
    'false accepts any certificate: whoever is on the way can read and change everything.',
  ),
})

const tls: Schema<UpstreamTlsConfig | undefined> = either(
  mapped(flag(), (on): UpstreamTlsConfig | undefined =>
    on
      ? { caFile: undefined, certFile: undefined, keyFile: undefined, serverName: undefined, verify: true }
      : undefined,
  ),
  mapped(tlsFields, ({ ca, cert, key, serverName, verify, at }, _at, source): UpstreamTlsConfig | undefined => {
    if ((cert === undefined) !== (key === undefined)) source.report(at, `has cert or key without the other: give both`)
    if (!verify)
      source.warn([...at, 'verify'], 'is false: whoever is on the way to the endpoints can read and change everything')
    return { caFile: ca, certFile: cert, keyFile: key, serverName, verify }
  }),
)

const upstreamFields = object(
  'Upstream',
  'A named group of endpoints that serve the same. At least one of `endpoints`, `dns`, `file`, `registry`; several are joined.',
  {
    endpoints: field(list(endpoint, { itemsMax: 10_000 }), [], 'none', 'Servers, as addresses or in full.'),
    dns: optional(dns, 'From the DNS.'),
    file: optional(filePath, 'From a YAML or JSON file with a list of endpoints, read again when it changes.'),
    registry: optional(
      plainName,
      'The instances of this service in the registry, by watch. Needs `registry` at the top.',
    ),
    protocol: field(
      oneOf('http1', 'http2'),
      'http1',
      'http1',
      'What the endpoints speak. `http2` without TLS is by prior knowledge. gRPC needs `http2`.',
    ),
    tls: field(tls, undefined, 'false', 'Speak TLS to the endpoints.'),
    balance: field(
      balance,
      defaults.balance,
      defaults.balance.policy,
      'How an endpoint is chosen: a policy, or in full.',
    ),
    check: field(
      orOff(activeCheck),
      undefined,
      'off',
      'Active health checks: `tcp`, `grpc`, the path of an HTTP check, or in full.',
    ),
    outlier: field(
      orOff(
        mapped(outlierFields, (read) => ({
          consecutiveFailures: read.failures,
          intervalMs: read.interval,
          ejectionMs: read.ejection,
          ejectionMsMax: read.ejectionMax,
          ejectedPercentMax: read.ejectedMax,
          successRateStdevFactor: read.successRateFactor,
          successRateEndpointsMin: read.successRateEndpoints,
          successRateRequestsMin: read.successRateRequests,
          latencyFactor: read.latencyFactor,
        })),
      ),
      outlierDefaults,
      'on, with its defaults',
      'Passive checks.',
    ),
    circuit: field(
      mapped(circuitFields, (read) => ({
        requestsMax: read.requests,
        connectionsMax: read.connections,
        pendingMax: read.pending,
        consecutiveFailures: read.failures,
        openMs: read.open,
      })),
      defaults.circuit,
      'its defaults',
      'Bounds, and the circuit breaker.',
    ),
    retryBudget: field(
      mapped(budgetFields, ({ share, perSecond }) => ({ percent: share, minPerSecond: perSecond })),
      defaults.retryBudget,
      'its defaults',
      'How many retries are allowed.',
    ),
    connectTimeout: field(
      duration({ minMs: 10, maxMs: 600_000 }),
      defaults.connectTimeoutMs,
      formatDuration(defaults.connectTimeoutMs),
      'A connection (with its TLS handshake) that takes longer has failed.',
    ),
    idleConnections: field(integer(0, 65_536), 64, '64', 'Idle connections kept to each endpoint by each worker.'),
    idleTimeout: field(duration({ minMs: 100 }), 60_000, '1m', 'How long an idle connection is kept.'),
    requestsPerConnection: field(
      integer(0, 1_000_000_000),
      0,
      '0 (any)',
      'Requests on one connection before it is closed.',
    ),
  },
)

/** An upstream as written, but for its name. */
export const upstream: Schema<
  Omit<ProxyUpstreamConfig, 'settings'> & { settings: Omit<ProxyUpstreamConfig['settings'], 'name'> }
> = mapped(upstreamFields, (read, at, source) => {
  const sources: EndpointSource[] = []
  if (read.endpoints.length > 0) sources.push({ type: 'static', endpoints: read.endpoints })
  if (read.dns !== undefined) sources.push(...read.dns)
  if (read.file !== undefined) sources.push({ type: 'file', path: read.file })
  if (read.registry !== undefined) sources.push({ type: 'registry', service: read.registry })
  if (!['endpoints', 'dns', 'file', 'registry'].some((name) => read.given.has(name)))
    source.report(at, 'has no endpoints: give endpoints, dns, file or registry')
  reportSameIds(read.endpoints, [...at, 'endpoints'], source)
  return {
    settings: {
      sources,
      balance: read.balance,
      activeCheck: read.check,
      outlier: read.outlier,
      circuit: read.circuit,
      retryBudget: read.retryBudget,
      connectTimeoutMs: read.connectTimeout,
    },
    protocol: read.protocol,
    tls: read.tls,
    idleConnectionsMax: read.idleConnections,
    idleTimeoutMs: read.idleTimeout,
    requestsPerConnectionMax: read.requestsPerConnection,
  }
})

function reportSameIds(endpoints: readonly EndpointAddress[], at: Path, source: YamlSource): void {
  const seen = new Set<string>()
  for (const { id } of endpoints) {
    if (seen.has(id)) source.report(at, `has ${id} twice: leave one out, or give them an id each`)
    seen.add(id)
  }
}
