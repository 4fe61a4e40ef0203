export { proxyMetricsText } from './prometheus.ts'
export { type ConfiguredNames, mergeProxyMetrics, ProxyMetrics, type ProxyMetricsSnapshot } from './proxy-metrics.ts'
export { durationBoundsMs, TrafficCounters, type TrafficSnapshot } from './traffic-counters.ts'
