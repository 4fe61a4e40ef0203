/**
 * How much of its weight a new endpoint gets: caches, connections and compiled code come only with use.
 *
 * In ten steps, so that tables which are made of the weights are made anew ten times and not at every request.
 */

const steps = 9

/**
 * From 0.1 to 1: a tenth at first, a tenth more after each ninth of `slowStartMs`, all from `ageMs = slowStartMs` on. 1 when
 * `slowStartMs` is 0. Times in milliseconds.
 */
export function slowStartFactor(ageMs: number, slowStartMs: number): number {
  if (ageMs >= slowStartMs) return 1
  return (1 + Math.floor((Math.max(0, ageMs) * steps) / slowStartMs)) / (steps + 1)
}

/** In how many milliseconds the factor changes next; undefined when it is 1. Above 0. */
export function slowStartNextMs(ageMs: number, slowStartMs: number): number | undefined {
  if (ageMs >= slowStartMs) return undefined
  const step = Math.floor((Math.max(0, ageMs) * steps) / slowStartMs) + 1
  return Math.max((step * slowStartMs) / steps - ageMs, 1e-3)
}
