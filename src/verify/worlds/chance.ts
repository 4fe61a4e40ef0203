/** Draws that worlds make often. */
import type { Random } from '../../runtime/index.ts'

export function pick<T>(random: Random, choices: readonly T[]): T {
  return choices[random.below(choices.length)] as T
}

export function chance(random: Random, probability: number): boolean {
  return random.float() < probability
}

/** A whole number from `min` to `max`. */
export function between(random: Random, min: number, max: number): number {
  return min + random.below(max - min + 1)
}

/** A waiting time with this mean, memoryless, at most ten times it. */
export function exponential(random: Random, mean: number): number {
  return Math.min(10 * mean, -mean * Math.log(1 - random.float()))
}

/** In a random order. */
export function shuffled<T>(random: Random, items: Iterable<T>): T[] {
  const out = [...items]
  for (let i = out.length - 1; i > 0; i--) {
    const j = random.below(i + 1)
    const swapped = out[i] as T
    out[i] = out[j] as T
    out[j] = swapped
  }
  return out
}
