import type { MemberId } from '../replicated-log.ts'
import { advanceCommit } from './commit.ts'
import type { Heartbeat, HeartbeatResponse } from './message.ts'
import type { RaftState } from './raft-state.ts'
import { confirmReads } from './read-answers.ts'
import { sendAppend } from './replication.ts'
import { heardLeader } from './roles.ts'

/** Heartbeats: they keep followers loyal (Raft §5.2), confirm reads (thesis §6.4) and uncover lost appends. */

/** The timer fired. With leases each round has a context of its own, so that an answer tells when its round left. */
export function beginHeartbeats(raft: RaftState): void {
  for (const progress of raft.progress.values()) progress.heartbeatTimerFired()
  if (raft.lease.isOn) raft.reads.lastContext++
  broadcastHeartbeat(raft)
}

export function broadcastHeartbeat(raft: RaftState): void {
  raft.lease.roundSent(raft.reads.lastContext)
  for (const [member, progress] of raft.progress) {
    // Beyond matchIndex the follower may hold entries of another leader.
    const commitIndex = Math.min(progress.matchIndex, raft.commitIndex)
    raft.send(member, { type: 'heartbeat', term: raft.term, commitIndex, context: raft.reads.lastContext })
  }
}

export function onHeartbeat(raft: RaftState, from: MemberId, message: Heartbeat): void {
  heardLeader(raft, from)
  if (message.commitIndex <= raft.log.lastIndex) advanceCommit(raft, message.commitIndex)
  raft.send(from, {
    type: 'heartbeatResponse',
    term: raft.term,
    context: message.context,
    receivedIndex: raft.receivedIndex,
  })
}

export function onHeartbeatResponse(raft: RaftState, from: MemberId, message: HeartbeatResponse): void {
  const progress = raft.role === 'leader' ? raft.progress.get(from) : undefined
  if (progress === undefined) return
  if (message.context > progress.ackedContext && message.context <= raft.reads.lastContext) {
    progress.ackedContext = message.context
    progress.ackedSentMs = raft.lease.sentAt(message.context) ?? progress.ackedSentMs
    confirmReads(raft)
  }
  if (message.receivedIndex <= raft.log.lastIndex) progress.received(message.receivedIndex)
  if (progress.heartbeatAnswered(raft.log.lastIndex)) sendAppend(raft, from, progress)
}
