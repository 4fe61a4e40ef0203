/** Random orders and halves. */
import type { Prng } from '../../../base/index.ts'

export function shuffled<Item>(items: readonly Item[], random: Prng): Item[] {
  const order = [...items]
  for (let at = order.length - 1; at > 0; at--) {
    const other = random.below(at + 1)
    const kept = order[at]!
    order[at] = order[other]!
    order[other] = kept
  }
  return order
}

/** Two sides, neither empty, of two items or more. */
export function twoSides<Item>(items: readonly Item[], random: Prng): [Item[], Item[]] {
  const order = shuffled(items, random)
  const cutAt = 1 + random.below(order.length - 1)
  return [order.slice(0, cutAt), order.slice(cutAt)]
}
