/** What every source of endpoints comes down to. */
import type { Commands, NameService, Runtime, TextFiles } from '../../runtime/index.ts'
import type { EndpointAddress } from '../upstream/index.ts'

/** More endpoints in one source are refused: the source keeps those it had. */
export const endpointsMax = 10_000

/** An endpoint as its source tells of it. */
export interface ResolvedEndpoint {
  readonly address: EndpointAddress
  /** Why the source says that it should get nothing now; empty when it has nothing against it. */
  readonly unhealthy: string
}

/** Where a resolver tells what it found. Not called after `close`; a static one tells before it is returned. */
export interface ResolverEvents {
  /** All endpoints of the source as of now. */
  found(endpoints: readonly ResolvedEndpoint[]): void
  /**
   * The source cannot be read, or part of it (a `found` may come right before). What was found before holds: endpoints
   * that are out of date are better than none.
   */
  failed(error: string): void
}

/** Follows a source until it is closed. */
export interface Resolver {
  close(): void
}

/** The instances of services, as `synod.registry` tells them. */
export interface ServiceInstances {
  watch(
    service: string,
    options: { readonly includeUnhealthy: true; readonly signal: AbortSignal },
  ): AsyncIterable<readonly ServiceInstance[]>
}

/** What is read of an instance. */
export interface ServiceInstance {
  readonly id: string
  readonly address: string
  readonly port: number | undefined
  readonly metadata: Readonly<Record<string, string>>
  readonly healthy: boolean
  readonly reason: string
}

/** The world as upstreams see it. What only some sources and checks need may be missing; they then say so. */
export interface TrafficRuntime extends Pick<Runtime, 'clock' | 'random' | 'scheduler' | 'network' | 'logger'> {
  /** For `dns` sources. */
  readonly names?: NameService | undefined
  /** For `file` sources. */
  readonly files?: TextFiles | undefined
  /** For `registry` sources: `synod.registry` of `connect()`, or {@link lazyServiceInstances}. */
  readonly registry?: ServiceInstances | undefined
  /** For `script` checks. */
  readonly commands?: Commands | undefined
}

/** `host:port`, with an IPv6 address in brackets. */
export function hostPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** What went wrong, in a line. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
