import { assert } from '../../base/index.ts'
import { voteResult } from '../quorum/index.ts'
import { noMember } from '../replicated-log.ts'
import { tickQuickElection } from './connection-lost.ts'
import { campaign, decidesAlone, isPromotable } from './election.ts'
import { beginHeartbeats } from './heartbeat.ts'
import type { RaftState } from './raft-state.ts'
import { expireReads } from './read-answers.ts'
import { becomeFollower } from './roles.ts'

/** What time does. */
export function onTick(raft: RaftState, nowMs: number | undefined): void {
  assert(!raft.lease.isOn || nowMs !== undefined, 'leases need the time in each tick')
  raft.lease.tell(nowMs)
  raft.tickCount++
  raft.electionElapsedTicks++
  expireReads(raft)
  if (raft.role === 'leader') tickLeader(raft)
  else tickFollower(raft)
}

function tickFollower(raft: RaftState): void {
  if (!isPromotable(raft) || raft.lease.isPledged) return
  if (tickQuickElection(raft)) return
  const isDue = raft.electionElapsedTicks >= raft.electionDeadlineTicks
  // Nobody else's vote is needed: no reason to wait, unless the own vote is on its way to the disk, or a leader that left
  // the configuration is about to hand over.
  const isAlone = decidesAlone(raft) && raft.role === 'follower' && raft.leader === noMember
  if (!isDue && !isAlone) return
  raft.electionElapsedTicks = 0
  raft.electionDeadlineTicks = raft.drawElectionDeadline()
  campaign(raft)
}

function tickLeader(raft: RaftState): void {
  raft.heartbeatElapsedTicks++
  if (raft.electionElapsedTicks >= raft.options.electionTimeoutTicks) {
    raft.electionElapsedTicks = 0
    raft.transferee = noMember
    if (raft.options.checkQuorum && !quorumIsActive(raft)) {
      becomeFollower(raft, raft.term, noMember)
      return
    }
  }
  if (raft.heartbeatElapsedTicks < raft.options.heartbeatTicks) return
  raft.heartbeatElapsedTicks = 0
  beginHeartbeats(raft)
}

/** Thesis §6.2: whether a quorum was heard from since the last check; begins the next period. */
function quorumIsActive(raft: RaftState): boolean {
  const result = voteResult(raft.configuration, (voter) => {
    if (voter === raft.id) return true
    return raft.progress.get(voter)?.recentlyActive === true ? true : undefined
  })
  for (const progress of raft.progress.values()) progress.beginPeriod()
  return result === 'won'
}
