/**
 * Weighted choice between the targets of a route, deterministic and smooth: with weights 9 and 1 exactly one request in
 * ten goes to the second, evenly spaced (nginx's smooth weighted round robin, commit 52327e0627f4).
 */
export class SmoothSplit {
  private readonly weights: readonly number[]
  /** Their sum is 0 between calls, and each lies within the sum of the weights. */
  private readonly current: number[]
  private readonly total: number

  /** `weights`: none negative, not all 0. A target of weight 0 is never chosen. */
  constructor(weights: readonly number[]) {
    this.weights = weights
    this.current = weights.map(() => 0)
    this.total = weights.reduce((sum, weight) => sum + weight, 0)
  }

  /** The index of the next target. */
  next(): number {
    let best = -1
    for (let i = 0; i < this.weights.length; i++) {
      if (this.weights[i] === 0) continue
      const value = (this.current[i]! += this.weights[i]!)
      if (best === -1 || value > this.current[best]!) best = i
    }
    if (best === -1) return 0
    this.current[best]! -= this.total
    return best
  }
}
