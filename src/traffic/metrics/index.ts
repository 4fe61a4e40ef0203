export { upstreamMetrics, writeUpstreamMetrics } from './upstream-metrics.ts'
