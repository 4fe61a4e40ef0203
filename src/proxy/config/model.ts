/**
 * The proxy's configuration, parsed and complete: every default filled in, every reference resolved, units in the names.
 * `parse.ts` makes it from YAML and says what is wrong, by line; `render/` writes it for nginx and HAProxy.
 */
import type { UpstreamSettings } from '../../traffic/upstream/index.ts'

export interface ProxyConfig {
  /** Worker processes. */
  readonly workers: number
  /** Of data in flight, each worker holds at most so much. */
  readonly bufferedBytesMax: number
  /** A request or connection under way at a reload, drain or stop gets this long to finish. */
  readonly drainTimeoutMs: number
  readonly admin: { readonly host: string; readonly port: number } | undefined
  /** Connection string of the coordination plane, for upstreams with a `registry` source. */
  readonly registry: string | undefined
  readonly accessLog: AccessLogConfig | undefined
  readonly listeners: readonly ListenerConfig[]
  readonly upstreams: readonly ProxyUpstreamConfig[]
}

export interface AccessLogConfig {
  /** A path; `-` for standard output. Opened again on SIGUSR1. */
  readonly file: string
  readonly format: 'combined' | 'json'
}

export interface ListenerBase {
  readonly name: string
  readonly host: string
  readonly port: number
  /** Expect a PROXY protocol header (version 1 or 2) first, from these networks (CIDR); empty: do not. */
  readonly proxyProtocolFrom: readonly string[]
  readonly connectionsMax: number
}

export type ListenerConfig = HttpListenerConfig | TcpListenerConfig | TlsPassthroughListenerConfig

export interface HttpListenerConfig extends ListenerBase {
  readonly protocol: 'http'
  readonly tls: TlsTerminationConfig | undefined
  /** HTTP/2: by ALPN with TLS, by prior knowledge without. */
  readonly http2: boolean
  /** `X-Forwarded-*` and `Forwarded` of these networks (CIDR) are believed and extended; of others replaced. */
  readonly trustedProxies: readonly string[]
  /** Which of them are sent upstream. */
  readonly forwardedHeaders: 'x-forwarded' | 'forwarded' | 'both' | 'none'
  /**
   * Of `x-request-id` upstream: `pass` hands on what the client sent, when it is fit for logs; `generate` adds one where it
   * sent none; `replace` takes none from clients. The access log and `$request_id` have an id in any case.
   */
  readonly requestIds: 'pass' | 'generate' | 'replace'
  readonly limits: HttpLimits
  /** The first that matches is taken; when none does: 404. */
  readonly routes: readonly RouteConfig[]
}

export interface HttpLimits {
  /** Request line and header fields together; past it 431 (414 for the line alone). */
  readonly headBytesMax: number
  readonly headerFieldsMax: number
  /** The whole head must arrive in this time. */
  readonly headTimeoutMs: number
  /** A kept connection may be idle this long. */
  readonly idleTimeoutMs: number
  /** Nothing of a body arrives, or is taken, for this long: the exchange ends. */
  readonly bodyIdleTimeoutMs: number
  /** Requests on one connection before it is closed. */
  readonly requestsPerConnectionMax: number
  readonly http2StreamsMax: number
}

export interface TlsTerminationConfig {
  /** The first is used when no name fits. Read again at reload, and when the files change. */
  readonly certificates: readonly { readonly certFile: string; readonly keyFile: string }[]
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3'
  /** Ask clients for a certificate signed by these; undefined: do not. */
  readonly clientCaFile: string | undefined
  readonly clientCertificate: 'none' | 'optional' | 'required'
}

export interface TcpListenerConfig extends ListenerBase {
  readonly protocol: 'tcp'
  readonly upstream: string
  readonly idleTimeoutMs: number
  /** Send a PROXY protocol header to the upstream; 0: none. */
  readonly sendProxyProtocol: 0 | 1 | 2
}

export interface TlsPassthroughListenerConfig extends ListenerBase {
  readonly protocol: 'tls-passthrough'
  /** By the name in the ClientHello: exact, or `*.suffix`. */
  readonly names: readonly { readonly names: readonly string[]; readonly upstream: string }[]
  /** For other names and none; undefined: close. */
  readonly defaultUpstream: string | undefined
  readonly idleTimeoutMs: number
  readonly sendProxyProtocol: 0 | 1 | 2
}

export interface RouteConfig {
  readonly name: string
  readonly match: RouteMatch
  readonly action: RouteAction
  readonly rewrite: Rewrite
  readonly requestHeaders: HeaderEdits
  readonly responseHeaders: HeaderEdits
  /** The first whose `from` an answer's `location` (or `refresh`) begins with; before `responseHeaders`. */
  readonly locationRewrites: readonly LocationRewrite[]
  readonly mirror: { readonly upstream: string; readonly percent: number } | undefined
  readonly retry: RetryConfig
  readonly timeouts: RouteTimeouts
  /** Larger request bodies get 413; 0: any size. */
  readonly requestBodyBytesMax: number
  readonly rateLimit: RateLimitConfig | undefined
  readonly sticky: StickyConfig | undefined
}

