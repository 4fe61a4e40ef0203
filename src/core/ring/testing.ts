/** What tests of spreading say: whether counts are as chance alone would make them. */
import { Prng } from '../../base/index.ts'

/** `count` keys, the same for the same name. */
export function someKeys(count: number, name = 'key'): string[] {
  const random = new Prng(name)
  return Array.from({ length: count }, (_, i) => `${name}/${i}/${random.uint32().toString(36)}`)
}

/** How often each is what `choose` gives. */
export function countChoices<T>(keys: readonly string[], choose: (key: string) => T): Map<T, number> {
  const counts = new Map<T, number>()
  for (const key of keys) {
    const chosen = choose(key)
    counts.set(chosen, (counts.get(chosen) ?? 0) + 1)
  }
  return counts
}

/**
 * How unlikely the counts are, in standard deviations of the normal distribution, by Wilson and Hilferty's (1931) approximation of the
 * chi-squared distribution. Above 4: about once in 30,000.
 */
export function chiSquaredSigmas(observed: readonly number[], weights: readonly number[]): number {
  const total = observed.reduce((sum, count) => sum + count, 0)
  const weightSum = weights.reduce((sum, weight) => sum + weight, 0)
  const chiSquared = observed.reduce((sum, count, i) => {
    const expected = (total * weights[i]!) / weightSum
    return sum + (count - expected) ** 2 / expected
  }, 0)
  const freedom = observed.length - 1
  const spread = 2 / (9 * freedom)
  return (Math.cbrt(chiSquared / freedom) - (1 - spread)) / Math.sqrt(spread)
}
