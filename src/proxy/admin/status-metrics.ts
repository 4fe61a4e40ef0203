import { upstreamMetrics } from '../../traffic/index.ts'
import { PrometheusText } from '../../wire/prometheus/index.ts'
import { proxyMetricsText } from '../metrics/index.ts'
import type { ProxyStatus } from '../processes/index.ts'

/** A proxy's status in Prometheus' text format: `synod_proxy_*` and `synod_upstream_*`. */
export function statusMetrics(status: ProxyStatus): string {
  const text = new PrometheusText()
  const { listeners } = status
  const labelled = (value: (listener: ProxyStatus['listeners'][number]) => number) =>
    listeners.map((listener) => ({ labels: { listener: listener.name }, value: value(listener) }))
  const one = (value: number) => [{ labels: {}, value }]
  text.gauge('synod_proxy_workers', 'Worker processes.', one(status.workers.length))
  text.counter('synod_proxy_worker_crashes_total', 'Workers that ended untold.', one(status.crashes))
  text.gauge('synod_proxy_config_version', 'Configurations taken so far.', one(status.configVersion))
  text.counter(
    'synod_proxy_access_log_dropped_bytes_total',
    'Log bytes not written.',
    one(status.accessLogDroppedBytes),
  )
  const { buffered } = status
  text.gauge('synod_proxy_buffered_bytes', 'Data in flight that is held.', one(buffered.bytes))
  text.gauge('synod_proxy_buffered_bytes_max', 'The bound on it, of all workers.', one(buffered.bytesMax))
  text.counter('synod_proxy_buffer_relief_total', 'What was done to keep within it, besides dropping mirrors.', [
    { labels: { action: 'body-not-kept' }, value: buffered.bodiesNotKept },
    { labels: { action: 'early-pause' }, value: buffered.earlyPauses },
    { labels: { action: 'connection-reset' }, value: buffered.resets },
  ])
  text.gauge(
    'synod_proxy_connections',
    'Open connections.',
    labelled(({ connections }) => connections),
  )
  text.counter(
    'synod_proxy_connections_accepted_total',
    'Connections taken.',
    labelled(({ accepted }) => accepted),
  )
  text.counter(
    'synod_proxy_connections_refused_total',
    'Connections closed before they were served.',
    listeners.flatMap((listener) =>
      Object.entries(listener.refusals).map(([reason, value]) => ({
        labels: { listener: listener.name, reason },
        value,
      })),
    ),
  )
  const streams = listeners.flatMap(({ name, stream }) => (stream === undefined ? [] : [{ name, stream }]))
  if (streams.length > 0) {
    const of = (value: (stream: (typeof streams)[number]['stream']) => number) =>
      streams.map(({ name, stream }) => ({ labels: { listener: name }, value: value(stream) }))
    text.counter(
      'synod_proxy_stream_sessions_total',
      'Layer 4 sessions that reached an endpoint.',
      of((s) => s.opened),
    )
    text.counter(
      'synod_proxy_stream_refused_total',
      'Layer 4 connections not forwarded.',
      of((s) => s.refused),
    )
    text.counter(
      'synod_proxy_stream_connect_failures_total',
      'Failed connects.',
      of((s) => s.connectFailures),
    )
    text.counter(
      'synod_proxy_stream_idle_timeouts_total',
      'Sessions ended for silence.',
      of((s) => s.idleTimeouts),
    )
    text.counter(
      'synod_proxy_stream_client_bytes_total',
      'Bytes from clients.',
      of((s) => s.bytesFromClients),
    )
    text.counter(
      'synod_proxy_stream_endpoint_bytes_total',
      'Bytes to clients.',
      of((s) => s.bytesToClients),
    )
  }
  return `${text.toString()}${proxyMetricsText(status.metrics)}${upstreamMetrics(status.upstreams)}`
}
