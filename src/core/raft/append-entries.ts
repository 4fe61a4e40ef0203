import { assert } from '../../base/index.ts'
import type { Entry, MemberId } from '../replicated-log.ts'
import { advanceCommit } from './commit.ts'
import type { AppendEntries, AppendEntriesResponse } from './message.ts'
import type { RaftState } from './raft-state.ts'
import { configurationChanged, heardLeader } from './roles.ts'
import { transferIfCaughtUp } from './timeout-now.ts'

/** Replication: the follower's side (Raft §5.3), and what the leader learns from the answer. */

export function onAppendEntries(raft: RaftState, from: MemberId, message: AppendEntries): void {
  heardLeader(raft, from)
  const lastNewIndex = message.prevLogIndex + message.entries.length
  if (lastNewIndex <= raft.commitIndex) {
    // All of it is committed here already, so it is an old message.
    sendMatch(raft, from, raft.commitIndex)
    return
  }
  const known = Math.max(0, raft.commitIndex - message.prevLogIndex)
  if (known > 0) {
    // The part that is committed here is the same there; whoever says otherwise is not a leader.
    if (message.entries[known - 1]?.term !== raft.log.termAt(raft.commitIndex)) return
  } else if (raft.log.termAt(message.prevLogIndex) !== message.prevLogTerm) {
    refuse(raft, from, message)
    return
  }
  mergeEntries(raft, known === 0 ? message.entries : message.entries.slice(known))
  if (raft.durability.pendingBytes <= raft.options.maxUndurableBytes) {
    raft.receivedIndex = Math.max(raft.receivedIndex, lastNewIndex)
  }
  advanceCommit(raft, Math.min(message.commitIndex, lastNewIndex))
  sendMatch(raft, from, lastNewIndex)
}

/**
 * Appends what is new. An entry that conflicts with one here (same index, another term) replaces it and all after it;
 * entries that are here already change nothing, so an old message never shortens the log (Raft §5.3).
 */
function mergeEntries(raft: RaftState, entries: readonly Entry[]): void {
  let fresh = 0
  for (const entry of entries) {
    const term = raft.log.termAt(entry.index)
    if (term !== entry.term) {
      if (term !== undefined) truncateFrom(raft, entry.index)
      break
    }
    fresh++
  }
  if (fresh === entries.length) return
  const appended = fresh === 0 ? entries : entries.slice(fresh)
  raft.append(appended)
  if (raft.configurations.appended(appended)) configurationChanged(raft)
}

function truncateFrom(raft: RaftState, index: number): void {
  assert(index > raft.commitIndex, 'a conflict lies above the commit index (Raft §5.4)')
  raft.truncateFrom(index)
  if (raft.configurations.truncatedFrom(index)) configurationChanged(raft)
}

function refuse(raft: RaftState, from: MemberId, message: AppendEntries): void {
  const hint = raft.log.findConflictByTerm(message.prevLogIndex, message.prevLogTerm)
  raft.send(from, {
    type: 'appendEntriesResponse',
    term: raft.term,
    success: false,
    index: message.prevLogIndex,
    hintIndex: hint.index,
    hintTerm: hint.term,
  })
}

/** Tells the leader that everything up to `index` matches, once it is durable. */
export function sendMatch(raft: RaftState, to: MemberId, index: number): void {
  raft.sendDurably(to, {
    type: 'appendEntriesResponse',
    term: raft.term,
    success: true,
    index,
    hintIndex: 0,
    hintTerm: 0,
  })
}

export function onAppendEntriesResponse(raft: RaftState, from: MemberId, message: AppendEntriesResponse): void {
  const progress = raft.role === 'leader' ? raft.progress.get(from) : undefined
  if (progress === undefined || message.index > raft.log.lastIndex) return
  progress.recentlyActive = true
  if (message.success) {
    progress.acknowledged(message.index, raft.log.firstIndex)
    transferIfCaughtUp(raft, from, progress)
    return
  }
  // The follower has no entry of a term above hintTerm up to hintIndex, so skip ours of such terms (Raft §5.3).
  const agree =
    message.hintTerm === 0 ? message.hintIndex : raft.log.findConflictByTerm(message.hintIndex, message.hintTerm).index
  progress.rejected(message.index, agree)
}
