import type { SnapshotMeta } from '../replicated-log.ts'
import type { AppendEntries, RaftMessage } from './message.ts'

/**
 * Whether a message could have come from a correct peer, judged by itself. What a peer sends is outside input: nonsense
 * is dropped here, so that handlers may rely on the order of indexes and terms.
 */
export function isSensible(message: RaftMessage): boolean {
  if (!isPosition(message.term) || message.term < 1) return false
  switch (message.type) {
    case 'appendEntries':
      return isSensibleAppend(message)
    case 'appendEntriesResponse':
      return isPosition(message.index) && isPosition(message.hintIndex) && isPosition(message.hintTerm)
    case 'heartbeat':
      return isPosition(message.commitIndex) && isPosition(message.context)
    case 'heartbeatResponse':
      return isPosition(message.context) && isPosition(message.receivedIndex)
    case 'readIndex':
      return isPosition(message.context)
    case 'commitNotice':
      return isPosition(message.commitIndex) && isPosition(message.commitTerm) && message.commitTerm <= message.term
    case 'requestVote':
    case 'preVote':
      return isLogPosition(message.lastLogIndex, message.lastLogTerm) && message.lastLogTerm <= message.term
    case 'installSnapshot':
      return isSensibleSnapshot(message.meta) && message.meta.term <= message.term
    case 'readIndexResponse':
      return isPosition(message.context) && isPosition(message.index)
    case 'requestVoteResponse':
    case 'preVoteResponse':
    case 'timeoutNow':
      return true
    default:
      return false
  }
}

function isSensibleAppend(message: AppendEntries): boolean {
  if (!isLogPosition(message.prevLogIndex, message.prevLogTerm)) return false
  if (!isPosition(message.commitIndex)) return false
  let index = message.prevLogIndex
  let term = message.prevLogTerm
  for (const entry of message.entries) {
    if (entry.index !== index + 1 || entry.term < term || entry.term < 1 || !isPosition(entry.term)) return false
    index = entry.index
    term = entry.term
  }
  return isPosition(index) && term <= message.term
}

function isSensibleSnapshot(meta: SnapshotMeta): boolean {
  return meta.index > 0 && isLogPosition(meta.index, meta.term) && meta.configuration.voters.length > 0
}

/** A position in a log: index 0 has term 0, and no other has. */
function isLogPosition(index: number, term: number): boolean {
  return isPosition(index) && isPosition(term) && (index === 0) === (term === 0)
}

function isPosition(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}
