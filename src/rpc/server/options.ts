import type { RegisterOptions, Registry } from '../../client/index.ts'
import type { Address, Logger } from '../../runtime/index.ts'
import type { CallContext, Method, Service } from '../service/index.ts'
import type { ServerLimits, ServerTransport, TransportRuntime } from '../transport/index.ts'
import type { ImplementedService } from './implement.ts'

/** Bounds of a server. All have defaults. */
export interface ServerLimitOptions extends Partial<ServerLimits> {
  /** Calls at once over all connections; one more is refused with `RESOURCE_EXHAUSTED`. Default 10,000. */
  readonly callsMax?: number | undefined
  /** Calls at once of one method, by `service/Method`; one more is refused so too. Default: no bound of their own. */
  readonly methodCallsMax?: Readonly<Record<string, number>> | undefined
}

export const serverLimitsDefault: ServerLimits & { readonly callsMax: number } = {
  // As grpc-js and grpc-go.
  messageBytesMax: 4 << 20,
  requestTimeoutMs: 30_000,
  connectionsMax: 10_000,
  connectionCallsMax: 1_000,
  callsMax: 10_000,
}

/** How a server makes itself known. */
export interface RegisterServerOptions {
  /** The plane of `connect()`. */
  readonly synod: { readonly registry: Registry }
  /** The name that clients ask for: `synod:///NAME`. Default: the full name of the first service. */
  readonly service?: string | undefined
  /** Names the instance; default: made up. */
  readonly id?: string | undefined
  /**
   * Where clients reach this server. Default: the host and port that it listens on. To be given where it listens on
   * `0.0.0.0` or `::`.
   */
  readonly address?: string | undefined
  readonly port?: number | undefined
  /** `weight`, `zone` and `priority` are read by balancers. */
  readonly metadata?: Readonly<Record<string, string>> | undefined
  /** Default `{ type: 'ttl' }`: healthy while this process lives. */
  readonly health?: RegisterOptions['health']
}

/** What an interceptor sees of a call. */
export interface InterceptedCall {
  readonly service: Service
  readonly method: Method
  readonly context: CallContext
  /** A message, or the stream of them (`AsyncIterable`) for methods that take one. */
  readonly request: unknown
}

/**
 * Runs around handlers, the first of the list outermost. Gives what `next` gives, or something in its place: a message, or
 * an `AsyncIterable` for methods that stream. Throw an `RpcError` to refuse.
 */
export type ServerInterceptor = (
  call: InterceptedCall,
  next: (call: InterceptedCall) => Promise<unknown>,
) => Promise<unknown>

/** As whom a server appears, and whom it lets in. PEM. */
export interface ServerTlsOptions {
  /** The server's certificate, with those in between up to the authority. */
  readonly cert: string | Uint8Array
  readonly key: string | Uint8Array
  /** Given, only clients with a certificate of one of these authorities are let in. Default: all are. */
  readonly ca?: string | Uint8Array | undefined
}

/** What a server serves, and where. */
export interface ServerOptions {
  /** Made by `implement`. */
  readonly services: readonly ImplementedService[]
  /** Default: `127.0.0.1` and any free port. */
  readonly address?: Partial<Address> | undefined
  /** Default: gRPC. */
  readonly transport?: ServerTransport | undefined
  readonly interceptors?: readonly ServerInterceptor[] | undefined
  readonly limits?: ServerLimitOptions | undefined
  /** Registers the server once it listens; deregisters it first when it is closed. */
  readonly register?: RegisterServerOptions | readonly RegisterServerOptions[] | undefined
  readonly logger?: Logger | undefined
  /** Listens for TLS connections only. Default: plain TCP. */
  readonly tls?: ServerTlsOptions | undefined
  /** The outside world; default: this machine's. */
  readonly runtime?: Partial<TransportRuntime> | undefined
}
