import { ownRead, type PendingRead } from '../consensus/index.ts'
import { committedIndex } from '../quorum/index.ts'
import type { MemberId } from '../replicated-log.ts'
import type { RaftState } from './raft-state.ts'

/** How pending reads end: see `read-index.ts` for how they begin. */

/** Leader: answers the rounds that a quorum has confirmed. */
export function confirmReads(raft: RaftState): void {
  const confirmed = committedIndex(raft.configuration, (member) => ackedContextOf(raft, member))
  for (const round of raft.reads.takeThrough(confirmed)) {
    for (const read of round.reads) answerRead(raft, read, round.index)
  }
}

/** One tick: reads that have waited for an election time-out fail, as messages may have been lost. */
export function expireReads(raft: RaftState): void {
  const expired = raft.reads.takeOlderThan(raft.tickCount - raft.options.electionTimeoutTicks)
  for (const read of expired) answerRead(raft, read, 0)
}

/** The leader is lost or another one: no answer will come, and none that came would count. */
export function failAllReads(raft: RaftState): void {
  for (const read of raft.reads.takeAll()) answerRead(raft, read, 0)
}

/** Index 0: failed. */
function answerRead(raft: RaftState, read: PendingRead, index: number): void {
  if (read.from !== ownRead) {
    raft.send(read.from, { type: 'readIndexResponse', term: raft.term, context: read.id, index })
  } else if (index > 0) {
    raft.sink({ type: 'readReady', id: read.id, index })
  } else {
    raft.sink({ type: 'readFailed', id: read.id })
  }
}

function ackedContextOf(raft: RaftState, member: MemberId): number {
  if (member === raft.id) return raft.reads.lastContext
  return raft.progress.get(member)?.ackedContext ?? 0
}
