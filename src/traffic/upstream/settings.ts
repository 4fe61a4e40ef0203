/** How one upstream (a named group of endpoints that serve the same) behaves: parsed and complete, no defaults left out. */

/** Where an endpoint is reached. */
export interface EndpointAddress {
  /** Unique in its upstream; by default `host:port`, and an instance's id where the registry names it. */
  readonly id: string
  readonly host: string
  readonly port: number
  /** Relative to the others: above 0. */
  readonly weight: number
  /** 0 is used first; 1 when too few of 0 are healthy; and so on. */
  readonly priority: number
  /** Empty: no zone. Endpoints in the caller's own zone are preferred where `zone` is set in the settings. */
  readonly zone: string
  readonly metadata: Readonly<Record<string, string>>
}

/**
 * Where endpoints come from. Several may be given: their endpoints are joined, and one that several name (by id, or by host
 * and port) counts once, as the first of them says.
 */
export type EndpointSource =
  | { readonly type: 'static'; readonly endpoints: readonly EndpointAddress[] }
  /** A name with A and AAAA records, or with SRV records when `port` is undefined (those bring port, weight, priority). */
  | { readonly type: 'dns'; readonly name: string; readonly port: number | undefined; readonly refreshMs: number }
  /** A YAML or JSON file with a list of endpoints, read again when it changes. */
  | { readonly type: 'file'; readonly path: string }
  /** The instances of a service in Synod's registry (`synod.registry`), by watch. */
  | { readonly type: 'registry'; readonly service: string }

/** The balancing algorithms; docs/traffic/balancing.md compares them. */
export type BalancePolicy =
  | 'round-robin'
  | 'weighted-round-robin'
  | 'random'
  | 'weighted-random'
  | 'least-connections'
  | 'least-time'
  | 'p2c'
  | 'ip-hash'
  | 'rendezvous'
  | 'ring-hash'
  | 'maglev'
  | 'jump-hash'
  | 'ketama'

/** What the key of a hashing policy is made of. RPC calls give their key themselves. */
export type HashKeySource =
  | { readonly type: 'client-ip' }
  | { readonly type: 'header'; readonly name: string }
  | { readonly type: 'cookie'; readonly name: string }
  | { readonly type: 'path' }
  | { readonly type: 'query'; readonly name: string }

/** How an endpoint is chosen for each request. */
export interface BalanceSettings {
  readonly policy: BalancePolicy
  readonly hashKey: HashKeySource
  /** `ring-hash`: an endpoint gets at most this many times the mean of active requests (bounded loads); 0: unbounded. */
  readonly boundedLoadFactor: number
  /** A new or recovered endpoint's weight grows from a tenth to its own in this time; 0: at once. */
  readonly slowStartMs: number
  /** Below this percentage of healthy endpoints all are used, healthy or not; 0: never. */
  readonly panicThresholdPercent: number
  /** The caller's own zone; empty: zones do not matter. */
  readonly zone: string
  /** Each caller uses a subset of this many endpoints; 0: all. */
  readonly subsetSize: number
}

/** What an active check asks of an endpoint. */
export type ActiveCheckKind =
  | { readonly type: 'tcp' }
  | {
      readonly type: 'http'
      readonly path: string
      readonly host: string
      readonly statusMin: number
      readonly statusMax: number
    }
  | { readonly type: 'grpc'; readonly service: string }
  /** Runs `command` with the endpoint's host and port as last arguments; exit status 0 is healthy. */
  | { readonly type: 'script'; readonly command: readonly string[] }

/** Active checks: endpoints are asked how they are. */
export interface ActiveCheckSettings {
  readonly check: ActiveCheckKind
  readonly intervalMs: number
  readonly timeoutMs: number
  readonly healthyAfter: number
  readonly unhealthyAfter: number
}

