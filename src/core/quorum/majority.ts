import type { MemberId } from '../replicated-log.ts'

/**
 * Decisions of one majority (Raft §5.2, §5.3). An empty set of voters agrees to everything: that is what makes the
 * unused half of a joint configuration neutral (see `joint.ts`).
 */

/** A vote's state: `won` and `lost` cannot change any more, whatever the members that are silent will say. */
export type VoteResult = 'won' | 'lost' | 'pending'

/** How many of `count` members make a majority. */
export function majoritySize(count: number): number {
  return Math.floor(count / 2) + 1
}

/** The highest index that a majority of `voters` has reached; `Infinity` without voters. */
export function majorityIndex(voters: readonly MemberId[], indexOf: (member: MemberId) => number): number {
  const count = voters.length
  if (count === 0) return Number.POSITIVE_INFINITY
  if (count === 1) return indexOf(voters[0] as MemberId)
  const ascending: number[] = []
  for (const voter of voters) insertAscending(ascending, indexOf(voter))
  return ascending[count - majoritySize(count)] as number
}

/** The result of a vote in which `voteOf` is true (granted), false (refused) or undefined (not heard). */
export function majorityVote(
  voters: readonly MemberId[],
  voteOf: (member: MemberId) => boolean | undefined,
): VoteResult {
  if (voters.length === 0) return 'won'
  const needed = majoritySize(voters.length)
  let granted = 0
  let open = 0
  for (const voter of voters) {
    const vote = voteOf(voter)
    if (vote === true) granted++
    else if (vote === undefined) open++
  }
  if (granted >= needed) return 'won'
  return granted + open >= needed ? 'pending' : 'lost'
}

function insertAscending(sorted: number[], value: number): void {
  let at = sorted.length
  sorted.push(value)
  while (at > 0 && (sorted[at - 1] as number) > value) {
    sorted[at] = sorted[at - 1] as number
    at--
  }
  sorted[at] = value
}
