import { type MemberId, noMember } from '../replicated-log.ts'
import { setsAsideStickiness } from './connection-lost.ts'
import type { PreVote, RaftMessage, RequestVote } from './message.ts'
import type { RaftState } from './raft-state.ts'
import { becomeFollower } from './roles.ts'

/**
 * What every message's term means before its handler sees it (Raft §5.1). Returns whether the handler shall see it:
 * then the message is of the current term, or is a pre-vote or an answer to one.
 */
export function passTermGate(raft: RaftState, from: MemberId, message: RaftMessage): boolean {
  if (message.term > raft.term) return passHigherTerm(raft, from, message)
  if (message.term < raft.term) {
    answerLowerTerm(raft, from, message)
    return false
  }
  return true
}

function passHigherTerm(raft: RaftState, from: MemberId, message: RaftMessage): boolean {
  switch (message.type) {
    case 'preVote':
      return !isLoyal(raft, message)
    case 'requestVote':
      if (isLoyal(raft, message)) return false
      becomeFollower(raft, message.term, noMember)
      return true
    case 'preVoteResponse':
      // Granted: it names the term asked for, which is not entered by that.
      if (message.granted) return message.term === raft.term + 1
      becomeFollower(raft, message.term, noMember)
      return false
    case 'appendEntries':
    case 'heartbeat':
    case 'commitNotice':
    case 'installSnapshot':
      becomeFollower(raft, message.term, from)
      return true
    default:
      becomeFollower(raft, message.term, noMember)
      return true
  }
}

/**
 * Leader stickiness (thesis §4.2.3): who heard a leader within the election time-out, or leads, ignores candidates, so
 * that a removed or cut-off server does not disturb the cluster. A pledge (`leader-lease.ts`) binds more tightly.
 */
function isLoyal(raft: RaftState, message: RequestVote | PreVote): boolean {
  if (message.type === 'requestVote' && message.transfer) return false
  if (raft.lease.isPledged) return true
  if (!raft.options.checkQuorum || raft.leader === noMember) return false
  if (raft.electionElapsedTicks >= raft.options.electionTimeoutTicks) return false
  return !setsAsideStickiness(raft, message)
}

/**
 * A lower term: the sender is behind. A leader is told, since with sticky voters and pre-votes nobody else would make
 * it step down, and a node that is ahead alone could not rejoin; a pre-candidate is told so that it catches up.
 */
function answerLowerTerm(raft: RaftState, from: MemberId, message: RaftMessage): void {
  switch (message.type) {
    case 'appendEntries':
    case 'heartbeat':
    case 'installSnapshot':
      raft.send(from, {
        type: 'appendEntriesResponse',
        term: raft.term,
        success: false,
        index: 0,
        hintIndex: 0,
        hintTerm: 0,
      })
      return
    case 'preVote':
      raft.send(from, { type: 'preVoteResponse', term: raft.term, granted: false })
      return
    default:
      return
  }
}
