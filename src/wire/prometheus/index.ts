/** Prometheus' text format and what is counted for it. */
export { diskSecondsBounds, exponentialBounds, Histogram, type HistogramSnapshot } from './histogram.ts'
export { type Labels, PrometheusText, type Sample } from './prometheus-text.ts'
