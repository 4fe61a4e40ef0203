/** The world as a worker sees it. */
import type { AppendFiles, BoundSocket, Disk, Network, PortOpener } from '../../runtime/index.ts'
import type { TrafficRuntime } from '../../traffic/resolvers/index.ts'
import type { RateLimitShare } from '../limits/index.ts'

/** PEM, and what else a TLS client needs. */
export interface UpstreamTlsOptions {
  readonly ca: string | undefined
  readonly cert: string | undefined
  readonly key: string | undefined
  readonly serverName: string | undefined
  readonly rejectUnauthorized: boolean
  readonly alpnProtocols: readonly string[]
}

export interface WorkerOutside extends TrafficRuntime {
  readonly disk: Disk
  readonly ports: PortOpener
  readonly appendFiles: AppendFiles
  /** A network whose connections are TLS. */
  tlsNetwork(options: UpstreamTlsOptions): Network
}

/** How a worker shares the work with others; all may be left out by one that is alone. */
export interface WorkerOptions {
  /** Sockets bound by another process, by `listenerKey`. Default: the worker binds its own. */
  readonly socketFor?: ((key: string) => BoundSocket | undefined) | undefined
  /** The same in all workers. Default: made by this one, and rotated. */
  readonly ticketKeys?: Uint8Array | undefined
  /** False: another process checks the endpoints, and tells by `importHealth`. Default true. */
  readonly activeChecks?: boolean | undefined
  /** Names the proxy among the callers of an upstream: workers of one name choose the same `subset`. Default: drawn at random. */
  readonly callerId?: string | undefined
  /** Where rate limits are counted together. Default: this worker counts alone. */
  readonly rateLimitShare?: RateLimitShare | undefined
}
