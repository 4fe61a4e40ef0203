import { ownRead, type PendingRead } from '../consensus/index.ts'
import { committedIndex } from '../quorum/index.ts'
import type { MemberId } from '../replicated-log.ts'
import type { PaxosState } from './paxos-state.ts'

/** How pending reads end: see `read-index.ts` for how they begin. */

/** Leader: answers the rounds of reads that a quorum has confirmed. */
export function confirmReads(paxos: PaxosState): void {
  const confirmed = committedIndex(paxos.configuration, (member) => ackedContextOf(paxos, member))
  for (const round of paxos.reads.takeThrough(confirmed)) {
    for (const read of round.reads) answerRead(paxos, read, round.index)
  }
}

/** One tick: reads that have waited for an election time-out fail, as messages may have been lost. */
export function expireReads(paxos: PaxosState): void {
  const expired = paxos.reads.takeOlderThan(paxos.tickCount - paxos.options.electionTimeoutTicks)
  for (const read of expired) answerRead(paxos, read, 0)
}

/** The leader is lost or another one: no answer will come, and none that came would count. */
export function failAllReads(paxos: PaxosState): void {
  for (const read of paxos.reads.takeAll()) answerRead(paxos, read, 0)
}

/** Index 0: failed. */
function answerRead(paxos: PaxosState, read: PendingRead, index: number): void {
  if (read.from !== ownRead) {
    paxos.send(read.from, { type: 'readIndexResponse', round: paxos.round, context: read.id, index })
  } else if (index > 0) {
    paxos.sink({ type: 'readReady', id: read.id, index })
  } else {
    paxos.sink({ type: 'readFailed', id: read.id })
  }
}

function ackedContextOf(paxos: PaxosState, member: MemberId): number {
  if (member === paxos.id) return paxos.reads.lastContext
  return paxos.progress.get(member)?.ackedContext ?? 0
}
