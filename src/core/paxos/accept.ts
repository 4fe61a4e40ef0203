import { type MemberId, noMember } from '../replicated-log.ts'
import { learnTold, toldChosen } from './chosen.ts'
import type { Accept, Accepted } from './message.ts'
import type { PaxosState } from './paxos-state.ts'
import { heardLeader } from './roles.ts'
import { mayAccept } from './synod/index.ts'
import { transferIfCaughtUp } from './timeout-now.ts'

/** Phase 2: the acceptor's side, and what the leader learns from the answer. */

/** The gate has dropped what is of a lower round than the promised one (P1a). */
export function onAccept(paxos: PaxosState, from: MemberId, message: Accept): void {
  heardLeader(paxos, from)
  const { firstSlot, entries, round } = message
  const lastSlot = firstSlot + entries.length - 1
  if (lastSlot > paxos.chosenIndex + paxos.options.maxUnchosenSlots) return
  for (const entry of entries) {
    // Known chosen: it is the same value. Accepted in this ballot: it is the same message, once more.
    if (entry.index <= paxos.chosenIndex || paxos.log.ballotAt(entry.index) === round) continue
    if (mayAccept(paxos.round, round)) paxos.accept({ ballot: round, value: entry })
  }
  paxos.advanceAccepted()
  toldChosen(paxos, message.chosenIndex)
  sendAccepted(paxos, from, firstSlot, lastSlot)
}

/**
 * Tells the leader what is accepted, once it is durable. While learning waits for the round to be on disk, nothing after the
 * configuration that it waits for is vouched for without a gap (M5, M6 in `reconfiguration.ts`).
 */
export function sendAccepted(paxos: PaxosState, to: MemberId, firstSlot: number, lastSlot: number): void {
  const { round, acceptedThrough, chosenIndex } = paxos
  const isHeld = chosenIndex < Math.min(paxos.toldChosenIndex, acceptedThrough)
  const throughSlot = isHeld ? chosenIndex + 1 : acceptedThrough
  paxos.sendDurably(to, { type: 'accepted', round, firstSlot, lastSlot, throughSlot })
}

/** Something is on disk: what was held back is learned now, and vouched for. */
export function learnHeld(paxos: PaxosState): void {
  const before = paxos.chosenIndex
  learnTold(paxos)
  if (paxos.chosenIndex === before || paxos.leader === noMember) return
  sendAccepted(paxos, paxos.leader, paxos.chosenIndex + 1, paxos.chosenIndex)
}

/** M5: until a configuration is settled, what a member has and does not vouch for without a gap is not acknowledged. */
export function onAccepted(paxos: PaxosState, from: MemberId, message: Accepted): void {
  const progress = paxos.progress.get(from)
  if (progress === undefined || message.lastSlot > paxos.acceptedThrough) return
  progress.recentlyActive = true
  // A member can know more to be chosen than this proposer has proposed yet.
  const through = Math.min(message.throughSlot, paxos.acceptedThrough)
  const lastSlot = paxos.configurations.isSettled ? message.lastSlot : Math.min(message.lastSlot, through)
  progress.acknowledged(message.firstSlot, lastSlot, through, paxos.log.firstIndex)
  transferIfCaughtUp(paxos, from, progress)
}
