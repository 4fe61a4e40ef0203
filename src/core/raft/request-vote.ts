import { type MemberId, noMember } from '../replicated-log.ts'
import { isRivalry, yieldToCandidate } from './connection-lost.ts'
import { countVote } from './election.ts'
import type { PreVote, PreVoteResponse, RequestVote, RequestVoteResponse } from './message.ts'
import type { RaftState } from './raft-state.ts'

/**
 * Voting. A vote depends on the term, on the vote already given in it, and on the election restriction: the candidate's
 * log must be at least as up-to-date as the voter's (Raft §5.2, §5.4.1). Whether a request is heard at all while a leader
 * is alive is decided before, in `term-gate.ts`.
 */

/** The gate has entered the message's term already if it was higher. */
export function onRequestVote(raft: RaftState, from: MemberId, message: RequestVote): void {
  const free = raft.votedFor === noMember && raft.leader === noMember
  const granted = (free || raft.votedFor === from) && raft.log.isUpToDate(message.lastLogIndex, message.lastLogTerm)
  if (granted) {
    raft.voteFor(from)
    raft.electionElapsedTicks = 0
    yieldToCandidate(raft)
  }
  // A vote leaves only when it, and the log it was judged by, are durable.
  raft.sendDurably(from, { type: 'requestVoteResponse', term: raft.term, granted })
}

export function onRequestVoteResponse(raft: RaftState, from: MemberId, message: RequestVoteResponse): void {
  if (raft.role === 'candidate') countVote(raft, from, message.granted)
}

/** Promises nothing and changes nothing: it only says how a vote would turn out (thesis §9.6). */
export function onPreVote(raft: RaftState, from: MemberId, message: PreVote): void {
  const granted =
    message.term > raft.term &&
    raft.log.isUpToDate(message.lastLogIndex, message.lastLogTerm) &&
    !isRivalry(raft, from, message)
  if (granted) yieldToCandidate(raft)
  raft.send(from, { type: 'preVoteResponse', term: granted ? message.term : raft.term, granted })
}

export function onPreVoteResponse(raft: RaftState, from: MemberId, message: PreVoteResponse): void {
  if (raft.role !== 'pre-candidate') return
  // A grant of the current term answers a campaign of the past.
  if (message.granted && message.term !== raft.term + 1) return
  countVote(raft, from, message.granted)
}
