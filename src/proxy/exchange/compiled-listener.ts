/** A listener's configuration, compiled: what requests that begin now are handled by. Never changed, only replaced. */
import type { HttpListenerConfig, RetryCondition, RouteConfig } from '../config/index.ts'
import { type CidrSet, cidrSet } from '../forwarded/index.ts'
import { limiterName, type RateLimiter, type RateLimits } from '../limits/index.ts'
import type { ProxyMetrics, TrafficCounters } from '../metrics/index.ts'
import { type CompiledRoute, RouteTable } from '../routing/index.ts'
import type { ProxyUpstream } from './proxy-upstream.ts'

/** A route with what it acts on. */
export interface ActiveRoute {
  readonly compiled: CompiledRoute
  readonly config: RouteConfig
  /** For `forward`, as many as `action.to`; else empty. */
  readonly targets: readonly ProxyUpstream[]
  readonly mirror: ProxyUpstream | undefined
  readonly limiter: RateLimiter | undefined
  readonly counters: TrafficCounters
  readonly retriesOn: (condition: RetryCondition) => boolean
}

export interface CompiledListener {
  readonly config: HttpListenerConfig
  readonly table: RouteTable
  readonly trusted: CidrSet
  /** By `CompiledRoute.order`. */
  readonly routes: readonly ActiveRoute[]
  readonly counters: TrafficCounters
}

export interface CompileInit {
  readonly config: HttpListenerConfig
  readonly upstreams: ReadonlyMap<string, ProxyUpstream>
  readonly limits: RateLimits
  readonly metrics: ProxyMetrics
}

/** @throws RangeError when a route names an upstream that is not there, or a network is malformed. */
export function compileListener(init: CompileInit): CompiledListener {
  const { config } = init
  const table = new RouteTable(config.routes)
  return {
    config,
    table,
    trusted: cidrSet(config.trustedProxies),
    routes: table.routes.map((route) => activate(route, init)),
    counters: init.metrics.listener(config.name),
  }
}

function activate(compiled: CompiledRoute, init: CompileInit): ActiveRoute {
  const { config } = compiled
  const upstreamNamed = (name: string): ProxyUpstream => {
    const upstream = init.upstreams.get(name)
    if (upstream === undefined) throw new RangeError(`route ${config.name} names upstream ${name}, which is not there`)
    return upstream
  }
  const listener = init.config.name
  const conditions = expanded(config.retry.on)
  return {
    compiled,
    config,
    targets: config.action.type === 'forward' ? config.action.to.map((each) => upstreamNamed(each.upstream)) : [],
    mirror: config.mirror === undefined ? undefined : upstreamNamed(config.mirror.upstream),
    limiter:
      config.rateLimit === undefined
        ? undefined
        : init.limits.limiter(limiterName(listener, config.name), config.rateLimit),
    counters: init.metrics.route(listener, config.name),
    retriesOn: (condition) => conditions.has(condition),
  }
}

function expanded(conditions: readonly RetryCondition[]): ReadonlySet<RetryCondition> {
  const all = new Set(conditions)
  if (all.has('gateway-error')) for (const status of ['502', '503', '504'] as const) all.add(status)
  return all
}
