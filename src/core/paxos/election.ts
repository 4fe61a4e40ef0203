import { isSoleVoter, voteResult } from '../quorum/index.ts'
import type { MemberId } from '../replicated-log.ts'
import { isRivalry, yieldToCandidate } from './connection-lost.ts'
import type { PreVote, PreVoteResponse } from './message.ts'
import type { PaxosState } from './paxos-state.ts'
import { beginPhaseOne } from './phase-one.ts'
import { becomeCandidate, becomeFollower, becomePreCandidate } from './roles.ts'

/**
 * How a distinguished proposer is found (Paxos Made Simple §2.4 leaves it open). Time-outs make a voter ask first whether
 * a new round would be promised, so that a node that was cut off does not depose a leader; then it enters the round and
 * begins phase 1, which is the election. Safety never depends on any of this.
 */

/** Whether this node may campaign at all. */
export function isPromotable(paxos: PaxosState): boolean {
  return !paxos.isProposing && paxos.configurations.mayLead(paxos.id)
}

/** Whether nobody else's word is needed, so that waiting for a time-out is pointless. */
export function decidesAlone(paxos: PaxosState): boolean {
  return isSoleVoter(paxos.configuration, paxos.id)
}

/** Campaigns, with the question first if the options ask for it. */
export function campaign(paxos: PaxosState): void {
  if (!isPromotable(paxos)) return
  if (!paxos.options.preVote) {
    beginRound(paxos, false)
    return
  }
  becomePreCandidate(paxos)
  const { lostLeader } = paxos
  const { lastIndex: lastSlot } = paxos.log
  for (const voter of otherVoters(paxos)) {
    const fromSlot = paxos.chosenIndex + 1
    paxos.send(voter, { type: 'preVote', round: paxos.round + 1, fromSlot, lastSlot, lostLeader })
  }
  countVote(paxos, paxos.id, true)
}

/** Enters a round of its own and prepares it. `transfer`: a leader asked for it, or is it. */
export function beginRound(paxos: PaxosState, transfer: boolean): void {
  if (!isPromotable(paxos)) return
  becomeCandidate(paxos)
  beginPhaseOne(paxos, transfer)
}

/** Promises nothing and changes nothing: it only says how a prepare request would fare. */
export function onPreVote(paxos: PaxosState, from: MemberId, message: PreVote): void {
  // Phase 1 of another proposer takes long, but it moves: every page it asks for puts the time-out off.
  const isBusy = paxos.isReporting && paxos.electionElapsedTicks < paxos.options.electionTimeoutTicks
  const isAhead = message.round > paxos.round && message.fromSlot >= paxos.log.firstIndex
  const granted = isAhead && !isBusy && !isRivalry(paxos, from, message)
  if (granted) yieldToCandidate(paxos)
  paxos.send(from, { type: 'preVoteResponse', round: granted ? message.round : paxos.round, granted })
}

export function onPreVoteResponse(paxos: PaxosState, from: MemberId, message: PreVoteResponse): void {
  if (paxos.role !== 'pre-candidate') return
  // A grant of the current round answers a campaign of the past.
  if (message.granted && message.round !== paxos.round + 1) return
  countVote(paxos, from, message.granted)
}

function countVote(paxos: PaxosState, from: MemberId, granted: boolean): void {
  if (!paxos.votes.has(from)) paxos.votes.set(from, granted)
  const result = voteResult(paxos.configuration, (voter) => paxos.votes.get(voter))
  if (result === 'lost') becomeFollower(paxos, paxos.round, paxos.leader)
  else if (result === 'won') beginRound(paxos, false)
}

function otherVoters(paxos: PaxosState): readonly MemberId[] {
  return paxos.configuration.voters.filter((voter) => voter !== paxos.id)
}
