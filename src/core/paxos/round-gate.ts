import { type MemberId, noMember } from '../replicated-log.ts'
import { setsAsideLoyalty } from './connection-lost.ts'
import type { PaxosMessage, Prepare, PreVote } from './message.ts'
import type { PaxosState } from './paxos-state.ts'
import { becomeFollower } from './roles.ts'

/**
 * What every message's round means before its handler sees it. Returns whether the handler shall see it: then the message
 * is of the current round, or is a pre-vote or an answer to one. Hearing of a higher round is treated as a promise of it,
 * given to nobody yet: more than was asked for, which is always safe. What is of a lower round is never accepted (P1a).
 */
export function passRoundGate(paxos: PaxosState, from: MemberId, message: PaxosMessage): boolean {
  if (message.round > paxos.round) return passHigherRound(paxos, from, message)
  if (message.round < paxos.round) {
    answerLowerRound(paxos, from, message)
    return false
  }
  return true
}

function passHigherRound(paxos: PaxosState, from: MemberId, message: PaxosMessage): boolean {
  switch (message.type) {
    case 'preVote':
      return !isLoyal(paxos, message)
    case 'prepare':
      if (isLoyal(paxos, message)) return false
      becomeFollower(paxos, message.round, noMember)
      return true
    case 'preVoteResponse':
      // Granted: it names the round asked for, which is not entered by that.
      if (message.granted) return message.round === paxos.round + 1
      becomeFollower(paxos, message.round, noMember)
      return false
    case 'accept':
    case 'heartbeat':
    case 'chosenNotice':
    case 'installSnapshot':
      becomeFollower(paxos, message.round, from)
      return true
    default:
      becomeFollower(paxos, message.round, noMember)
      return true
  }
}

/**
 * Who heard a leader within the election time-out, or leads, ignores candidates, so that a removed or cut-off node does
 * not disturb the cluster. A promise is voluntary: withholding it is always safe.
 */
function isLoyal(paxos: PaxosState, message: Prepare | PreVote): boolean {
  if (!paxos.options.checkQuorum || paxos.leader === noMember) return false
  if (message.type === 'prepare' && message.transfer) return false
  if (paxos.electionElapsedTicks >= paxos.options.electionTimeoutTicks) return false
  return !setsAsideLoyalty(paxos, message)
}

/**
 * A lower round: the sender is behind. A leader is told, since with loyal acceptors and pre-votes nobody else would make it
 * step down, and a node that is ahead alone could not rejoin; a candidate is told so that it catches up.
 */
function answerLowerRound(paxos: PaxosState, from: MemberId, message: PaxosMessage): void {
  switch (message.type) {
    case 'prepare':
    case 'accept':
    case 'heartbeat':
    case 'installSnapshot':
      paxos.send(from, { type: 'rejected', round: paxos.round })
      return
    case 'preVote':
      paxos.send(from, { type: 'preVoteResponse', round: paxos.round, granted: false })
      return
    default:
      return
  }
}
