/** How protocols are plugged into a worker: downstream ones take accepted connections, upstream ones make pools. */
import type { Clock, Connection, Network, Scheduler } from '../../runtime/index.ts'
import type { ServedConnection } from '../../wire/http2/index.ts'
import type { HttpLimits, ProxyUpstreamConfig } from '../config/index.ts'
import type { ClientInfo, EndpointPool, RequestHandler } from './exchange.ts'

/** What every part of a worker's data path is given. */
export interface DataPathRuntime {
  readonly clock: Clock
  readonly scheduler: Scheduler
}

/** `http1/` and `http2/` each export one: `createHttp1Downstream`, `createHttp2Downstream`. */
export interface DownstreamProtocol {
  /**
   * Takes over `connection`, of which `firstBytes` have already arrived (maybe none); the caller passes every later event
   * of the transport on to the result. `shutdown` lets requests under way finish: HTTP/1 answers them with
   * `connection: close`, HTTP/2 sends GOAWAY twice (RFC 9113 §6.8). A request that is on its way to an idle connection is
   * answered too: that closes half a second later, or once the client has answered a PING.
   */
  accept(connection: Connection, client: ClientInfo, firstBytes: Uint8Array): ServedConnection
  /** For connections accepted from now on, and for the next request of those that are open. */
  reconfigure(limits: HttpLimits): void
  /** Connections now, and those without a request under way. */
  readonly connections: number
  readonly idleConnections: number
}

export interface DownstreamInit extends DataPathRuntime {
  readonly handler: RequestHandler
  readonly limits: HttpLimits
}

/** `http1/` and `http2/` each export one: `createHttp1Pool`, `createHttp2Pool`. */
export interface PoolInit extends DataPathRuntime {
  /** TCP, or TLS to upstreams (made for the upstream's `tls`, with ALPN as the protocol needs). */
  readonly network: Network
  readonly host: string
  readonly port: number
  readonly config: ProxyUpstreamConfig
}

export type CreatePool = (init: PoolInit) => EndpointPool
