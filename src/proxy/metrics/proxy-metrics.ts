/**
 * The counters of a worker, by listener, route and upstream. Exchanges hold the counters they add to, so a reload that
 * takes a route away loses nothing of what is under way.
 *
 * - M1  There are as many counters as the configuration has names: `retain` drops the others.
 */
import { addSnapshots, TrafficCounters, type TrafficSnapshot } from './traffic-counters.ts'

/** Plain JSON. Routes are named `listener/route`. */
export interface ProxyMetricsSnapshot {
  readonly listeners: Readonly<Record<string, TrafficSnapshot>>
  readonly routes: Readonly<Record<string, TrafficSnapshot>>
  readonly upstreams: Readonly<Record<string, TrafficSnapshot>>
  readonly mirrored: number
  readonly mirrorsDropped: number
  /** Requests so malformed that they have no head. */
  readonly refused: number
}

export interface ConfiguredNames {
  readonly listeners: ReadonlySet<string>
  readonly routes: ReadonlySet<string>
  readonly upstreams: ReadonlySet<string>
}

export class ProxyMetrics {
  mirrored = 0
  mirrorsDropped = 0
  refused = 0
  private readonly listeners = new Map<string, TrafficCounters>()
  private readonly routes = new Map<string, TrafficCounters>()
  private readonly upstreams = new Map<string, TrafficCounters>()

  listener(name: string): TrafficCounters {
    return countersOf(this.listeners, name)
  }

  route(listener: string, name: string): TrafficCounters {
    return countersOf(this.routes, `${listener}/${name}`)
  }

  upstream(name: string): TrafficCounters {
    return countersOf(this.upstreams, name)
  }

  /** Drops the counters of what the configuration no longer names. */
  retain(names: ConfiguredNames): void {
    for (const kind of ['listeners', 'routes', 'upstreams'] as const) {
      for (const name of this[kind].keys()) if (!names[kind].has(name)) this[kind].delete(name)
    }
  }

  snapshot(): ProxyMetricsSnapshot {
    return {
      listeners: snapshots(this.listeners),
      routes: snapshots(this.routes),
      upstreams: snapshots(this.upstreams),
      mirrored: this.mirrored,
      mirrorsDropped: this.mirrorsDropped,
      refused: this.refused,
    }
  }
}

function countersOf(map: Map<string, TrafficCounters>, name: string): TrafficCounters {
  let counters = map.get(name)
  if (counters === undefined) {
    counters = new TrafficCounters()
    map.set(name, counters)
  }
  return counters
}

function snapshots(map: ReadonlyMap<string, TrafficCounters>): Record<string, TrafficSnapshot> {
  return Object.fromEntries([...map].map(([name, counters]) => [name, counters.snapshot()]))
}

/** The sum over all workers. */
export function mergeProxyMetrics(all: readonly ProxyMetricsSnapshot[]): ProxyMetricsSnapshot {
  const sum = (name: 'mirrored' | 'mirrorsDropped' | 'refused') => all.reduce((total, each) => total + each[name], 0)
  return {
    listeners: mergeKind(all.map((each) => each.listeners)),
    routes: mergeKind(all.map((each) => each.routes)),
    upstreams: mergeKind(all.map((each) => each.upstreams)),
    mirrored: sum('mirrored'),
    mirrorsDropped: sum('mirrorsDropped'),
    refused: sum('refused'),
  }
}

function mergeKind(all: readonly Readonly<Record<string, TrafficSnapshot>>[]): Record<string, TrafficSnapshot> {
  const merged = new Map<string, TrafficSnapshot>()
  for (const each of all) {
    for (const [name, snapshot] of Object.entries(each)) {
      const known = merged.get(name)
      merged.set(name, known === undefined ? snapshot : addSnapshots(known, snapshot))
    }
  }
  return Object.fromEntries(merged)
}
