import type { MemberId } from '../replicated-log.ts'
import { toldChosen } from './chosen.ts'
import type { Heartbeat, HeartbeatResponse } from './message.ts'
import type { PaxosState } from './paxos-state.ts'
import { confirmReads } from './read-answers.ts'
import { sendAccept } from './replication.ts'
import { heardLeader } from './roles.ts'

/** Heartbeats: they keep followers loyal, confirm reads, tell what is chosen, and uncover lost accepts. */

export function broadcastHeartbeat(paxos: PaxosState): void {
  const { round, chosenIndex } = paxos
  for (const member of paxos.progress.keys()) {
    paxos.send(member, { type: 'heartbeat', round, chosenIndex, context: paxos.reads.lastContext })
  }
}

export function onHeartbeat(paxos: PaxosState, from: MemberId, message: Heartbeat): void {
  heardLeader(paxos, from)
  toldChosen(paxos, message.chosenIndex)
  const { round, receivedThrough } = paxos
  // At once, whether the round is on disk or not: nothing is chosen by it, and a member whose disk is full must go on.
  paxos.send(from, { type: 'heartbeatResponse', round, context: message.context, receivedThrough })
}

export function onHeartbeatResponse(paxos: PaxosState, from: MemberId, message: HeartbeatResponse): void {
  const progress = paxos.progress.get(from)
  if (progress === undefined) return
  if (message.context > progress.ackedContext && message.context <= paxos.reads.lastContext) {
    progress.ackedContext = message.context
    confirmReads(paxos)
  }
  const received = Math.min(message.receivedThrough, paxos.acceptedThrough)
  if (progress.heartbeatAnswered(received, paxos.acceptedThrough)) sendAccept(paxos, from, progress)
}
