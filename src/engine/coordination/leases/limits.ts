/** The longest time to live that can be asked for (etcd's MaxLeaseTTL). */
export const leaseTtlSecondsMax = 9_000_000_000

/** The shortest that is granted: one and a half election time-outs, so that a change of leader ends no lease. */
export function minLeaseTtlSeconds(electionTimeoutMs: number): number {
  return Math.ceil((1.5 * electionTimeoutMs) / 1000)
}
