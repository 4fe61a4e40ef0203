import { unreachable } from '../../base/index.ts'
import { type MemberId, noMember } from '../replicated-log.ts'
import { onAccept, onAccepted } from './accept.ts'
import { onChosenNotice } from './chosen.ts'
import { onPreVote, onPreVoteResponse } from './election.ts'
import { onHeartbeat, onHeartbeatResponse } from './heartbeat.ts'
import { onInstallSnapshot } from './install-snapshot.ts'
import type { PaxosMessage } from './message.ts'
import { isSensible } from './message-check.ts'
import type { PaxosState } from './paxos-state.ts'
import { onPrepare, onPromise } from './prepare.ts'
import { onReadIndexMessage, onReadIndexResponse } from './read-index.ts'
import { passRoundGate } from './round-gate.ts'
import { onTimeoutNow } from './timeout-now.ts'

/**
 * Every message's way in: whether it makes sense, what its round means, and then its handler. Everybody is heard, members or
 * not: who is a member is known only up to the chosen prefix here, and the leader may be a member by a later choice. Who
 * counts is decided where answers are counted.
 */
export function dispatchMessage(paxos: PaxosState, from: MemberId, message: PaxosMessage): void {
  if (from === paxos.id || from === noMember || !isSensible(message)) return
  if (!passRoundGate(paxos, from, message)) return
  if (isLeadersWord(message) && contradictsLeader(paxos, from)) return
  handleMessage(paxos, from, message)
}

function isLeadersWord(message: PaxosMessage): boolean {
  switch (message.type) {
    case 'accept':
    case 'heartbeat':
    case 'chosenNotice':
    case 'installSnapshot':
      return true
    default:
      return false
  }
}

/** There is one leader a round, so another one's word in the same round is no correct peer's. */
function contradictsLeader(paxos: PaxosState, from: MemberId): boolean {
  return paxos.leader !== noMember && paxos.leader !== from
}

function handleMessage(paxos: PaxosState, from: MemberId, message: PaxosMessage): void {
  switch (message.type) {
    case 'prepare':
      onPrepare(paxos, from, message)
      break
    case 'promise':
      onPromise(paxos, from, message)
      break
    case 'accept':
      onAccept(paxos, from, message)
      break
    case 'accepted':
      onAccepted(paxos, from, message)
      break
    case 'rejected':
      // The gate has entered its round if it is higher; else it is old news.
      break
    case 'heartbeat':
      onHeartbeat(paxos, from, message)
      break
    case 'heartbeatResponse':
      onHeartbeatResponse(paxos, from, message)
      break
    case 'chosenNotice':
      onChosenNotice(paxos, from, message)
      break
    case 'preVote':
      onPreVote(paxos, from, message)
      break
    case 'preVoteResponse':
      onPreVoteResponse(paxos, from, message)
      break
    case 'installSnapshot':
      onInstallSnapshot(paxos, from, message)
      break
    case 'readIndex':
      onReadIndexMessage(paxos, from, message)
      break
    case 'readIndexResponse':
      onReadIndexResponse(paxos, from, message)
      break
    case 'timeoutNow':
      onTimeoutNow(paxos, from, message)
      break
    default:
      unreachable(message)
  }
}
