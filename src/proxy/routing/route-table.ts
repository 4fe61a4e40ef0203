/**
 * All routes of a listener. The first in the order of the configuration that fits is taken; two indexes leave few to
 * compare: by host, and within a host by the first segment of the path.
 *
 * - T1  The candidates of a host and a first segment are exactly the routes that could fit them, in order.
 * - T2  Memory: a list for a host (or suffix) named in a route is made when that host is first asked for, so names that
 *       only clients make up take no room.
 */
import type { RouteConfig } from '../config/index.ts'
import type { RequestHead } from '../http/index.ts'
import { CompiledRoute, firstSegmentOf, type RouteFound } from './compiled-route.ts'

/** Routes that fit a host, by first segment. */
interface HostRoutes {
  readonly bySegment: ReadonlyMap<string, readonly CompiledRoute[]>
  /** For segments that no route names. */
  readonly others: readonly CompiledRoute[]
}

export class RouteTable {
  readonly routes: readonly CompiledRoute[]
  private readonly exactHosts = new Set<string>()
  /** With the dot: `.example.com`. */
  private readonly suffixes = new Set<string>()
  /** Longest first. */
  private readonly suffixesByLength: readonly string[]
  /** By exact host, or suffix, or '' for all others. */
  private readonly hosts = new Map<string, HostRoutes>()

  constructor(routes: readonly RouteConfig[]) {
    this.routes = routes.map((route, order) => new CompiledRoute(route, order))
    for (const route of this.routes) {
      for (const host of route.hosts) {
        if (host.startsWith('*.')) this.suffixes.add(host.slice(1))
        else this.exactHosts.add(host)
      }
    }
    this.suffixesByLength = [...this.suffixes].sort((a, b) => b.length - a.length)
  }

  /** `host` as {@link hostName} gives it, `path` as `CanonicalPath.matched`. */
  find(head: RequestHead, host: string, path: string): RouteFound | undefined {
    const routes = this.routesOf(host)
    const candidates = routes.bySegment.get(firstSegmentOf(path)) ?? routes.others
    for (const route of candidates) {
      const groups = route.compare(head, path)
      if (groups !== undefined) return { route, groups: groups ?? undefined }
    }
    return undefined
  }

  private routesOf(host: string): HostRoutes {
    const key = this.exactHosts.has(host) ? host : this.longestSuffix(host)
    let routes = this.hosts.get(key)
    if (routes === undefined) {
      routes = indexBySegment(this.routes.filter((route) => acceptsHost(route, key)))
      this.hosts.set(key, routes)
    }
    return routes
  }

  /** Every other suffix that fits `host` is a suffix of the longest, so the longest stands for all of them. */
  private longestSuffix(host: string): string {
    if (this.suffixes.size === 0) return ''
    if (this.suffixes.size <= 4) return this.suffixesByLength.find((suffix) => isBelow(host, suffix)) ?? ''
    for (let at = host.indexOf('.', 1); at !== -1; at = host.indexOf('.', at + 1)) {
      const suffix = host.slice(at)
      if (this.suffixes.has(suffix)) return suffix
    }
    return ''
  }
}

function isBelow(host: string, suffix: string): boolean {
  return host.length > suffix.length && host.endsWith(suffix)
}

/** `key`: a host, or a suffix that stands for hosts right below it (then longer suffixes do not fit). */
function acceptsHost(route: CompiledRoute, key: string): boolean {
  if (route.hosts.length === 0) return true
  if (key === '') return false
  return route.hosts.some((host) => {
    if (!host.startsWith('*.')) return host === key
    return host.slice(1) === key || isBelow(key, host.slice(1))
  })
}

function indexBySegment(routes: readonly CompiledRoute[]): HostRoutes {
  const segments = new Set<string>()
  for (const route of routes) if (route.firstSegment !== undefined) segments.add(route.firstSegment)
  const bySegment = new Map<string, CompiledRoute[]>()
  for (const segment of segments) bySegment.set(segment, [])
  const others: CompiledRoute[] = []
  for (const route of routes) {
    const segment = route.firstSegment
    if (segment !== undefined) {
      bySegment.get(segment)!.push(route)
      continue
    }
    others.push(route)
    for (const list of bySegment.values()) list.push(route)
  }
  return { bySegment, others }
}
