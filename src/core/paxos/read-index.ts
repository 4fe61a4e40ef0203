import { ownRead } from '../consensus/index.ts'
import { isSoleVoter } from '../quorum/index.ts'
import { type MemberId, noMember } from '../replicated-log.ts'
import { broadcastHeartbeat } from './heartbeat.ts'
import type { ReadIndex, ReadIndexResponse } from './message.ts'
import type { PaxosState } from './paxos-state.ts'
import { confirmReads } from './read-answers.ts'

/**
 * Linearizable reads without log entries. The leader notes its chosen index, once everything that phase 1 found and its
 * opening value are chosen, and makes sure by a round of heartbeats that a quorum has promised no higher round since; then
 * the read may be answered when that index is applied. Others ask the leader for the index.
 *
 * Reads are cheap in bulk: at most `maxReadRounds` rounds (elsewhere: messages) are under way, and all reads that come
 * meanwhile share the next one.
 */

/** A read of this node. */
export function onReadIndex(paxos: PaxosState, id: number): void {
  const isFull = paxos.reads.count >= paxos.options.maxPendingReads
  if (paxos.leader === noMember || isFull) paxos.sink({ type: 'readFailed', id })
  else paxos.reads.add(ownRead, id, paxos.tickCount)
}

/** Leader: a follower's reads. */
export function onReadIndexMessage(paxos: PaxosState, from: MemberId, message: ReadIndex): void {
  const isFull = paxos.reads.count >= paxos.options.maxPendingReads
  if (paxos.isProposing && !isFull) paxos.reads.add(from, message.context, paxos.tickCount)
  else paxos.send(from, { type: 'readIndexResponse', round: paxos.round, context: message.context, index: 0 })
}

/** Follower: the leader's answer. */
export function onReadIndexResponse(paxos: PaxosState, from: MemberId, message: ReadIndexResponse): void {
  if (paxos.isProposing || from !== paxos.leader) return
  const round = paxos.reads.take(message.context)
  for (const read of round?.reads ?? []) {
    if (message.index > 0) paxos.sink({ type: 'readReady', id: read.id, index: message.index })
    else paxos.sink({ type: 'readFailed', id: read.id })
  }
}

/** At the end of each step: begins a round for the reads that wait, if one may begin. */
export function advanceReads(paxos: PaxosState): void {
  if (paxos.reads.waiting.length === 0 || paxos.reads.rounds.length >= paxos.options.maxReadRounds) return
  if (!paxos.isProposing) {
    const { context } = paxos.reads.beginRound(0)
    paxos.send(paxos.leader, { type: 'readIndex', round: paxos.round, context })
    return
  }
  // Before that, an earlier leader may have told callers of choices that are not known here.
  if (paxos.role !== 'leader' || !paxos.isCovered || paxos.chosenIndex < paxos.openingIndex) return
  paxos.reads.beginRound(paxos.chosenIndex)
  if (isSoleVoter(paxos.configuration, paxos.id)) confirmReads(paxos)
  else broadcastHeartbeat(paxos)
}
