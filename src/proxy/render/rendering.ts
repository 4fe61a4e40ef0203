/** What is rendered, and what the result tells. */
import type { EndpointAddress } from '../../traffic/upstream/index.ts'
import type { ProxyConfig, ProxyUpstreamConfig, RouteConfig, RouteMatch } from '../config/index.ts'
import { pcreOf } from './pcre.ts'

export interface RenderInput {
  readonly config: ProxyConfig
  /** By upstream: the endpoints of sources that are not static, as they are now. */
  readonly resolved: ReadonlyMap<string, readonly EndpointAddress[]>
  /** Where the target writes its process id; undefined: nowhere. */
  readonly pidFile?: string | undefined
  /** nginx: the folder of its dynamic modules; a `stream` needs one. Default that of Debian. */
  readonly nginxModules?: string | undefined
  /** HAProxy: where files with certificate and key in one are, or will be written. Default: beside the certificate. */
  readonly pemFolder?: string | undefined
}

export interface Rendered {
  readonly text: string
  /** What the target cannot do, or does otherwise. Also comments at the top of `text`. */
  readonly warnings: readonly string[]
  /** Files that must be written besides: the contents of `from`, one after the other. Secret. */
  readonly pems: readonly { readonly file: string; readonly from: readonly string[] }[]
}

/** Collects warnings, each once. */
export class Warnings {
  private readonly seen = new Set<string>()

  add(where: string, what: string): void {
    this.seen.add(`${where}: ${what}`)
  }

  get list(): readonly string[] {
    return [...this.seen]
  }

  /** As comment lines: `#` begins a comment in both targets. */
  comments(): string[] {
    if (this.seen.size === 0) return []
    return ['# Not as configured:', ...this.list.map((line) => `#   ${oneLine(line)}`)]
  }
}

export function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]/gu, ' ')
}

/** An upstream with all its endpoints. */
export interface RenderedUpstream {
  readonly config: ProxyUpstreamConfig
  readonly name: string
  readonly endpoints: readonly EndpointAddress[]
}

/** Static and resolved endpoints, each address once. */
export function upstreamsOf({ config, resolved }: RenderInput): ReadonlyMap<string, RenderedUpstream> {
  return new Map(
    config.upstreams.map((upstream) => {
      const { name, sources } = upstream.settings
      const all = [
        ...sources.flatMap((source) => (source.type === 'static' ? source.endpoints : [])),
        ...(resolved.get(name) ?? []),
      ]
      const byAddress = new Map(all.map((endpoint) => [`${endpoint.host} ${endpoint.port}`, endpoint]))
      const endpoints = [...byAddress.values()].sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0))
      return [name, { config: upstream, name, endpoints }]
    }),
  )
}

export function addressText({ host, port }: { readonly host: string; readonly port: number }): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** A path's value with its escapes decoded: nginx compares paths so, and HAProxy is made to. */
export function decodedPath(value: string): string {
  try {
    const decoded = decodeURIComponent(value)
    return /\p{Cc}/u.test(decoded) ? value : decoded
  } catch {
    return value
  }
}

/** A path as a regular expression for decoded paths: `/api` takes `/api` and `/api/x`, `/api/` what begins with it. */
export function decodedRegex(path: RouteMatch['path']): { readonly source: string; readonly ignoreCase: boolean } {
  if (path.type === 'regex') return { source: pcreOf(path.value.source), ignoreCase: path.value.ignoreCase }
  const escaped = escapeRegex(decodedPath(path.value))
  if (path.type === 'exact') return { source: `^${escaped}$`, ignoreCase: false }
  return { source: path.value.endsWith('/') ? `^${escaped}` : `^${escaped}(/|$)`, ignoreCase: false }
}

export function escapeRegex(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
}

/** Warnings about what neither target does. */
export function warnRoute(route: RouteConfig, warnings: Warnings, target: string): void {
  const { retry, timeouts } = route
  if (retry.hedgeAfterMs > 0) warnings.add(route.name, `${target} does not hedge`)
  if (timeouts.requestMs > 0) warnings.add(route.name, `${target} has no time limit for a request as a whole`)
}

/** Warnings about settings of an upstream that neither target has. */
export function warnUpstream({ config, name, endpoints }: RenderedUpstream, warnings: Warnings, target: string): void {
  const { balance, circuit } = config.settings
  if (endpoints.length === 0) warnings.add(name, 'has no endpoints now')
  if (balance.zone !== '') warnings.add(name, `${target} knows no zones`)
  if (balance.subsetSize > 0) warnings.add(name, `${target} has no subsets`)
  if (circuit.consecutiveFailures > 0) warnings.add(name, `${target} has no circuit breaker`)
}

export function seconds(ms: number): string {
  return ms % 1_000 === 0 ? `${ms / 1_000}s` : `${ms}ms`
}
