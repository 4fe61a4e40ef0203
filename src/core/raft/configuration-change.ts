import { assert } from '../../base/index.ts'
import { encodeConfiguration } from '../consensus/index.ts'
import { type Configuration, type Membership, noMember, type ProposeConfigurationResult } from '../replicated-log.ts'
import { isSameSet } from './configuration-history.ts'
import { entryBytes } from './raft-log.ts'
import type { RaftState } from './raft-state.ts'
import { becomeFollower, configurationChanged, isSettled, trackMembers } from './roles.ts'
import { bestSuccessor } from './timeout-now.ts'

/**
 * Changes of the members by joint consensus (Raft §6, thesis §4.3). The leader appends C_old,new; it counts from that
 * moment on, on every node that has it. Once it is committed, the leader of the time (perhaps another one) appends C_new by
 * itself. A change that leaves the voters as they are needs no joint phase: it moves no majority.
 *
 * A joint configuration carries the learners of C_new; a voter about to become a learner is in `outgoing` and in
 * `learners`, and votes until C_new takes its place.
 *
 * Differs from Raft §6, where the leader may be in the middle of anything: a change begins only when the configuration
 * before it is committed and not joint, and the leader has committed an entry of its own term. One change at a time is
 * what makes each two configurations in force at once share their quorums.
 *
 * Differs from thesis §4.3 in that a single voter is added or removed by way of a joint configuration too: one more entry,
 * and no second set of rules.
 */
export function proposeConfiguration(raft: RaftState, target: Membership): ProposeConfigurationResult {
  assertMembership(target)
  const { leader, term } = raft
  if (raft.role !== 'leader') return { ok: false, reason: 'not-leader', leader }
  if (raft.transferee !== noMember) return { ok: false, reason: 'transferring', leader }
  const { configuration } = raft
  if (!isSettled(raft) || !isCommittedHere(raft)) return { ok: false, reason: 'changing', leader }
  const sameVoters = isSameSet(target.voters, configuration.voters)
  if (sameVoters && isSameSet(target.learners, configuration.learners)) {
    return { ok: false, reason: 'unchanged', leader }
  }
  const outgoing = sameVoters ? [] : configuration.voters
  const index = appendConfiguration(raft, { voters: target.voters, outgoing, learners: target.learners })
  return { ok: true, term, index }
}

/** Leader, at the end of each step, before it sends: leaves a joint configuration that is committed. */
export function leaveJoint(raft: RaftState): void {
  const { configuration } = raft
  if (configuration.outgoing.length === 0 || !isCommittedHere(raft)) return
  // The successor shall have everything; it will carry the change on itself.
  if (raft.transferee !== noMember) return
  appendConfiguration(raft, { voters: configuration.voters, outgoing: [], learners: configuration.learners })
}

/**
 * Leader, at the end of each step, after it sent: when the configuration is committed, who left it gets nothing more (the
 * commit was the last thing), and a leader without a vote hands its office over (thesis §4.2.2).
 *
 * Differs from thesis §4.2.2, where the cluster waits for an election time-out: the voter that has most of the log is told
 * to campaign at once.
 */
export function settleConfiguration(raft: RaftState): void {
  if (!isSettled(raft)) return
  const others = raft.configurations.members.length - (raft.configurations.isMember(raft.id) ? 1 : 0)
  if (raft.progress.size > others) trackMembers(raft)
  if (raft.configurations.isVoter(raft.id)) return
  const successor = bestSuccessor(raft)
  if (successor !== noMember) raft.send(successor, { type: 'timeoutNow', term: raft.term })
  becomeFollower(raft, raft.term, noMember)
}

/** Whether the configuration is committed, and this leader knows what is: it has committed an entry of its own term. */
function isCommittedHere(raft: RaftState): boolean {
  return raft.configurations.currentIndex <= raft.commitIndex && raft.log.termAt(raft.commitIndex) === raft.term
}

function appendConfiguration(raft: RaftState, configuration: Configuration): number {
  const index = raft.log.lastIndex + 1
  const payload = encodeConfiguration(configuration)
  const entry = { index, term: raft.term, kind: 'configuration', payload } as const
  // First the members, then the entry: so it is the first thing that a new member is sent.
  raft.configurations.appended([entry])
  configurationChanged(raft)
  raft.append([entry])
  raft.uncommittedBytes += entryBytes(entry)
  return index
}

function assertMembership({ voters, learners }: Membership): void {
  const members = [...voters, ...learners]
  assert(voters.length > 0, 'a membership has a voter')
  assert(!members.includes(noMember), 'each member has an id')
  assert(new Set(members).size === members.length, 'each member is named once')
}
