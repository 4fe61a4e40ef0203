import { voteResult } from '../quorum/index.ts'
import { noMember } from '../replicated-log.ts'
import { tickQuickElection } from './connection-lost.ts'
import { campaign, decidesAlone, isPromotable } from './election.ts'
import { broadcastHeartbeat } from './heartbeat.ts'
import type { PaxosState } from './paxos-state.ts'
import { repeatQuestions } from './phase-one.ts'
import { expireReads } from './read-answers.ts'
import { becomeFollower } from './roles.ts'
import { onTransferLeadership } from './timeout-now.ts'

/** What time does. */
export function onTick(paxos: PaxosState): void {
  paxos.tickCount++
  paxos.electionElapsedTicks++
  expireReads(paxos)
  if (paxos.isProposing) tickProposer(paxos)
  else tickFollower(paxos)
}

function tickFollower(paxos: PaxosState): void {
  if (!isPromotable(paxos)) return
  if (tickQuickElection(paxos)) return
  const isDue = paxos.electionElapsedTicks >= paxos.electionDeadlineTicks
  // Nobody else's promise is needed: no reason to wait, unless the own one is on its way to the disk.
  const isAlone = decidesAlone(paxos) && paxos.role === 'follower'
  if (!isDue && !isAlone) return
  paxos.electionElapsedTicks = 0
  paxos.electionDeadlineTicks = paxos.drawElectionDeadline()
  campaign(paxos)
}

function tickProposer(paxos: PaxosState): void {
  paxos.heartbeatElapsedTicks++
  if (paxos.electionElapsedTicks >= paxos.options.electionTimeoutTicks && !endPeriod(paxos)) {
    becomeFollower(paxos, paxos.round, noMember)
    return
  }
  if (paxos.heartbeatElapsedTicks < paxos.options.heartbeatTicks) return
  paxos.heartbeatElapsedTicks = 0
  for (const progress of paxos.progress.values()) progress.heartbeatTimerFired()
  broadcastHeartbeat(paxos)
  if (!paxos.isCovered) repeatQuestions(paxos)
  const isLeaving = !paxos.configurations.mayLead(paxos.id)
  if (isLeaving && paxos.transferee === noMember) onTransferLeadership(paxos, noMember)
}

/** An election time-out has passed; returns whether this node shall go on. */
function endPeriod(paxos: PaxosState): boolean {
  paxos.electionElapsedTicks = 0
  paxos.transferee = noMember
  // One who may lead no more had its time to hand over.
  if (!paxos.configurations.mayLead(paxos.id)) return false
  // Whose promises did not come meanwhile keeps others from trying.
  if (!paxos.isCovered) return false
  return quorumIsActive(paxos) || !paxos.options.checkQuorum
}

/** Whether a quorum was heard from since the last check; begins the next period. */
function quorumIsActive(paxos: PaxosState): boolean {
  const result = voteResult(paxos.configuration, (voter) => {
    if (voter === paxos.id) return true
    return paxos.progress.get(voter)?.recentlyActive === true ? true : undefined
  })
  for (const progress of paxos.progress.values()) progress.beginPeriod()
  return result === 'won'
}
