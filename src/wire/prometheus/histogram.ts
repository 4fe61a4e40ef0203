/** A histogram as a page shows it: `counts[i]` observations up to `bounds[i]` and above the bound before. */
export interface HistogramSnapshot {
  readonly bounds: readonly number[]
  /** One more than bounds: the last counts what is above all of them. */
  readonly counts: readonly number[]
  readonly sum: number
}

/** Counts observations by size. */
export class Histogram implements HistogramSnapshot {
  readonly bounds: readonly number[]
  readonly counts: number[]
  sum = 0

  /** `bounds` ascending. */
  constructor(bounds: readonly number[]) {
    this.bounds = bounds
    this.counts = new Array<number>(bounds.length + 1).fill(0)
  }

  observe(value: number): void {
    let bucket = 0
    while (bucket < this.bounds.length && value > (this.bounds[bucket] as number)) bucket++
    this.counts[bucket] = (this.counts[bucket] as number) + 1
    this.sum += value
  }
}

/** Bounds of a fixed ratio, as Prometheus' ExponentialBuckets. */
export function exponentialBounds(first: number, factor: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => first * factor ** i)
}

/** The bounds of etcd's disk histograms, in seconds: 1 ms to 8.192 s. */
export const diskSecondsBounds: readonly number[] = exponentialBounds(0.001, 2, 14)