/** Passive checks: endpoints that answer badly are ejected for a while. */
export interface OutlierSettings {
  /** So many failures in a row eject; 0: off. */
  readonly consecutiveFailures: number
  /** The sweep of the statistics below, and of the return of ejected endpoints. */
  readonly intervalMs: number
  /** The first ejection; the n-th in a row takes n times as long, at most `ejectionMsMax`. */
  readonly ejectionMs: number
  readonly ejectionMsMax: number
  /** Never more than this share of the endpoints, but always one may be. */
  readonly ejectedPercentMax: number
  /** An endpoint whose success rate is below mean - factor * standard deviation is ejected; 0: off. */
  readonly successRateStdevFactor: number
  /** Statistics need as many endpoints with as many requests an interval. */
  readonly successRateEndpointsMin: number
  readonly successRateRequestsMin: number
  /** An endpoint slower than this many times the median of the others' latencies is ejected; 0: off. */
  readonly latencyFactor: number
}

/**
 * Bounds on what one process asks at once; past them requests are refused at once (503, UNAVAILABLE). Each worker of a
 * proxy counts for itself.
 */
export interface CircuitSettings {
  /** Requests under way at all endpoints of the upstream together, those of other workers included where they are told. */
  readonly requestsMax: number
  /**
   * Connections to each endpoint, as nginx's `max_conns`: the whole upstream may have so many times its endpoints. Of the
   * proxy; RPC clients have one connection an endpoint (gRPC), or `connectionsMax` of their transport (Thrift).
   */
  readonly connectionsMax: number
  /**
   * Requests that wait for a connection to each endpoint, while all it may have are in use. Of the proxy; RPC clients have
   * `limits.waitingCallsMax`.
   */
  readonly pendingMax: number
  /** So many failures in a row of the whole upstream open the circuit for `openMs`; then one trial at a time. 0: never. */
  readonly consecutiveFailures: number
  readonly openMs: number
}

/**
 * Bounds retries by what is asked at all, so that they cannot become a storm. Hedges have at most half of it: the other half
 * is there for retries whatever was hedged.
 */
export interface RetryBudgetSettings {
  /** Retries and hedges may be this share of the requests in the last 10 s, in percent. */
  readonly percent: number
  /** So many a second are allowed in any case. */
  readonly minPerSecond: number
}

/** An upstream: where its endpoints are found, and how they are checked and chosen. {@link upstreamSettings} makes one. */
export interface UpstreamSettings {
  readonly name: string
  readonly sources: readonly EndpointSource[]
  readonly balance: BalanceSettings
  /** Undefined: endpoints count as healthy until they prove otherwise. */
  readonly activeCheck: ActiveCheckSettings | undefined
  /** Undefined: no endpoint is ejected. */
  readonly outlier: OutlierSettings | undefined
  readonly circuit: CircuitSettings
  readonly retryBudget: RetryBudgetSettings
  readonly connectTimeoutMs: number
}

const outlierDefault: OutlierSettings = {
  consecutiveFailures: 5,
  intervalMs: 10_000,
  ejectionMs: 30_000,
  ejectionMsMax: 300_000,
  ejectedPercentMax: 50,
  successRateStdevFactor: 1.9,
  successRateEndpointsMin: 5,
  successRateRequestsMin: 100,
  latencyFactor: 0,
}

/** What an upstream is when nothing but its sources is said. */
export const upstreamSettingsDefault: Omit<UpstreamSettings, 'name' | 'sources'> = {
  balance: {
    policy: 'round-robin',
    hashKey: { type: 'client-ip' },
    boundedLoadFactor: 0,
    slowStartMs: 0,
    panicThresholdPercent: 50,
    zone: '',
    subsetSize: 0,
  },
  activeCheck: undefined,
  outlier: outlierDefault,
  circuit: { requestsMax: 65_536, connectionsMax: 65_536, pendingMax: 8_192, consecutiveFailures: 0, openMs: 5_000 },
  retryBudget: { percent: 20, minPerSecond: 10 },
  connectTimeoutMs: 2_000,
}
