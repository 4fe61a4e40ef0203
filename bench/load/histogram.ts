// Latencies in buckets of at most 1.6 %: exact to the microsecond below 128 µs, 64 buckets for every doubling above.

const subBuckets = 128

/** A histogram of microseconds. */
export class Histogram {
  readonly #counts = new Uint32Array(subBuckets * 34)
  #total = 0

  get total(): number {
    return this.#total
  }

  record(micros: number): void {
    this.#counts[bucketOf(micros)]!++
    this.#total++
  }

  /** The latency in microseconds that this share of all requests did not exceed. */
  quantile(share: number): number {
    let left = Math.ceil(this.#total * share)
    for (let bucket = 0; bucket < this.#counts.length; bucket++) {
      left -= this.#counts[bucket]!
      if (left <= 0) return lowestOf(bucket)
    }
    return 0
  }
}

function bucketOf(micros: number): number {
  const value = Math.max(0, Math.min(micros | 0, 0x3fffffff))
  const shift = Math.max(0, 25 - Math.clz32(value))
  return shift * subBuckets + (value >> shift)
}

function lowestOf(bucket: number): number {
  // Beyond the first range a value keeps its 7 leading bits, so a range uses its buckets from 64 on.
  const shift = Math.floor(bucket / subBuckets)
  return (bucket - shift * subBuckets) << shift
}
