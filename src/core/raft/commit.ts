import { committedIndex } from '../quorum/index.ts'
import type { MemberId } from '../replicated-log.ts'
import type { CommitNotice } from './message.ts'
import { entryBytes } from './raft-log.ts'
import type { RaftState } from './raft-state.ts'
import { heardLeader } from './roles.ts'

/** Commitment (Raft §5.3, §5.4.2). */

/**
 * Leader: commits what a quorum has. Counting copies commits only entries of the current term; earlier ones commit with
 * them (Raft §5.4.2, figure 8).
 */
export function commitByCounting(raft: RaftState): void {
  const index = committedIndex(raft.configuration, (member) => matchIndexOf(raft, member))
  if (index > raft.commitIndex && raft.log.termAt(index) === raft.term) advanceCommit(raft, index)
}

function matchIndexOf(raft: RaftState, member: MemberId): number {
  if (member === raft.id) return raft.durability.durableIndex
  return raft.progress.get(member)?.matchIndex ?? 0
}

/** Everything up to `index`, which is in the log, is committed. */
export function advanceCommit(raft: RaftState, index: number): void {
  if (index <= raft.commitIndex) return
  if (raft.role === 'leader') {
    for (let at = raft.commitIndex + 1; at <= index; at++) raft.uncommittedBytes -= entryBytes(raft.log.entryAt(at))
  }
  raft.commitIndex = index
}

/** Follower: an entry is named by its index and term, so whoever has it has the same log up to it (Raft §5.3). */
export function onCommitNotice(raft: RaftState, from: MemberId, message: CommitNotice): void {
  heardLeader(raft, from)
  if (raft.log.termAt(message.commitIndex) === message.commitTerm) advanceCommit(raft, message.commitIndex)
}
