import type { Configuration, MemberId } from '../replicated-log.ts'
import { majorityIndex, majorityVote, type VoteResult } from './majority.ts'

/**
 * Decisions of a joint configuration (Raft §6): while `outgoing` is not empty, both its majority and that of `voters`
 * must agree. Learners count nowhere.
 */

/** The highest index on which the configuration agrees; 0 when it has no voters at all. */
export function committedIndex(configuration: Configuration, indexOf: (member: MemberId) => number): number {
  const index = Math.min(majorityIndex(configuration.voters, indexOf), majorityIndex(configuration.outgoing, indexOf))
  return index === Number.POSITIVE_INFINITY ? 0 : index
}

/** The result of a vote; `lost` when the configuration has no voters at all. */
export function voteResult(
  configuration: Configuration,
  voteOf: (member: MemberId) => boolean | undefined,
): VoteResult {
  if (configuration.voters.length === 0 && configuration.outgoing.length === 0) return 'lost'
  const incoming = majorityVote(configuration.voters, voteOf)
  const outgoing = majorityVote(configuration.outgoing, voteOf)
  if (incoming === 'lost' || outgoing === 'lost') return 'lost'
  return incoming === 'won' && outgoing === 'won' ? 'won' : 'pending'
}

/** Whether `member` alone decides: no other voter's word is needed. */
export function isSoleVoter(configuration: Configuration, member: MemberId): boolean {
  return (
    configuration.voters.length + configuration.outgoing.length > 0 &&
    configuration.voters.every((voter) => voter === member) &&
    configuration.outgoing.every((voter) => voter === member)
  )
}
