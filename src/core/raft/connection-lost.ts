import { type MemberId, noMember } from '../replicated-log.ts'
import { campaign, isPromotable } from './election.ts'
import type { PreVote, RequestVote } from './message.ts'
import type { RaftState } from './raft-state.ts'

/**
 * Quick elections. The kernel closes the connections of a killed process within milliseconds, so a broken connection to
 * the leader is a good hint that it died: its followers ask for pre-votes after a small random delay instead of
 * waiting for an election time-out.
 *
 * Differs from thesis §4.2.3 and §6.4.1 (a voter ignores candidates while it hears a leader): a voter sets this
 * stickiness aside for a candidate that lost its connection to the leader, if the voter lost its own connection to the same
 * leader and heard nothing from it since. Both observed the same breakdown; if the leader lives all the same, the
 * election costs it its office but never safety, which stickiness does not serve unless reads rely on leases. So with
 * `leaseReads` all of this is off.
 *
 * Invariants:
 * - Q1  `lostLeader` is set only between the loss of the connection to the known leader and the next message of a leader
 *       (`RaftState.forgetLostLeader`).
 * - Q2  Quick attempts are bounded by `attemptsMax` for each hint; then the usual time-outs rule.
 */
export function onConnectionLost(raft: RaftState, peer: MemberId): void {
  if (raft.role === 'leader') {
    raft.progress.get(peer)?.connectionLost()
    return
  }
  const { attemptsMax, connectionLostDelayTicks } = raft.options.quickElection
  if (raft.lease.isOn || attemptsMax === 0) return
  if (peer !== raft.leader || raft.lostLeader === peer) return
  raft.lostLeader = peer
  if (!isPromotable(raft)) return
  raft.quickAttemptsLeft = attemptsMax
  raft.quickCountdownTicks = raft.draw(connectionLostDelayTicks)
}

/** One tick; returns whether it began an attempt. Split votes and deaf voters are tried again soon, not after a time-out. */
export function tickQuickElection(raft: RaftState): boolean {
  if (raft.quickCountdownTicks === 0 || --raft.quickCountdownTicks > 0) return false
  raft.quickAttemptsLeft--
  if (raft.quickAttemptsLeft > 0) raft.quickCountdownTicks = raft.draw(raft.options.quickElection.retryTicks)
  campaign(raft)
  return true
}

/** Another candidate got this node's word: give it the time to win before trying oneself. */
export function yieldToCandidate(raft: RaftState): void {
  if (raft.quickCountdownTicks === 0) return
  raft.quickCountdownTicks = Math.max(raft.quickCountdownTicks, raft.draw(raft.options.quickElection.retryTicks))
}

/** Whether a voter's own loss of the connection to the same leader lets it hear the candidate. */
export function setsAsideStickiness(raft: RaftState, message: RequestVote | PreVote): boolean {
  if (raft.lease.isOn || message.lostLeader === noMember) return false
  return message.lostLeader === raft.lostLeader && raft.lostLeader === raft.leader
}

/**
 * Two followers that got the same hint often ask for pre-votes at the same moment; granting both would split the votes.
 * While a quick attempt is under way, the one that ranks higher (by its log, then by id) refuses the other.
 * Differs from thesis §9.6, where a pre-vote is granted whenever a vote would be: bounded by Q2.
 */
export function isRivalry(raft: RaftState, from: MemberId, message: PreVote): boolean {
  if (raft.role !== 'pre-candidate' || raft.quickCountdownTicks === 0) return false
  const sameLog = message.lastLogTerm === raft.log.lastTerm && message.lastLogIndex === raft.log.lastIndex
  return sameLog && from < raft.id
}
