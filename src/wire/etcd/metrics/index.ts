export { diskSecondsBounds, exponentialBounds, Histogram, type HistogramSnapshot } from '../../prometheus/index.ts'
export { type MetricsSource, metricsPage, type NodeMetrics } from './metrics-page.ts'
