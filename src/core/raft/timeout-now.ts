import { type MemberId, noMember } from '../replicated-log.ts'
import { campaignForVotes } from './election.ts'
import type { Progress } from './progress.ts'
import type { RaftState } from './raft-state.ts'

/**
 * Leadership transfer (thesis §3.10): the leader takes no proposals, brings the target up to date, and tells it to
 * campaign at once. If it still leads after an election time-out, it goes on as before.
 */
export function onTransferLeadership(raft: RaftState, to: MemberId): void {
  if (raft.role !== 'leader') return
  const transferee = to === noMember ? bestSuccessor(raft) : to
  const progress = raft.progress.get(transferee)
  if (progress === undefined || !raft.configurations.isVoter(transferee) || raft.transferee === transferee) return
  raft.transferee = transferee
  raft.lease.isForfeited = true
  // The time-out of the transfer is counted here, see `ticks.ts`.
  raft.electionElapsedTicks = 0
  transferIfCaughtUp(raft, transferee, progress)
}

/** Leader: `member` answered; if leadership is being handed to it and it has everything, it may campaign. */
export function transferIfCaughtUp(raft: RaftState, member: MemberId, progress: Progress): void {
  if (member !== raft.transferee || progress.matchIndex !== raft.log.lastIndex) return
  raft.send(member, { type: 'timeoutNow', term: raft.term })
}

/** No pre-vote: the leader itself wants it, and voters do not defend it. */
export function onTimeoutNow(raft: RaftState, from: MemberId): void {
  if (from === raft.leader) campaignForVotes(raft, true)
}

/** The voter that has most of the log, among those heard from lately; in a joint configuration, one that will stay. */
export function bestSuccessor(raft: RaftState): MemberId {
  let best: MemberId = noMember
  let bestIndex = -1
  for (const [member, progress] of raft.progress) {
    if (!raft.configuration.voters.includes(member) || !progress.answersLately) continue
    if (progress.matchIndex <= bestIndex) continue
    best = member
    bestIndex = progress.matchIndex
  }
  return best
}
