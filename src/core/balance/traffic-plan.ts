/**
 * Which endpoints get traffic at all, and in which groups: priorities, zones, and panic.
 *
 * After Envoy ("Load balancing": "Priority levels", "Panic threshold", "Zone aware routing").
 *
 * - Priorities: a level takes as much as its healthy endpoints can, where 1/1.4 of them are taken to be enough for all; the rest
 *   spills to the next level. So level 1 gets something when less than 71% of level 0 are healthy.
 * - Panic: where too few are healthy, health is more likely to be wrong than the endpoints are, and those left would be overrun: all
 *   are used. With several levels only when together they cannot carry the load.
 * - Zones: callers are taken to be spread evenly over the zones. Traffic stays in the caller's zone as far as that has its share of the
 *   endpoints; the rest goes to zones which have more than theirs.
 */

/** What planning asks of an endpoint. */
export interface TrafficTraits {
  readonly isHealthy: boolean
  /** 0 is used first. */
  readonly priority: number
  /** Empty: in none, which counts as a zone of its own. */
  readonly zone: string
}

/** What is heeded before a policy chooses. */
export interface TrafficPlanOptions {
  /** The caller's own zone; empty: zones do not matter. */
  readonly zone: string
  /** Below this percentage of healthy endpoints all of the level are used, healthy or not; 0: never. */
  readonly panicThresholdPercent: number
}

/** Endpoints that are balanced among themselves. */
export interface TrafficGroup<E> {
  /** The same for the same group in the next plan. */
  readonly name: string
  readonly endpoints: readonly E[]
  /** Of all requests: above 0. The shares of a plan sum to 1. */
  readonly share: number
}

/** Who takes part in balancing, and with what share: what {@link planTraffic} finds. */
export interface TrafficPlan<E> {
  /** In the order of preference. Empty when none may be used. */
  readonly groups: readonly TrafficGroup<E>[]
  readonly isPanicking: boolean
}

/** So much more than the healthy share of a level's endpoints is taken to be bearable. Envoy's default. */
const overprovisioning = 1.4

interface Level<E> {
  readonly priority: number
  readonly members: readonly E[]
  readonly healthy: readonly E[]
}

/** Cost: n log n. Health, priorities and zones are read now; plan again when they change. */
export function planTraffic<E>(
  endpoints: readonly E[],
  traitsOf: (endpoint: E) => TrafficTraits,
  options: TrafficPlanOptions,
): TrafficPlan<E> {
  const levels = levelsOf(endpoints, traitsOf)
  const panicking = panickingLevels(levels, options.panicThresholdPercent)
  const shares = levelShares(levels, panicking)
  const groups = levels.flatMap((level, i) => {
    if (shares[i]! <= 0) return []
    const used = panicking.has(level) ? level.members : level.healthy
    return zoneGroups(level, used, (endpoint) => traitsOf(endpoint).zone, options.zone, shares[i]!)
  })
  return { groups, isPanicking: levels.some((level, i) => panicking.has(level) && shares[i]! > 0) }
}

function levelsOf<E>(endpoints: readonly E[], traitsOf: (endpoint: E) => TrafficTraits): Level<E>[] {
  return [...groupBy(endpoints, (endpoint) => traitsOf(endpoint).priority)]
    .sort(([a], [b]) => a - b)
    .map(([priority, members]) => ({
      priority,
      members,
      healthy: members.filter((endpoint) => traitsOf(endpoint).isHealthy),
    }))
}

/** What part of all load a level can carry. */
function ability<E>({ members, healthy }: Level<E>): number {
  return Math.min(1, (overprovisioning * healthy.length) / members.length)
}

function panickingLevels<E>(levels: readonly Level<E>[], thresholdPercent: number): Set<Level<E>> {
  const canCarryAll = levels.length > 1 && levels.reduce((sum, level) => sum + ability(level), 0) >= 1
  if (canCarryAll) return new Set()
  return new Set(levels.filter(({ members, healthy }) => healthy.length * 100 < members.length * thresholdPercent))
}

function levelShares<E>(levels: readonly Level<E>[], panicking: ReadonlySet<Level<E>>): number[] {
  if (panicking.size === levels.length) {
    const count = levels.reduce((sum, { members }) => sum + members.length, 0)
    return levels.map(({ members }) => members.length / count)
  }
  const total = Math.min(
    1,
    levels.reduce((sum, level) => sum + ability(level), 0),
  )
  let rest = 1
  return levels.map((level) => {
    const share = total === 0 ? 0 : Math.min(rest, ability(level) / total)
    // What is left over by rounding alone is nothing.
    rest = rest - share < 1e-9 ? 0 : rest - share
    return share
  })
}

function zoneGroups<E>(
  level: Level<E>,
  used: readonly E[],
  zoneOf: (endpoint: E) => string,
  ownZone: string,
  share: number,
): TrafficGroup<E>[] {
  const whole = [{ name: `${level.priority}`, endpoints: used, share }]
  const byZone = groupBy(used, zoneOf)
  const own = ownZone === '' ? undefined : byZone.get(ownZone)
  if (own === undefined || byZone.size === 1) return whole
  const fair = 1 / new Set(level.members.map(zoneOf)).size
  const capacity = (endpoints: readonly E[]): number => endpoints.length / used.length
  const kept = Math.min(1, capacity(own) / fair)
  const groups = [{ name: `${level.priority}/${ownZone}`, endpoints: own, share: share * kept }]
  if (kept > 1 - 1e-9) return groups
  const others = [...byZone].filter(([zone]) => zone !== ownZone).sort(([a], [b]) => (a < b ? -1 : 1))
  const spare = others.map(([, endpoints]) => Math.max(0, capacity(endpoints) - fair))
  const spareSum = spare.reduce((sum, each) => sum + each, 0)
  others.forEach(([zone, endpoints], i) => {
    if (spare[i]! <= 0) return
    groups.push({ name: `${level.priority}/${zone}`, endpoints, share: (share * (1 - kept) * spare[i]!) / spareSum })
  })
  return groups
}

function groupBy<E, K>(members: readonly E[], keyOf: (member: E) => K): Map<K, E[]> {
  const groups = new Map<K, E[]>()
  for (const member of members) {
    const key = keyOf(member)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [member])
    else group.push(member)
  }
  return groups
}
