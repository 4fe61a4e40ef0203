/** A worker for people, other processes and metrics: plain data. */
import type { PortRefusal } from '../../runtime/index.ts'
import type { UpstreamView } from '../../traffic/upstream/index.ts'
import type { BufferedView } from '../http/index.ts'
import type { ProxyMetricsSnapshot } from '../metrics/index.ts'
import { type StreamCounters, StreamListener } from '../stream/index.ts'
import type { WorkerListener } from './listener.ts'

export interface ListenerView {
  readonly name: string
  readonly protocol: string
  readonly host: string
  /** The real one, also when 0 was asked for. */
  readonly port: number
  readonly connections: number
  readonly accepted: number
  readonly refusals: Readonly<Record<PortRefusal, number>>
  /** Layer 4 only. */
  readonly stream: StreamCounters | undefined
}

export interface WorkerView {
  /** Counts the configurations that were taken, from 1. */
  readonly configVersion: number
  readonly isDraining: boolean
  readonly listeners: readonly ListenerView[]
  readonly upstreams: readonly UpstreamView[]
  readonly metrics: ProxyMetricsSnapshot
  readonly buffered: BufferedView
  readonly accessLogDroppedBytes: number
}

export function listenerView(listener: WorkerListener): ListenerView {
  const { config, port, connections, accepted, refusals, service } = listener
  return {
    name: config.name,
    protocol: config.protocol === 'http' && config.tls !== undefined ? 'https' : config.protocol,
    host: config.host,
    port: port?.address.port ?? config.port,
    connections,
    accepted,
    refusals: { ...refusals },
    stream: service instanceof StreamListener ? { ...service.counters } : undefined,
  }
}
