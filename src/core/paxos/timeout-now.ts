import { type MemberId, noMember } from '../replicated-log.ts'
import { toldChosen } from './chosen.ts'
import { beginRound } from './election.ts'
import type { TimeoutNow } from './message.ts'
import type { PaxosState } from './paxos-state.ts'
import type { Progress } from './progress.ts'
import { heardLeader } from './roles.ts'

/**
 * Handing leadership over: the leader takes no proposals, brings the target up to date, and tells it to begin a round at
 * once. If it still leads after an election time-out, it goes on as before.
 */
export function onTransferLeadership(paxos: PaxosState, to: MemberId): void {
  if (paxos.role !== 'leader') return
  const transferee = to === noMember ? bestSuccessor(paxos) : to
  const progress = paxos.progress.get(transferee)
  if (progress === undefined || !paxos.configurations.isVoter(transferee) || paxos.transferee === transferee) return
  paxos.transferee = transferee
  // The time-out of the transfer is counted here, see `ticks.ts`.
  paxos.electionElapsedTicks = 0
  transferIfCaughtUp(paxos, transferee, progress)
}

/** Leader: `member` answered; if leadership is being handed to it and it has everything, it may begin. */
export function transferIfCaughtUp(paxos: PaxosState, member: MemberId, progress: Progress): void {
  if (member !== paxos.transferee || progress.matchIndex !== paxos.acceptedThrough) return
  paxos.send(member, { type: 'timeoutNow', round: paxos.round, chosenIndex: paxos.chosenIndex })
}

/** No question first: the leader itself wants it, and acceptors do not defend it. */
export function onTimeoutNow(paxos: PaxosState, from: MemberId, message: TimeoutNow): void {
  if (from !== paxos.leader || paxos.isProposing) return
  heardLeader(paxos, from)
  // It may be this very slot that made it a voter.
  toldChosen(paxos, message.chosenIndex)
  beginRound(paxos, true)
  // One that is no voter any more is not asked for its promise, but should know.
  if (!paxos.configurations.isVoter(from)) paxos.send(from, { type: 'rejected', round: paxos.round })
}

/** The voter that has most of the log, among those heard from lately. */
function bestSuccessor(paxos: PaxosState): MemberId {
  let best: MemberId = noMember
  let bestIndex = -1
  for (const [member, progress] of paxos.progress) {
    if (!paxos.configurations.isVoter(member) || !progress.answersLately) continue
    if (progress.matchIndex <= bestIndex) continue
    best = member
    bestIndex = progress.matchIndex
  }
  return best
}
