import { type MemberId, noMember } from '../replicated-log.ts'
import { campaign, isPromotable } from './election.ts'
import type { Prepare, PreVote } from './message.ts'
import type { PaxosState } from './paxos-state.ts'

/**
 * Quick elections. The kernel closes the connections of a killed process within milliseconds, so a broken connection to
 * the leader is a good hint that it died: its followers campaign after a small random delay instead of waiting for an
 * election time-out. An acceptor sets its loyalty to the leader aside for a candidate that lost its connection to it, if
 * its own connection to the same leader broke too and nothing was heard from it since. If the leader lives all the same,
 * that costs it its office but never safety.
 *
 * Invariants:
 * - Q1  `lostLeader` is set only between the loss of the connection to the known leader and the next message of a leader
 *       (`PaxosState.forgetLostLeader`).
 * - Q2  Quick attempts are bounded by `attemptsMax` for each hint; then the usual time-outs rule.
 */
export function onConnectionLost(paxos: PaxosState, peer: MemberId): void {
  if (paxos.isProposing) {
    paxos.progress.get(peer)?.connectionLost()
    return
  }
  const { attemptsMax, connectionLostDelayTicks } = paxos.options.quickElection
  if (attemptsMax === 0 || peer !== paxos.leader || paxos.lostLeader === peer) return
  paxos.lostLeader = peer
  if (!isPromotable(paxos)) return
  paxos.quickAttemptsLeft = attemptsMax
  paxos.quickCountdownTicks = paxos.draw(connectionLostDelayTicks)
}

/** One tick; returns whether it began an attempt. Duels and deaf acceptors are tried again soon, not after a time-out. */
export function tickQuickElection(paxos: PaxosState): boolean {
  if (paxos.quickCountdownTicks === 0 || --paxos.quickCountdownTicks > 0) return false
  paxos.quickAttemptsLeft--
  if (paxos.quickAttemptsLeft > 0) paxos.quickCountdownTicks = paxos.draw(paxos.options.quickElection.retryTicks)
  campaign(paxos)
  return true
}

/** Another candidate got this node's word: give it the time to win before trying oneself. */
export function yieldToCandidate(paxos: PaxosState): void {
  if (paxos.quickCountdownTicks === 0) return
  paxos.quickCountdownTicks = Math.max(paxos.quickCountdownTicks, paxos.draw(paxos.options.quickElection.retryTicks))
}

/** Whether an acceptor's own loss of the connection to the same leader lets it hear the candidate. */
export function setsAsideLoyalty(paxos: PaxosState, message: Prepare | PreVote): boolean {
  if (message.lostLeader === noMember) return false
  return message.lostLeader === paxos.lostLeader && paxos.lostLeader === paxos.leader
}

/**
 * Two followers that got the same hint often ask at the same moment; granting both would make them duel. While a quick
 * attempt is under way, the one that ranks higher (by what it has accepted, then by id) refuses the other. Bounded by Q2.
 */
export function isRivalry(paxos: PaxosState, from: MemberId, message: PreVote): boolean {
  if (paxos.role !== 'pre-candidate' || paxos.quickCountdownTicks === 0) return false
  const { lastIndex } = paxos.log
  return message.lastSlot < lastIndex || (message.lastSlot === lastIndex && from < paxos.id)
}
