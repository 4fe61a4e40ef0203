import type { MemberId } from '../replicated-log.ts'
import type { AppendEntries } from './message.ts'
import type { Progress } from './progress.ts'
import type { RaftState } from './raft-state.ts'

/**
 * Leader: what goes out to each member at the end of a step. Appends leave in parallel with the own disk write (thesis
 * §10.2.1) and are pipelined.
 */
export function replicate(raft: RaftState): void {
  const { lastIndex } = raft.log
  for (const [member, progress] of raft.progress) {
    while (progress.canSend && progress.nextIndex <= lastIndex) sendAppend(raft, member, progress)
    if (progress.state === 'replicate') noticeCommit(raft, member, progress)
  }
}

/** Sends the entries from `nextIndex` on, as many as fit; an empty append if there are none; a snapshot if they are gone. */
export function sendAppend(raft: RaftState, member: MemberId, progress: Progress): void {
  const prevLogTerm = raft.log.termAt(progress.nextIndex - 1)
  if (prevLogTerm === undefined) {
    sendSnapshot(raft, member, progress)
    return
  }
  const message = appendAfter(raft, progress.nextIndex - 1, prevLogTerm)
  raft.send(member, message)
  progress.appendSent(message.prevLogIndex + message.entries.length, message.commitIndex)
}

/** The same object for every follower in the same place, so that a transport may encode it once. */
function appendAfter(raft: RaftState, prevLogIndex: number, prevLogTerm: number): AppendEntries {
  const last = raft.lastAppend
  const reusable =
    last !== undefined &&
    last.prevLogIndex === prevLogIndex &&
    last.commitIndex === raft.commitIndex &&
    prevLogIndex + last.entries.length === raft.log.lastIndex
  if (reusable) return last
  const entries = raft.log.batch(prevLogIndex + 1, raft.options.maxAppendBytes)
  const { term, commitIndex } = raft
  raft.lastAppend = { type: 'appendEntries', term, prevLogIndex, prevLogTerm, commitIndex, entries }
  return raft.lastAppend
}

function sendSnapshot(raft: RaftState, member: MemberId, progress: Progress): void {
  if (!progress.recentlyActive) {
    // Nobody may be there to take it: wait for an answer to a heartbeat.
    progress.awaitHeartbeat()
    return
  }
  progress.becomeSnapshot(raft.log.firstIndex - 1)
  raft.sink({ type: 'sendSnapshot', to: member })
}

/** Clients connected to the follower wait for the commit, so it is told at once if no append carried it. */
function noticeCommit(raft: RaftState, member: MemberId, progress: Progress): void {
  const commitIndex = Math.min(raft.commitIndex, progress.nextIndex - 1)
  if (commitIndex <= progress.sentCommitIndex || commitIndex === 0) return
  const commitTerm = raft.log.termAt(commitIndex)
  if (commitTerm === undefined) return
  progress.sentCommitIndex = commitIndex
  raft.send(member, { type: 'commitNotice', term: raft.term, commitIndex, commitTerm })
}
