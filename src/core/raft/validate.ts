import { assert } from '../../base/index.ts'
import { noMember } from '../replicated-log.ts'
import { entryBytes } from './raft-log.ts'
import type { RaftState } from './raft-state.ts'
import { isSettled } from './roles.ts'

/**
 * The invariants of a node between two steps.
 *
 * - S1  `lastApplied <= commitIndex <= lastIndex`; what is before the log's window is committed.
 * - S2  The term is not below the last entry's.
 * - S3  A leader knows itself as the leader and voted for itself; it tracks exactly the other members of the
 *       configuration; while a change is under way perhaps others, which leave by it.
 * - S4  A candidate voted for itself and knows no leader; a pre-candidate knows no leader.
 * - S5  Only a voter campaigns, or one that may be needed until a change is committed; a follower that is neither is called
 *       `learner`.
 * - S6  Votes are collected only by candidates, a transfer is under way only on a leader, never to itself.
 * - S7  `uncommittedBytes` is the size of a leader's entries after `commitIndex`, else 0.
 * - S8  Reads wait only while a leader is known.
 * - S9  A quick election is planned only by a voter that does not lead, never with lease reads.
 * - S10 A configuration that a leader proposed itself was proposed when the one before it was committed.
 * - S11 A leader whose committed configuration gives it no vote has stepped down.
 * - S12 Who hands over holds no lease. A round that was answered left before now.
 */
export function validateRaft(raft: RaftState): void {
  raft.log.validate()
  raft.durability.validate(raft.log.lastIndex)
  raft.configurations.validate()
  raft.reads.validate()
  raft.lease.validate()
  validatePositions(raft)
  validateRole(raft)
  if (raft.role === 'leader') validateLeader(raft)
  else validateNotLeader(raft)
  assert(raft.reads.count === 0 || raft.leader !== noMember, 'reads wait for a known leader (S8)')
}

function validatePositions(raft: RaftState): void {
  assert(raft.lastApplied <= raft.commitIndex, 'only committed entries are applied (S1)')
  assert(raft.commitIndex <= raft.log.lastIndex, 'committed entries are in the log (S1)')
  assert(raft.log.firstIndex <= raft.commitIndex + 1, 'only committed entries are compacted (S1)')
  assert(raft.emittedCommitIndex === raft.commitIndex, 'each commit was told')
  assert(raft.term >= raft.log.lastTerm, 'the log is not ahead of the term (S2)')
}

function validateRole(raft: RaftState): void {
  const mayCampaign = raft.configurations.isVoterSince(raft.id, raft.commitIndex)
  const campaigns = raft.role === 'candidate' || raft.role === 'pre-candidate'
  assert(!campaigns || raft.leader === noMember, 'who campaigns knows no leader (S4)')
  assert(raft.role !== 'candidate' || raft.votedFor === raft.id, 'a candidate votes for itself (S4)')
  assert(raft.role === 'leader' || raft.role === 'learner' || mayCampaign, 'only voters campaign (S5)')
  assert(raft.role !== 'learner' || !mayCampaign, 'a learner has no vote to win (S5)')
  assert(campaigns || raft.votes.size === 0, 'only candidates collect votes (S6)')
  assert(raft.quickCountdownTicks === 0 || !raft.lease.isOn, 'leases forbid quick elections (S9)')
}

function validateLeader(raft: RaftState): void {
  assert(raft.leader === raft.id, 'a leader knows itself (S3)')
  assert(raft.votedFor === raft.id, 'a leader voted for itself (S3)')
  assert(raft.transferee !== raft.id, 'a transfer goes to another member (S6)')
  assert(raft.quickCountdownTicks === 0, 'a leader plans no election (S9)')
  assert(raft.lostLeader === noMember, 'a leader lost no leader (S9)')
  const tracked = raft.configurations.membersSince(raft.commitIndex)
  for (const member of tracked) {
    assert(member === raft.id || raft.progress.has(member), 'each other member is tracked (S3)')
  }
  for (const [member, progress] of raft.progress) {
    assert(member !== raft.id, 'a leader does not track itself (S3)')
    assert(tracked.includes(member) || !isSettled(raft), 'only other members are tracked (S3)')
    progress.validate(raft.log.lastIndex)
    assert(progress.ackedSentMs <= raft.lease.clockMs, 'a round left before now (S12)')
  }
  assert(raft.transferee === noMember || raft.lease.isForfeited, 'who hands over holds no lease (S12)')
  validateLeadersConfiguration(raft)
  let uncommittedBytes = 0
  for (let index = raft.commitIndex + 1; index <= raft.log.lastIndex; index++) {
    uncommittedBytes += entryBytes(raft.log.entryAt(index))
  }
  assert(uncommittedBytes === raft.uncommittedBytes, 'uncommitted bytes are accounted for (S7)')
}

function validateLeadersConfiguration(raft: RaftState): void {
  const { currentIndex, previousIndex } = raft.configurations
  const isOwn = currentIndex > previousIndex && raft.log.termAt(currentIndex) === raft.term
  assert(!isOwn || previousIndex <= raft.commitIndex, 'a change begins on a committed configuration (S10)')
  assert(!isSettled(raft) || raft.configurations.isVoter(raft.id), 'a leader without a vote steps down (S11)')
}

function validateNotLeader(raft: RaftState): void {
  assert(raft.leader !== raft.id, 'only a leader is its own leader (S3)')
  assert(raft.progress.size === 0, 'only a leader tracks members (S3)')
  assert(raft.transferee === noMember, 'only a leader hands over (S6)')
  assert(raft.uncommittedBytes === 0, 'only a leader counts uncommitted bytes (S7)')
}
