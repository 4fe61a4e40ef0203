export { diskSecondsBounds, exponentialBounds, Histogram, type HistogramSnapshot } from './histogram.ts'
export { type MetricsSource, metricsPage, type NodeMetrics } from './metrics-page.ts'
