import type { Random } from '../../../runtime/index.ts'

/** How long to wait before attempt `attempt` (1: the first repetition): doubling from `firstMs` to `mostMs`, and half to one and a half of that. */
export function backoffMs(random: Random, attempt: number, firstMs: number, mostMs: number): number {
  const plain = Math.min(mostMs, firstMs * 2 ** Math.min(attempt - 1, 20))
  return plain * (0.5 + random.float())
}
