export { etcdErrors } from './errors.ts'
export { type HttpPagesContext, httpPages } from './http-pages.ts'
export { kvRoutes } from './kv-service.ts'
export {
  diskSecondsBounds,
  exponentialBounds,
  Histogram,
  type HistogramSnapshot,
  type MetricsSource,
  metricsPage,
  type NodeMetrics,
} from './metrics/index.ts'
export { type EtcdServices, type EtcdServicesContext, etcdServices } from './services.ts'
export { etcdClusterVersion, etcdVersion, synodVersion } from './versions.ts'
