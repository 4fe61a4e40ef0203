import { assert } from '../../base/index.ts'
import { type MemberId, noMember } from '../replicated-log.ts'
import type { PaxosState } from './paxos-state.ts'
import { Progress } from './progress.ts'
import { failAllReads } from './read-answers.ts'

/** The transitions between roles. Nothing else assigns `role` or `leader`. */

/** Follows `leader` (may be `noMember`) in `round`, which is the current one or a later one. */
export function becomeFollower(paxos: PaxosState, round: number, leader: MemberId): void {
  if (leader !== paxos.leader) failAllReads(paxos)
  if (paxos.isProposing) paxos.electionElapsedTicks = 0
  leaveRole(paxos)
  if (round > paxos.round) paxos.enterRound(round)
  paxos.role = paxos.followingRole
  paxos.leader = leader
  paxos.electionDeadlineTicks = paxos.drawElectionDeadline()
}

/** A message of `leader`, of the current round, arrived: follow it, and wait again for a whole election time-out. */
export function heardLeader(paxos: PaxosState, leader: MemberId): void {
  assert(!paxos.isProposing, 'one leader a round')
  if (paxos.leader !== leader) becomeFollower(paxos, paxos.round, leader)
  paxos.electionElapsedTicks = 0
  paxos.forgetLostLeader()
}

/** Asks whether a round would be promised; nothing is promised by that. */
export function becomePreCandidate(paxos: PaxosState): void {
  assert(!paxos.isProposing, 'a leader does not campaign')
  failAllReads(paxos)
  leaveRole(paxos)
  paxos.role = 'pre-candidate'
  paxos.leader = noMember
}

/** Enters the next round and promises it to itself. A ballot is never used twice: the round is durable before it is used. */
export function becomeCandidate(paxos: PaxosState): void {
  assert(!paxos.isProposing, 'a leader does not campaign')
  failAllReads(paxos)
  leaveRole(paxos)
  paxos.enterRound(paxos.round + 1)
  paxos.promiseTo(paxos.id)
  paxos.role = 'candidate'
  paxos.leader = noMember
  paxos.electionElapsedTicks = 0
  paxos.electionDeadlineTicks = paxos.drawElectionDeadline()
}

/** Phase 1 succeeded: proposes in this round from here on. Called leader when all that phase 1 found is proposed. */
export function becomeProposer(paxos: PaxosState): void {
  assert(paxos.role === 'candidate', 'a proposer was a candidate')
  paxos.forgetLostLeader()
  paxos.isProposing = true
  paxos.leader = paxos.id
  paxos.electionElapsedTicks = 0
  paxos.heartbeatElapsedTicks = 0
  paxos.unchosenBytes = 0
  trackMembers(paxos)
}

export function becomeLeader(paxos: PaxosState): void {
  assert(paxos.isProposing && paxos.isCovered, 'a leader has finished phase 1')
  paxos.role = 'leader'
}

/** Proposer: tracks exactly the other members of the configuration. Accepts begin after what they said they know. */
export function trackMembers(paxos: PaxosState): void {
  const { members } = paxos.configurations
  for (const member of paxos.progress.keys()) if (!members.includes(member)) paxos.progress.delete(member)
  for (const member of members) {
    if (member === paxos.id || paxos.progress.has(member)) continue
    const progress = new Progress(paxos.options.maxInflightAccepts)
    if (paxos.recovery?.voteOf(member) === true) {
      progress.begin(paxos.recovery.chosenAt(member))
      progress.recentlyActive = true
    }
    paxos.progress.set(member, progress)
  }
}

/** Anyone but a proposer: who may lead has changed. */
export function membersChanged(paxos: PaxosState): void {
  if (paxos.role === 'follower' || paxos.role === 'learner') paxos.role = paxos.followingRole
  else if (!paxos.configurations.mayLead(paxos.id)) becomeFollower(paxos, paxos.round, noMember)
}

function leaveRole(paxos: PaxosState): void {
  paxos.votes.clear()
  paxos.ownPromisePersistId = 0
  paxos.recovery = undefined
  paxos.isProposing = false
  paxos.isCovered = false
  paxos.pendingConfigurationIndex = 0
  paxos.openingIndex = 0
  paxos.progress.clear()
  paxos.transferee = noMember
  paxos.unchosenBytes = 0
}
