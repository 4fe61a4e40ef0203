import { unreachable } from '../../base/index.ts'
import { type MemberId, noMember } from '../replicated-log.ts'
import { onAppendEntries, onAppendEntriesResponse } from './append-entries.ts'
import { onCommitNotice } from './commit.ts'
import { onHeartbeat, onHeartbeatResponse } from './heartbeat.ts'
import { onInstallSnapshot } from './install-snapshot.ts'
import type { RaftMessage } from './message.ts'
import { isSensible } from './message-check.ts'
import type { RaftState } from './raft-state.ts'
import { onReadIndexMessage, onReadIndexResponse } from './read-index.ts'
import { onPreVote, onPreVoteResponse, onRequestVote, onRequestVoteResponse } from './request-vote.ts'
import { passTermGate } from './term-gate.ts'
import { onTimeoutNow } from './timeout-now.ts'

/**
 * Every message's way in: whether it makes sense, what its term means, and then its handler.
 *
 * Anybody may speak, member or not (Raft §6): a follower's configuration may be older than its leader's, or newer when the
 * leader is about to leave; and a vote may be needed by a candidate that the voter does not know yet. Whom answers count for
 * is decided by who counts them. Servers that were removed are kept quiet by pre-votes and by the voters' loyalty.
 */
export function dispatchMessage(raft: RaftState, from: MemberId, message: RaftMessage): void {
  if (from === raft.id || from === noMember || !isSensible(message)) return
  if (!passTermGate(raft, from, message)) return
  if (isLeadersWord(message) && contradictsLeader(raft, from)) return
  handleMessage(raft, from, message)
}

function isLeadersWord(message: RaftMessage): boolean {
  switch (message.type) {
    case 'appendEntries':
    case 'heartbeat':
    case 'commitNotice':
    case 'installSnapshot':
      return true
    default:
      return false
  }
}

/** There is one leader a term, so another one's word in the same term is no correct peer's. */
function contradictsLeader(raft: RaftState, from: MemberId): boolean {
  return raft.leader !== noMember && raft.leader !== from
}

function handleMessage(raft: RaftState, from: MemberId, message: RaftMessage): void {
  switch (message.type) {
    case 'appendEntries':
      onAppendEntries(raft, from, message)
      break
    case 'appendEntriesResponse':
      onAppendEntriesResponse(raft, from, message)
      break
    case 'heartbeat':
      onHeartbeat(raft, from, message)
      break
    case 'heartbeatResponse':
      onHeartbeatResponse(raft, from, message)
      break
    case 'commitNotice':
      onCommitNotice(raft, from, message)
      break
    case 'requestVote':
      onRequestVote(raft, from, message)
      break
    case 'requestVoteResponse':
      onRequestVoteResponse(raft, from, message)
      break
    case 'preVote':
      onPreVote(raft, from, message)
      break
    case 'preVoteResponse':
      onPreVoteResponse(raft, from, message)
      break
    case 'installSnapshot':
      onInstallSnapshot(raft, from, message)
      break
    case 'readIndex':
      onReadIndexMessage(raft, from, message)
      break
    case 'readIndexResponse':
      onReadIndexResponse(raft, from, message)
      break
    case 'timeoutNow':
      onTimeoutNow(raft, from)
      break
    default:
      unreachable(message)
  }
}
