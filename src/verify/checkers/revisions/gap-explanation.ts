/**
 * Gives each revision that nobody claims an author among the operations of unknown outcome and the ends of leases, each
 * used at most once: a bipartite matching by augmenting paths (Kuhn).
 */
import { type Breach, changeInWords, type Explainer, type RevisionIndex, type SeenChange } from './revision-index.ts'

export interface Gap {
  readonly revision: number
  readonly seen: ReadonlyMap<string, SeenChange>
  /** All who may have made it, whether or not the matching gave it to them. */
  readonly candidates: readonly Explainer[]
}

export type GapExplanation =
  | { readonly outcome: 'explained'; readonly gaps: ReadonlyMap<number, Gap> }
  | { readonly outcome: 'breach'; readonly breach: Breach }
  | { readonly outcome: 'gaveUp'; readonly gapCount: number }

const stepsMax = 20_000_000
const noChanges: ReadonlyMap<string, SeenChange> = new Map()

export function explainGaps(index: RevisionIndex): GapExplanation {
  const revisions = unclaimed(index)
  if (revisions === undefined) return { outcome: 'breach', breach: tooMany(index) }
  const gaps: Gap[] = []
  /** Those that need none of the authors. */
  const elsewhere: Gap[] = []
  for (const revision of revisions) {
    const seen = index.seen.get(revision) ?? noChanges
    const candidates = index.explainers.filter((each) => each.floor < revision && couldMake(each, seen))
    const gap = { revision, seen, candidates }
    if (mayBeUnrecorded(index, seen)) {
      elsewhere.push(gap)
      continue
    }
    if (candidates.length === 0) return { outcome: 'breach', breach: unexplained(revision, seen) }
    gaps.push(gap)
  }
  const matched = match(gaps)
  if (matched === 'gaveUp') return { outcome: 'gaveUp', gapCount: gaps.length }
  if (matched !== undefined) return { outcome: 'breach', breach: unexplained(matched.revision, matched.seen) }
  return { outcome: 'explained', gaps: new Map([...gaps, ...elsewhere].map((gap) => [gap.revision, gap])) }
}

/** The revisions that nobody claims; undefined if they are more than all that could explain them. */
function unclaimed({ start, revisionMax, claims, explainers, unrecorded }: RevisionIndex): number[] | undefined {
  let claimedCount = 0
  for (const revision of claims.keys()) if (revision > start.revision) claimedCount++
  const authorsMax = unrecorded.length > 0 ? Number.POSITIVE_INFINITY : explainers.length
  if (revisionMax - start.revision - claimedCount > authorsMax) return undefined
  const revisions: number[] = []
  for (let revision = start.revision + 1; revision <= revisionMax; revision++)
    if (!claims.has(revision)) revisions.push(revision)
  return revisions
}

function couldMake({ possible, isLeaseEnd }: Explainer, seen: ReadonlyMap<string, SeenChange>): boolean {
  if (isLeaseEnd) return [...seen.values()].every(({ value }) => value === null)
  return possible.some((changes) => [...seen].every(([key, { value }]) => changes.get(key) === value))
}

/** Whether a write that nobody recorded can have made all that was seen of it. */
function mayBeUnrecorded({ unrecorded }: RevisionIndex, seen: ReadonlyMap<string, SeenChange>): boolean {
  const isWithin = (key: string): boolean => unrecorded.some((range) => key >= range.key && key < range.end)
  return unrecorded.length > 0 && [...seen.keys()].every(isWithin)
}

/** The first gap for which nobody is left. */
function match(gaps: readonly Gap[]): Gap | 'gaveUp' | undefined {
  const owner = new Map<Explainer, Gap>()
  let steps = 0
  const assign = (gap: Gap, visited: Set<Explainer>): boolean => {
    for (const candidate of gap.candidates) {
      if (++steps > stepsMax) return false
      if (owner.has(candidate) || visited.has(candidate)) continue
      owner.set(candidate, gap)
      return true
    }
    for (const candidate of gap.candidates) {
      if (++steps > stepsMax) return false
      if (visited.has(candidate)) continue
      visited.add(candidate)
      if (!assign(owner.get(candidate)!, visited)) continue
      owner.set(candidate, gap)
      return true
    }
    return false
  }
  // Those with fewest candidates first: then hardly any has to be moved.
  for (const gap of [...gaps].sort((a, b) => a.candidates.length - b.candidates.length)) {
    if (assign(gap, new Set())) continue
    return steps > stepsMax ? 'gaveUp' : gap
  }
  return undefined
}

function unexplained(revision: number, seen: ReadonlyMap<string, SeenChange>): Breach {
  const what = [...seen].map(([key, { value }]) => changeInWords(key, value))
  return {
    explanation:
      what.length === 0
        ? `Revision ${revision} exists, but no operation can have made it that has not made another one.`
        : `Revision ${revision} was seen to ${what.join(' and ')}, but no operation can have done so.`,
    evidence: [...seen.values()].map(({ record }) => record),
  }
}

function tooMany({ start, revisionMax, claims, explainers }: RevisionIndex): Breach {
  let first = start.revision + 1
  while (claims.has(first)) first++
  return {
    explanation: `Between revisions ${start.revision} and ${revisionMax} more are claimed by nobody (the first is ${first}) than there are operations of unknown outcome and leases (${explainers.length}). A store that was not empty at revision ${start.revision} when the history began needs a "start" record.`,
    evidence: [...claims]
      .sort(([a], [b]) => a - b)
      .filter(([revision]) => revision > first)
      .slice(0, 1)
      .map(([, claim]) => claim.record),
  }
}
