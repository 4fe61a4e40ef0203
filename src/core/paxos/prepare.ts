import { type MemberId, noMember } from '../replicated-log.ts'
import { yieldToCandidate } from './connection-lost.ts'
import type { Prepare, PromiseMessage } from './message.ts'
import type { PaxosState } from './paxos-state.ts'
import { advancePhaseOne, learnFromReport, sendPrepare } from './phase-one.ts'
import { entryBytes, type Slot } from './slot-log.ts'

/**
 * Phase 1 between proposer and acceptor. A promise is given to the first proposer of a round only, so that a round names
 * one leader. Whether a request is heard at all while a leader is alive is decided before, in `round-gate.ts`.
 */

/** The gate has entered the message's round already if it was higher. */
export function onPrepare(paxos: PaxosState, from: MemberId, message: Prepare): void {
  const isFirst = paxos.promisedTo === noMember || paxos.promisedTo === from
  const isFree = isFirst && (paxos.leader === noMember || paxos.leader === from)
  if (!isFree) {
    paxos.sendDurably(from, refusal(paxos.round))
    return
  }
  if (message.fromSlot < paxos.log.firstIndex) {
    // What is in a snapshot here cannot be reported: who needs it must not lead before it has it. The leader itself knows
    // as much by now; it asks again from there.
    if (paxos.leader !== from) paxos.sendDurably(from, refusal(paxos.round))
    return
  }
  paxos.promiseTo(from)
  if (paxos.leader === noMember) {
    paxos.electionElapsedTicks = 0
    yieldToCandidate(paxos)
  }
  // The promise, and what it reports, leave only when they are durable.
  const report = reportFrom(paxos, message.fromSlot)
  paxos.isReporting = !report.complete
  paxos.sendDurably(from, report)
}

/** One page of what is accepted here from `fromSlot` on. It cannot change under the proposer: lower ballots are shut out. */
function reportFrom(paxos: PaxosState, fromSlot: number): PromiseMessage {
  const { round, chosenIndex, log } = paxos
  const slots: Slot[] = []
  let bytes = 0
  let nextSlot = fromSlot
  for (; nextSlot <= log.lastIndex; nextSlot++) {
    const slot = log.at(nextSlot)
    if (slot === undefined) continue
    bytes += entryBytes(slot.value)
    if (bytes > paxos.options.maxAcceptBytes && slots.length > 0) break
    slots.push(slot)
  }
  const complete = nextSlot > log.lastIndex
  return { type: 'promise', round, granted: true, fromSlot, nextSlot, complete, chosenIndex, slots }
}

function refusal(round: number): PromiseMessage {
  const nothing = { fromSlot: 0, nextSlot: 0, complete: false, chosenIndex: 0, slots: [] }
  return { type: 'promise', round, granted: false, ...nothing }
}

export function onPromise(paxos: PaxosState, from: MemberId, message: PromiseMessage): void {
  const { recovery } = paxos
  if (recovery === undefined) return
  if (!message.granted) {
    if (recovery.refused(from)) advancePhaseOne(paxos)
    return
  }
  // No acceptor takes anything that lies farther ahead, and a proposer fills every gap before what is reported.
  const lastSlot = message.slots.at(-1)?.value.index ?? 0
  if (lastSlot > message.chosenIndex + paxos.options.maxUnchosenSlots) return
  if (!recovery.promised(from, message, paxos.chosenIndex)) return
  // A long report comes in pages: that it goes on is a sign of life.
  paxos.electionElapsedTicks = 0
  learnFromReport(paxos, recovery, from)
  if (paxos.recovery !== recovery) return
  const nextPage = recovery.nextPageOf(from, paxos.chosenIndex)
  if (nextPage !== undefined) sendPrepare(paxos, from, nextPage, false)
  advancePhaseOne(paxos)
}
