/** A running proxy as its operator sees it, whether it is one process or several. */
import type { EndpointView, UpstreamView } from '../../traffic/index.ts'
import type { ProxyConfig } from '../config/index.ts'
import type { BufferedView } from '../http/index.ts'
import { mergeProxyMetrics, type ProxyMetricsSnapshot } from '../metrics/index.ts'
import type { ListenerView, WorkerView } from '../worker/index.ts'

export interface WorkerStatus {
  readonly processId: number
  readonly state: 'starting' | 'serving' | 'draining'
  readonly connections: number
}

export interface ProxyStatus {
  /** Counts the configurations that were taken, from 1. */
  readonly configVersion: number
  readonly isDraining: boolean
  /** Workers that ended without having been told to. */
  readonly crashes: number
  readonly workers: readonly WorkerStatus[]
  readonly listeners: readonly ListenerView[]
  readonly upstreams: readonly UpstreamView[]
  readonly metrics: ProxyMetricsSnapshot
  /** Data in flight, and what was done to bound it. */
  readonly buffered: BufferedView
  readonly accessLogDroppedBytes: number
}

export interface RunningProxy {
  /** Takes a configuration in place. Rejects with why not; then the old one goes on. */
  reload(config: ProxyConfig): Promise<void>
  reopenLogs(): Promise<void>
  /** False: there is no such endpoint. */
  setEndpointDraining(upstream: string, endpoint: string, draining: boolean): Promise<boolean>
  status(): Promise<ProxyStatus>
  /** Accepts no more, lets what is under way finish for at most `timeoutMs`, and ends. */
  drain(timeoutMs: number): Promise<void>
  /** Ends now. */
  stop(): Promise<void>
}

/** Sums over all workers; states and addresses are the first one's. */
export function mergeViews(
  views: readonly WorkerView[],
): Omit<ProxyStatus, 'configVersion' | 'isDraining' | 'crashes' | 'workers'> {
  return {
    listeners: merged(
      views.map((view) => view.listeners),
      ({ name }) => name,
      addListeners,
    ),
    upstreams: merged(
      views.map((view) => view.upstreams),
      ({ name }) => name,
      addUpstreams,
    ),
    metrics: mergeProxyMetrics(views.map((view) => view.metrics)),
    buffered: views.map((view) => view.buffered).reduce((sum, each) => addNumbers(sum, each), noneBuffered),
    accessLogDroppedBytes: views.reduce((sum, view) => sum + view.accessLogDroppedBytes, 0),
  }
}

const noneBuffered: BufferedView = { bytes: 0, bytesMax: 0, bodiesNotKept: 0, earlyPauses: 0, resets: 0 }

function merged<T>(lists: readonly (readonly T[])[], keyOf: (item: T) => string, add: (a: T, b: T) => T): T[] {
  const byKey = new Map<string, T>()
  for (const item of lists.flat()) {
    const known = byKey.get(keyOf(item))
    byKey.set(keyOf(item), known === undefined ? item : add(known, item))
  }
  return [...byKey.values()]
}

function addListeners(a: ListenerView, b: ListenerView): ListenerView {
  return {
    ...a,
    connections: a.connections + b.connections,
    accepted: a.accepted + b.accepted,
    refusals: addNumbers(a.refusals, b.refusals),
    stream: a.stream === undefined || b.stream === undefined ? a.stream : addNumbers(a.stream, b.stream),
  }
}

function addUpstreams(a: UpstreamView, b: UpstreamView): UpstreamView {
  return {
    ...a,
    isPanicking: a.isPanicking || b.isPanicking,
    requests: a.requests + b.requests,
    retries: a.retries + b.retries,
    retriesRefused: a.retriesRefused + b.retriesRefused,
    refusals: addNumbers(a.refusals, b.refusals),
    endpoints: merged([a.endpoints, b.endpoints], ({ id }) => id, addEndpoints),
  }
}

/** Outliers are ejected by each worker for itself: a state other than `ready` anywhere is what people want to see. */
function addEndpoints(a: EndpointView, b: EndpointView): EndpointView {
  const shown = a.state === 'ready' ? b : a
  return {
    ...shown,
    active: a.active + b.active,
    successes: a.successes + b.successes,
    failures: a.failures + b.failures,
    ejections: a.ejections + b.ejections,
    ejectionsByCause: addNumbers(a.ejectionsByCause, b.ejectionsByCause),
    latencyMs: Math.max(a.latencyMs, b.latencyMs),
    phi: a.phi === undefined || b.phi === undefined ? (a.phi ?? b.phi) : Math.max(a.phi, b.phi),
  }
}

function addNumbers<T extends object>(a: T, b: T): T {
  const other = b as Record<string, number>
  return Object.fromEntries(Object.entries(a).map(([key, value]) => [key, Number(value) + (other[key] ?? 0)])) as T
}
