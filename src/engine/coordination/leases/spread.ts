/** Leases may use this part of the revocation rate when they end together; the rest is for those that end by chance. */
const spreadShare = 0.75

/**
 * How much later each of many leases that begin now should end, in milliseconds, so that no second sees more ends than
 * three quarters of `ratePerSecond`. Never negative; 0 for all when they are few. The idea is etcd's
 * (`lessor.Promote`): after an election, all TTLs begin at once, and equal ones would end at once.
 *
 * Walks the TTLs in ascending order, filling seconds: a lease goes to its own second or, when that is full, to the first
 * later one that the walk has not filled.
 */
export function spreadDelaysMs(
  leases: readonly { readonly ttlSeconds: number }[],
  ratePerSecond: number,
): Float64Array {
  const delays = new Float64Array(leases.length)
  if (leases.length < ratePerSecond) return delays
  const perSecond = Math.max(1, Math.floor(ratePerSecond * spreadShare))
  // Grouping by TTL is cheaper than sorting the leases: most share a few TTLs.
  const groups = new Map<number, number[]>()
  leases.forEach(({ ttlSeconds }, i) => {
    const group = groups.get(ttlSeconds)
    if (group === undefined) groups.set(ttlSeconds, [i])
    else group.push(i)
  })
  let second = 0
  let used = 0
  for (const ttl of [...groups.keys()].sort((a, b) => a - b)) {
    if (ttl > second) {
      second = ttl
      used = 0
    }
    for (const i of groups.get(ttl) as number[]) {
      if (used === perSecond) {
        second++
        used = 0
      }
      delays[i] = (second - ttl) * 1000
      used++
    }
  }
  return delays
}