/** All that are given must match. */
export interface RouteMatch {
  /** Exact, or `*.suffix`; compared without port and case. Empty: any. */
  readonly hosts: readonly string[]
  readonly path: PathMatch
  /** Empty: any. */
  readonly methods: readonly string[]
  readonly headers: readonly HeaderMatch[]
}

export type PathMatch =
  /** `/api` matches `/api` and `/api/x`, not `/apix`; `/api/` matches what begins with it. */
  | { readonly type: 'prefix'; readonly value: string }
  | { readonly type: 'exact'; readonly value: string }
  | { readonly type: 'regex'; readonly value: RegExp }

export interface HeaderMatch {
  /** Lower case. */
  readonly name: string
  readonly test:
    | { readonly type: 'present' }
    | { readonly type: 'absent' }
    | { readonly type: 'exact'; readonly value: string }
    | { readonly type: 'prefix'; readonly value: string }
    | { readonly type: 'regex'; readonly value: RegExp }
}

export type RouteAction =
  /** One or more upstreams; each gets its weight's share of the requests. */
  | { readonly type: 'forward'; readonly to: readonly { readonly upstream: string; readonly weight: number }[] }
  /** `location` may hold variables (`variables.ts`). */
  | { readonly type: 'redirect'; readonly status: 301 | 302 | 303 | 307 | 308; readonly location: string }
  | { readonly type: 'respond'; readonly status: number; readonly body: string; readonly contentType: string }

export interface Rewrite {
  /** Instead of what a `prefix` matched (or the whole path for `exact`; for `regex`, with `$1` from the match). */
  readonly path: string | undefined
  /** Instead of the client's `Host`. */
  readonly host: string | undefined
}

/** What stands at the beginning of a place, and what takes its place. Both may hold variables (`variables.ts`). */
export interface LocationRewrite {
  readonly from: string
  readonly to: string
}

/** In this order: remove, set (replaces), add. Names in lower case; values may hold variables (`variables.ts`). */
export interface HeaderEdits {
  readonly remove: readonly string[]
  readonly set: readonly (readonly [name: string, value: string])[]
  readonly add: readonly (readonly [name: string, value: string])[]
}

export type RetryCondition =
  | 'connect-failure'
  | 'broken-connection'
  | 'timeout'
  | '502'
  | '503'
  | '504'
  | 'gateway-error'

export interface RetryConfig {
  /** Attempts in all; 1: no retry. Each goes to an endpoint not tried yet, while there is one. */
  readonly attemptsMax: number
  /** `gateway-error`: 502, 503, 504. Requests that certainly were not processed are tried again in any case. */
  readonly on: readonly RetryCondition[]
  /** Also methods that are not idempotent (RFC 9110 §9.2.2). */
  readonly nonIdempotent: boolean
  /** A request's body is kept for another attempt up to this size; larger ones get one attempt. */
  readonly bufferedBodyBytesMax: number
  /** The next attempt starts when the answer of this one has not begun after this time, and the first answer wins; 0: never. */
  readonly hedgeAfterMs: number
}

export interface RouteTimeouts {
  /** From the whole request to the head of the response, one attempt; 0: none. */
  readonly attemptMs: number
  /** All attempts together, to the end of the response; 0: none. A gRPC deadline (`grpc-timeout`) applies besides. */
  readonly requestMs: number
  /** Nothing of the response arrives for this long. */
  readonly responseIdleMs: number
  /** An upgraded connection (WebSocket) is idle in both directions for this long. */
  readonly upgradedIdleMs: number
}

/** A token bucket for each client. Past it 429 with `retry-after`. */
export interface RateLimitConfig {
  readonly requestsPerSecond: number
  readonly burst: number
  readonly key: { readonly type: 'client-ip' } | { readonly type: 'header'; readonly name: string }
}

/** Keeps a client at the endpoint that served it first, by a cookie. */
export interface StickyConfig {
  readonly cookie: string
  /** 0: a session cookie. */
  readonly maxAgeSeconds: number
  readonly path: string
}

export interface ProxyUpstreamConfig {
  readonly settings: UpstreamSettings
  /** What its endpoints speak. `http2` without TLS is by prior knowledge. gRPC needs `http2`. */
  readonly protocol: 'http1' | 'http2'
  readonly tls: UpstreamTlsConfig | undefined
  /** Idle connections kept to each endpoint by each worker, and for how long. */
  readonly idleConnectionsMax: number
  readonly idleTimeoutMs: number
  /** Requests on one connection before it is closed; 0: any number. */
  readonly requestsPerConnectionMax: number
}

export interface UpstreamTlsConfig {
  readonly caFile: string | undefined
  readonly certFile: string | undefined
  readonly keyFile: string | undefined
  /** For SNI and the check of the certificate; undefined: the endpoint's host. */
  readonly serverName: string | undefined
  readonly verify: boolean
}
