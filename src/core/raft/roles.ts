import { assert } from '../../base/index.ts'
import { type MemberId, noMember } from '../replicated-log.ts'
import { Progress } from './progress.ts'
import { entryBytes, noopPayload } from './raft-log.ts'
import type { RaftState } from './raft-state.ts'
import { confirmReads, failAllReads } from './read-answers.ts'

/** The transitions between roles (Raft §5.1, figure 4). Nothing else assigns `role` or `leader`. */

/** Follows `leader` (may be `noMember`) in `term`, which is the current one or a later one. */
export function becomeFollower(raft: RaftState, term: number, leader: MemberId): void {
  if (term > raft.term) raft.enterTerm(term)
  if (leader !== raft.leader) failAllReads(raft)
  if (raft.role === 'leader') raft.electionElapsedTicks = 0
  leaveRole(raft)
  raft.role = raft.followingRole
  raft.leader = leader
  raft.electionDeadlineTicks = raft.drawElectionDeadline()
}

/** A message of `leader`, of the current term, arrived: follow it, and wait again for a whole election time-out. */
export function heardLeader(raft: RaftState, leader: MemberId): void {
  assert(raft.role !== 'leader', 'one leader a term')
  if (raft.leader !== leader) becomeFollower(raft, raft.term, leader)
  raft.electionElapsedTicks = 0
  raft.forgetLostLeader()
  raft.lease.heardLeader()
}

/** Asks for pre-votes; neither the term nor the vote changes (thesis §9.6). */
export function becomePreCandidate(raft: RaftState): void {
  assert(raft.role !== 'leader', 'a leader does not campaign')
  failAllReads(raft)
  leaveRole(raft)
  raft.role = 'pre-candidate'
  raft.leader = noMember
}

/** Enters the next term and votes for itself. */
export function becomeCandidate(raft: RaftState): void {
  assert(raft.role !== 'leader', 'a leader does not campaign')
  failAllReads(raft)
  leaveRole(raft)
  raft.enterTerm(raft.term + 1)
  raft.voteFor(raft.id)
  raft.role = 'candidate'
  raft.leader = noMember
  raft.electionElapsedTicks = 0
  raft.electionDeadlineTicks = raft.drawElectionDeadline()
}

/** Leads, and opens the term with an entry of its own, so that earlier ones can commit (Raft §5.4.2, §8). */
export function becomeLeader(raft: RaftState): void {
  assert(raft.role === 'candidate', 'a leader was a candidate')
  leaveRole(raft)
  raft.forgetLostLeader()
  raft.role = 'leader'
  raft.leader = raft.id
  raft.electionElapsedTicks = 0
  raft.heartbeatElapsedTicks = 0
  trackMembers(raft)
  raft.uncommittedBytes = 0
  for (let index = raft.commitIndex + 1; index <= raft.log.lastIndex; index++) {
    raft.uncommittedBytes += entryBytes(raft.log.entryAt(index))
  }
  const noop = { index: raft.log.lastIndex + 1, term: raft.term, kind: 'noop', payload: noopPayload } as const
  raft.append([noop])
  raft.uncommittedBytes += entryBytes(noop)
}

/**
 * Leader: tracks exactly the other members of the configuration; while a change is under way, those that leave by it
 * too, so that they learn of it.
 */
export function trackMembers(raft: RaftState): void {
  const members = raft.configurations.membersSince(raft.commitIndex)
  if (isSettled(raft)) {
    for (const member of raft.progress.keys()) if (!members.includes(member)) raft.progress.delete(member)
  }
  for (const member of members) {
    if (member === raft.id || raft.progress.has(member)) continue
    raft.progress.set(member, new Progress(raft.log.lastIndex + 1, raft.options.maxInflightAppends))
  }
}

/** The one reaction to a change of the current configuration, however it came about. */
export function configurationChanged(raft: RaftState): void {
  if (raft.role === 'leader') {
    trackMembers(raft)
    // New voters have a whole period to be heard from; it took a quorum to get here.
    raft.electionElapsedTicks = 0
    // Fewer voters may have confirmed already what more had not.
    confirmReads(raft)
  }
}

/** Whether no change of the members is under way: the configuration is committed and not joint. */
export function isSettled(raft: RaftState): boolean {
  return raft.configurations.currentIndex <= raft.commitIndex && raft.configuration.outgoing.length === 0
}

/** At the end of a step: what is committed, and the configuration in force, decide whether this node may campaign. */
export function settleRole(raft: RaftState): void {
  if (raft.role === 'leader' || raft.role === raft.followingRole) return
  if (raft.role === 'follower' || raft.role === 'learner') raft.role = raft.followingRole
  // A snapshot that was begun before the campaign took the vote away.
  else if (raft.followingRole === 'learner') becomeFollower(raft, raft.term, noMember)
}

function leaveRole(raft: RaftState): void {
  raft.votes.clear()
  raft.ownVotePersistId = 0
  raft.progress.clear()
  raft.transferee = noMember
  raft.uncommittedBytes = 0
  raft.lastAppend = undefined
  raft.lease.reset()
}
