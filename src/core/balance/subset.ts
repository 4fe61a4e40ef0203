/** Which of many endpoints one caller uses, so that not every caller keeps a connection to every endpoint. */
import { Prng } from '../../base/index.ts'
import { Rendezvous } from '../ring/index.ts'

/**
 * Deterministic subsets. Source: Beyer et al., "Site Reliability Engineering", ch. 20, "Deterministic subsetting".
 *
 * Promises: callers numbered from 0 without gaps load the endpoints evenly: in each round of `floor(n / size)` callers every endpoint is
 * used by at most one, and left over are at most `size - 1`, others each round. When endpoints come or go, most callers' subsets change.
 * Order matters: give all callers the same list. Cost: n. Gives all when `size` is 0 or at least n.
 */
export function deterministicSubset<T>(endpoints: readonly T[], caller: number, size: number): T[] {
  if (size <= 0 || size >= endpoints.length) return [...endpoints]
  const subsets = Math.floor(endpoints.length / size)
  const round = Math.floor(caller / subsets)
  const shuffled = [...endpoints]
  const random = new Prng(`subset round ${round}`)
  for (let i = shuffled.length - 1; i > 0; i--) {
    const j = random.below(i + 1)
    ;[shuffled[i], shuffled[j]] = [shuffled[j]!, shuffled[i]!]
  }
  const start = (caller % subsets) * size
  return shuffled.slice(start, start + size)
}

/**
 * Subsets by rendezvous hashing of the caller's name. Promises: an endpoint that comes or goes changes at most one member of a
 * caller's subset; callers need no numbers. Endpoints are used by about the same number of callers, up to chance; weights count.
 * Order does not matter. Cost: n log n. Gives all when `size` is 0 or at least n.
 */
export function rendezvousSubset<T extends { readonly id: string; readonly weight?: number }>(
  endpoints: readonly T[],
  caller: string,
  size: number,
): T[] {
  if (size <= 0 || size >= endpoints.length) return [...endpoints]
  const chosen = new Set(new Rendezvous(endpoints).getMany(caller, size))
  return endpoints.filter(({ id }) => chosen.has(id))
}
