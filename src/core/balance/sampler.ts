/**
 * Draws from the endpoints at random, evenly or by weight, without those that are excluded.
 *
 * Source of the alias method: Vose, "A linear algorithm for generating random numbers with a given distribution", IEEE TSE 17(9), 1991.
 *
 * I1: `threshold` and `alias` are made of the weights at the last update, and empty when they were all equal.
 */
import type { BalancedEndpoint, RandomUnit } from './balancer.ts'

/** None could be drawn. */
export const nothing = -1

/** So often a draw that hits an excluded endpoint is repeated before all are gone through. Both ways have the same distribution. */
const redraws = 4

export class Sampler<E extends BalancedEndpoint> {
  readonly #randomUnit: RandomUnit
  readonly #isWeighted: boolean
  #endpoints: readonly E[] = []
  #threshold = new Float64Array(0)
  #alias = new Uint32Array(0)

  constructor(randomUnit: RandomUnit, isWeighted: boolean) {
    this.#randomUnit = randomUnit
    this.#isWeighted = isWeighted
  }

  get endpoints(): readonly E[] {
    return this.#endpoints
  }

  update(endpoints: readonly E[]): void {
    this.#endpoints = endpoints
    const isEven = !this.#isWeighted || endpoints.every(({ weight }) => weight === endpoints[0]!.weight)
    const weights = isEven ? [] : endpoints.map(({ weight }) => weight)
    this.#threshold = new Float64Array(weights.length).fill(1)
    this.#alias = new Uint32Array(weights.length)
    this.#makeTable(weights)
  }

  /** The index of one that is neither excluded nor at `except`, or `nothing`. */
  draw(isExcluded: ((endpoint: E) => boolean) | undefined, except = nothing): number {
    const endpoints = this.#endpoints
    if (endpoints.length === 0) return nothing
    for (let i = 0; i < redraws; i++) {
      const at = this.#drawAny()
      if (at !== except && !isExcluded?.(endpoints[at]!)) return at
    }
    return this.#drawByCounting(isExcluded, except)
  }

  /** One random number: its whole part chooses the column, its fraction between the two of the column. */
  #drawAny(): number {
    const scaled = this.#randomUnit() * this.#endpoints.length
    const column = Math.floor(scaled)
    if (this.#threshold.length === 0 || scaled - column < this.#threshold[column]!) return column
    return this.#alias[column]!
  }

  #drawByCounting(isExcluded: ((endpoint: E) => boolean) | undefined, except: number): number {
    const endpoints = this.#endpoints
    let sum = 0
    // Reservoir sampling (Chao 1982): in one pass, and the predicate is asked once for each.
    let chosen = nothing
    for (let i = 0; i < endpoints.length; i++) {
      if (i === except || isExcluded?.(endpoints[i]!)) continue
      const weight = this.#isWeighted ? endpoints[i]!.weight : 1
      sum += weight
      if (chosen === nothing || this.#randomUnit() * sum < weight) chosen = i
    }
    return chosen
  }

  #makeTable(weights: readonly number[]): void {
    const count = weights.length
    const sum = weights.reduce((all, weight) => all + weight, 0)
    const share = Float64Array.from(weights, (weight) => (weight * count) / sum)
    const small: number[] = []
    const large: number[] = []
    share.forEach((value, i) => {
      const list = value < 1 ? small : large
      list.push(i)
    })
    while (small.length > 0 && large.length > 0) {
      const less = small.pop()!
      const more = large.at(-1)!
      this.#threshold[less] = share[less]!
      this.#alias[less] = more
      share[more]! -= 1 - share[less]!
      if (share[more]! < 1) small.push(large.pop()!)
    }
  }
}
