import type { MemberId } from '../replicated-log.ts'
import { advanceCommit } from './commit.ts'
import type { Heartbeat, HeartbeatResponse } from './message.ts'
import type { RaftState } from './raft-state.ts'
import { confirmReads } from './read-answers.ts'
import { sendAppend } from './replication.ts'
import { heardLeader } from './roles.ts'

/** Heartbeats: they keep followers loyal (Raft §5.2), confirm reads (thesis §6.4) and uncover lost appends. */

export function broadcastHeartbeat(raft: RaftState): void {
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
    confirmReads(raft)
  }
  if (message.receivedIndex <= raft.log.lastIndex) progress.received(message.receivedIndex)
  if (progress.heartbeatAnswered(raft.log.lastIndex)) sendAppend(raft, from, progress)
}
