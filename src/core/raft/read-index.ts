import { ownRead } from '../consensus/index.ts'
import { isSoleVoter } from '../quorum/index.ts'
import { type MemberId, noMember } from '../replicated-log.ts'
import { broadcastHeartbeat } from './heartbeat.ts'
import { holdsLease } from './leader-lease.ts'
import type { ReadIndex, ReadIndexResponse } from './message.ts'
import type { RaftState } from './raft-state.ts'
import { confirmReads } from './read-answers.ts'

/**
 * Linearizable reads without log entries (thesis §6.4, Raft §8). The leader notes its commit index, once it has committed
 * an entry of its own term, and makes sure by a round of heartbeats that it still leads; then the read may be answered
 * when that index is applied. Followers ask the leader for the index.
 *
 * With leases a leader answers its own node's reads at once while the lease runs; followers' reads take a round.
 *
 * Reads are cheap in bulk: at most `maxReadRounds` rounds (on a follower: messages) are under way, and all reads that come
 * meanwhile share the next one.
 */

/** A read of this node. A lease answers only one that brought the time: this process may have been stopped till now. */
export function onReadIndex(raft: RaftState, id: number, nowMs: number | undefined): void {
  raft.lease.tell(nowMs)
  if (raft.role === 'leader' && nowMs !== undefined && knowsCommitted(raft) && holdsLease(raft)) {
    raft.sink({ type: 'readReady', id, index: raft.commitIndex })
    return
  }
  const isFull = raft.reads.count >= raft.options.maxPendingReads
  if (raft.leader === noMember || isFull) raft.sink({ type: 'readFailed', id })
  else raft.reads.add(ownRead, id, raft.tickCount)
}

/** Leader: a member's reads; who was removed is served no more. */
export function onReadIndexMessage(raft: RaftState, from: MemberId, message: ReadIndex): void {
  const isFull = raft.reads.count >= raft.options.maxPendingReads
  const isServed = raft.role === 'leader' && raft.configurations.isMember(from)
  if (isServed && !isFull) raft.reads.add(from, message.context, raft.tickCount)
  else raft.send(from, { type: 'readIndexResponse', term: raft.term, context: message.context, index: 0 })
}

/** Follower: the leader's answer. */
export function onReadIndexResponse(raft: RaftState, from: MemberId, message: ReadIndexResponse): void {
  if (raft.role === 'leader' || from !== raft.leader) return
  const round = raft.reads.take(message.context)
  for (const read of round?.reads ?? []) {
    if (message.index > 0) raft.sink({ type: 'readReady', id: read.id, index: message.index })
    else raft.sink({ type: 'readFailed', id: read.id })
  }
}

/** At the end of each step: begins a round for the reads that wait, if one may begin. */
export function advanceReads(raft: RaftState): void {
  if (raft.reads.waiting.length === 0 || raft.reads.rounds.length >= raft.options.maxReadRounds) return
  if (raft.role !== 'leader') {
    const { context } = raft.reads.beginRound(0)
    raft.send(raft.leader, { type: 'readIndex', term: raft.term, context })
    return
  }
  if (!knowsCommitted(raft)) return
  raft.reads.beginRound(raft.commitIndex)
  if (isSoleVoter(raft.configuration, raft.id)) confirmReads(raft)
  else broadcastHeartbeat(raft)
}

/** Until it has committed an entry of its term, a leader does not know which entries are committed (thesis §6.4). */
function knowsCommitted(raft: RaftState): boolean {
  return raft.log.termAt(raft.commitIndex) === raft.term
}
