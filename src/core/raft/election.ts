import { isSoleVoter, voteResult } from '../quorum/index.ts'
import type { MemberId } from '../replicated-log.ts'
import type { RaftState } from './raft-state.ts'
import { becomeCandidate, becomeFollower, becomeLeader, becomePreCandidate } from './roles.ts'

/** Campaigns: Raft §5.2, with the pre-vote of thesis §9.6. */

/**
 * Whether this node may campaign at all: who has a vote, and who had one until a change that is not known to be committed.
 * That one may be the only member with an entry of the change, so that nobody else could win; its own vote does not
 * count (thesis §4.2.2).
 */
export function isPromotable(raft: RaftState): boolean {
  return raft.role !== 'leader' && raft.followingRole === 'follower'
}

/** Whether nobody else's vote is needed, so that waiting for a time-out is pointless. */
export function decidesAlone(raft: RaftState): boolean {
  return isSoleVoter(raft.configuration, raft.id)
}

/** Campaigns, with a pre-vote first if the options ask for it. */
export function campaign(raft: RaftState): void {
  if (!isPromotable(raft)) return
  if (!raft.options.preVote) {
    campaignForVotes(raft, false)
    return
  }
  becomePreCandidate(raft)
  const { lastIndex: lastLogIndex, lastTerm: lastLogTerm } = raft.log
  const { lostLeader } = raft
  for (const voter of otherVoters(raft)) {
    raft.send(voter, { type: 'preVote', term: raft.term + 1, lastLogIndex, lastLogTerm, lostLeader })
  }
  countVote(raft, raft.id, true)
}

/** Campaigns for real. `transfer`: the leader asked for it. */
export function campaignForVotes(raft: RaftState, transfer: boolean): void {
  if (!isPromotable(raft)) return
  becomeCandidate(raft)
  const { term, lostLeader } = raft
  const { lastIndex: lastLogIndex, lastTerm: lastLogTerm } = raft.log
  // The request waits for the disk too: else, after a crash, the same term might be entered with a shorter log, and
  // votes given to the longer one would count for it.
  raft.ownVotePersistId = raft.flushPersist()
  for (const voter of otherVoters(raft)) {
    raft.sendDurably(voter, { type: 'requestVote', term, lastLogIndex, lastLogTerm, transfer, lostLeader })
  }
}

/** The own vote counts from the moment it is durable. */
export function ownVotePersisted(raft: RaftState): void {
  if (raft.ownVotePersistId === 0 || raft.ownVotePersistId > raft.durability.durablePersistId) return
  raft.ownVotePersistId = 0
  countVote(raft, raft.id, true)
}

/** Counts a voter's vote, or pre-vote, and moves on when the result is clear. */
export function countVote(raft: RaftState, from: MemberId, granted: boolean): void {
  if (!raft.configurations.isVoter(from)) return
  if (!raft.votes.has(from)) raft.votes.set(from, granted)
  const result = voteResult(raft.configuration, (voter) => raft.votes.get(voter))
  if (result === 'pending') return
  if (result === 'lost') becomeFollower(raft, raft.term, raft.leader)
  else if (raft.role === 'pre-candidate') campaignForVotes(raft, false)
  else becomeLeader(raft)
}

function otherVoters(raft: RaftState): readonly MemberId[] {
  return raft.configurations.members.filter((member) => member !== raft.id && raft.configurations.isVoter(member))
}
