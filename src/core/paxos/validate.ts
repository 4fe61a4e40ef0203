import { assert } from '../../base/index.ts'
import { noMember } from '../replicated-log.ts'
import { configurationOf } from './chosen-configurations.ts'
import type { PaxosState } from './paxos-state.ts'
import { entryBytes } from './slot-log.ts'

/**
 * The invariants of a node between two steps.
 *
 * - S1  `lastApplied <= chosenIndex`; what is before the window of slots is chosen, and what is chosen after it is there.
 * - S2  Nothing is accepted in a round above the promised one (A2 of `synod/acceptor.ts`), nor above the own window's end.
 * - S3  `chosenIndex <= acceptedThrough`; the slots between are accepted in this round, and the next one is not.
 * - S4  A proposer promised its round to itself and tracks exactly the other members; nobody else tracks any.
 * - S5  A candidate promised its round to itself; who asks or prepares knows no leader.
 * - S6  Only who may lead campaigns: a voter, or a former one (M5). Other followers are called learners.
 * - S7  A proposer has proposed every slot of its window's end; nothing after a configuration that is not chosen (M1).
 * - S8  `unchosenBytes` is the size of a proposer's proposals after `chosenIndex`, else 0.
 * - S9  Reads wait only while a leader is known.
 * - S10 A leader is covered when its round began, and its opening value is proposed.
 */
export function validatePaxos(paxos: PaxosState): void {
  paxos.log.validate()
  paxos.durability.validate()
  paxos.configurations.validate(paxos.chosenIndex)
  paxos.reads.validate()
  validateSlots(paxos)
  validateRole(paxos)
  if (paxos.isProposing) validateProposer(paxos)
  else validateNotProposer(paxos)
  assert(paxos.reads.count === 0 || paxos.leader !== noMember, 'reads wait for a known leader (S9)')
}

function validateSlots(paxos: PaxosState): void {
  const { log, chosenIndex, acceptedThrough, round } = paxos
  assert(paxos.lastApplied <= chosenIndex, 'only chosen values are applied (S1)')
  assert(log.firstIndex <= chosenIndex + 1, 'only chosen slots are forgotten (S1)')
  assert(log.lastIndex >= chosenIndex, 'what is chosen is here (S1)')
  assert(chosenIndex < log.firstIndex || log.at(chosenIndex) !== undefined, 'what is chosen is here (S1)')
  assert(chosenIndex <= acceptedThrough, 'the chosen prefix is accepted (S3)')
  assert(paxos.receivedThrough <= acceptedThrough, 'no more is received than accepted (S3)')
  for (let index = chosenIndex + 1; index <= acceptedThrough; index++) {
    assert(log.ballotAt(index) === round, 'the slots after the chosen prefix are accepted in this round (S3)')
  }
  assert(round === 0 || log.ballotAt(acceptedThrough + 1) !== round, 'the accepted run ends where it says (S3)')
  for (let index = acceptedThrough + 1; index <= Math.min(log.lastIndex, acceptedThrough + 64); index++) {
    assert(log.ballotAt(index) <= round, 'nothing is accepted above the promised round (S2)')
  }
}

function validateRole(paxos: PaxosState): void {
  const { role } = paxos
  const mayLead = paxos.configurations.mayLead(paxos.id)
  assert(role !== 'candidate' || paxos.promisedTo === paxos.id, 'a candidate promised its round to itself (S5)')
  const seeks = role === 'pre-candidate' || (role === 'candidate' && !paxos.isProposing)
  assert(!seeks || paxos.leader === noMember, 'who campaigns knows no leader (S5)')
  assert(!seeks || mayLead, 'only who may lead campaigns (S6)')
  assert(role !== 'follower' || mayLead, 'a follower may lead (S6)')
  assert(role !== 'learner' || !mayLead, 'a learner may not lead (S6)')
  assert(role === 'pre-candidate' || paxos.votes.size === 0, 'only a pre-candidate collects answers (S5)')
  assert(role === 'candidate' || role === 'leader' || paxos.recovery === undefined, 'only a proposer prepares (S5)')
}

function validateProposer(paxos: PaxosState): void {
  assert(paxos.leader === paxos.id, 'a proposer knows itself (S4)')
  assert(paxos.promisedTo === paxos.id, 'a proposer promised its round to itself (S4)')
  assert(paxos.role === 'leader' || paxos.role === 'candidate', 'a proposer leads or is about to (S4)')
  assert(paxos.transferee !== paxos.id, 'a transfer goes to another member (S4)')
  assert(paxos.quickCountdownTicks === 0 && paxos.lostLeader === noMember, 'a leader plans no election (S4)')
  for (const member of paxos.configurations.members) {
    assert(member === paxos.id || paxos.progress.has(member), 'each other member is tracked (S4)')
  }
  for (const [member, progress] of paxos.progress) {
    assert(member !== paxos.id && paxos.configurations.isMember(member), 'only other members are tracked (S4)')
    progress.validate(paxos.acceptedThrough)
  }
  const { pendingConfigurationIndex: pending, log, chosenIndex, acceptedThrough } = paxos
  assert(pending === 0 || pending === acceptedThrough, 'nothing is proposed after a configuration (S7, M1)')
  assert(pending === 0 || pending > chosenIndex, 'a configuration that is chosen is not pending (S7)')
  assert(paxos.role !== 'leader' || paxos.openingIndex > 0, 'a leader has opened its round (S10)')
  let unchosenBytes = 0
  for (let index = chosenIndex + 1; index <= acceptedThrough; index++) {
    const entry = log.entryAt(index)
    unchosenBytes += entryBytes(entry)
    assert(index === pending || configurationOf(entry) === undefined, 'a proposed configuration is pending (S7)')
  }
  assert(unchosenBytes === paxos.unchosenBytes, 'unchosen bytes are accounted for (S8)')
}

function validateNotProposer(paxos: PaxosState): void {
  assert(paxos.leader !== paxos.id, 'only a proposer is its own leader (S4)')
  assert(paxos.progress.size === 0, 'only a proposer tracks members (S4)')
  assert(paxos.transferee === noMember, 'only a leader hands over (S4)')
  assert(paxos.unchosenBytes === 0, 'only a proposer counts unchosen bytes (S8)')
  assert(paxos.pendingConfigurationIndex === 0 && !paxos.isCovered, 'only a proposer has slots open to it (S7)')
}
