import type { Registry } from '../../client/index.ts'
import type { Logger } from '../../runtime/index.ts'
import type { Upstream, UpstreamChoices } from '../../traffic/upstream/index.ts'
import type { CallOrigin, Metadata, MetadataInit, Method, RpcCode, Service } from '../service/index.ts'
import type { ChannelLimits, ClientTransport, TransportRuntime } from '../transport/index.ts'

/** When a call is made again, at another endpoint where there is one. */
export interface RetryOptions {
  /** Attempts of one call together, the first and hedges included. Default 3; 1 for none but the first. */
  readonly attemptsMax?: number | undefined
  /**
   * Codes after which an idempotent call is made again. Default `UNAVAILABLE`. Calls that certainly were not handed to a
   * server's application are made again whatever they are.
   */
  readonly on?: readonly RpcCode[] | undefined
  /** An attempt that takes longer is given up, and made again if the call is idempotent. Milliseconds. Default: none. */
  readonly attemptTimeoutMs?: number | undefined
  /**
   * After so long without an answer an idempotent unary call is made a second time beside the first, and the first answer
   * counts. Milliseconds. Default: never.
   */
  readonly hedgeAfterMs?: number | undefined
}

/** What one call may say. */
export interface CallOptions {
  /** Ends the call with `CANCELLED`. */
  readonly signal?: AbortSignal | undefined
  /**
   * Ends the call with `DEADLINE_EXCEEDED`, and tells the server how long it has. Milliseconds, more than 0. Default: the
   * client's; 30,000 for methods with one answer, none for those that stream answers.
   */
  readonly timeoutMs?: number | undefined
  /** The call that this one is made for, as its handler got it: its deadline, cancellation and trace hold here too. */
  readonly context?: CallOrigin | undefined
  readonly metadata?: MetadataInit | undefined
  /** For balancing that hashes: calls with the same key go to the same endpoint. */
  readonly key?: string | undefined
  /** Whether it may be made again when its fate is unknown. Default: as the method says. */
  readonly idempotent?: boolean | undefined
  readonly retry?: RetryOptions | undefined
  /** Waits, until the deadline, for an endpoint that can be reached. Default false: the call fails at once. */
  readonly waitForReady?: boolean | undefined
  /** Told what the server sent before its first message, once, where there is an answer. */
  readonly onHeaders?: ((metadata: Metadata) => void) | undefined
  /** Told what the server sent at the end, also of a call that failed. */
  readonly onTrailers?: ((metadata: Metadata) => void) | undefined
}

/** A call on its way through interceptors. */
export interface OutgoingCall {
  readonly service: Service
  readonly method: Method
  /** A message, or an iterable of them for methods that take a stream. */
  readonly request: unknown
  readonly options: CallOptions
}

/**
 * Runs around calls, the first of the list outermost; retries happen inside. Gives what `next` gives, or something in its
 * place: a message, or an `AsyncIterable` for methods that stream answers. To change the call, give `next` another one.
 */
export type ClientInterceptor = (call: OutgoingCall, next: (call: OutgoingCall) => Promise<unknown>) => Promise<unknown>

/** Bounds of a client. All have defaults. */
export interface ClientLimitOptions extends Partial<ChannelLimits> {
  /** A larger request message is refused here with `RESOURCE_EXHAUSTED`. Bytes. Default 64 MiB. */
  readonly requestBytesMax?: number | undefined
  /** Calls at once of one method, by `service/Method`; one more is refused here. Default: no bound of their own. */
  readonly methodCallsMax?: Readonly<Record<string, number>> | undefined
}

export const channelLimitsDefault: ChannelLimits = {
  // As grpc-js and grpc-go.
  messageBytesMax: 4 << 20,
  connectTimeoutMs: 2_000,
  waitingCallsMax: 10_000,
}

export const requestBytesMaxDefault = 64 << 20
export const timeoutMsDefault = 30_000

/** Whom a client trusts, and as whom it appears. PEM. */
export interface ClientTlsOptions {
  /** Certificates of the authorities to trust. Default: those that Node brings along. */
  readonly ca?: string | Uint8Array | undefined
  /** The client's own certificate chain, for servers that ask for one. With `key`. */
  readonly cert?: string | Uint8Array | undefined
  readonly key?: string | Uint8Array | undefined
  /** The name that the servers' certificates must carry. Default: the host or address of each endpoint. */
  readonly serverName?: string | undefined
  /** False accepts any certificate, and with it anyone in between. Default true. */
  readonly rejectUnauthorized?: boolean | undefined
}

/** How a client reaches its service. */
export interface ClientOptions {
  /**
   * `synod:///NAME` (with `synod`), `static:///HOST:PORT,HOST:PORT`, `dns:///NAME:PORT`, `file:///PATH`, or `HOST:PORT`.
   * Or an upstream of your own, which stays yours to close.
   */
  readonly target: string | Upstream
  /** The plane of `connect()`, for `synod:///`. */
  readonly synod?: { readonly registry: Registry } | undefined
  /** Balancing, health checks, outlier ejection, circuit, retry budget. */
  readonly upstream?: UpstreamChoices | undefined
  /** Default: gRPC. */
  readonly transport?: ClientTransport | undefined
  readonly interceptors?: readonly ClientInterceptor[] | undefined
  /** For calls that say no time of their own. */
  readonly timeoutMs?: number | undefined
  readonly retry?: RetryOptions | undefined
  readonly limits?: ClientLimitOptions | undefined
  readonly logger?: Logger | undefined
  /** Connects by TLS. `{}` trusts the authorities that Node knows. Default: plain TCP. */
  readonly tls?: ClientTlsOptions | undefined
  /** The outside world; default: this machine's. */
  readonly runtime?: Partial<TransportRuntime> | undefined
}
