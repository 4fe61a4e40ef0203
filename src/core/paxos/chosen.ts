import { committedIndex, voteResult } from '../quorum/index.ts'
import type { MemberId } from '../replicated-log.ts'
import type { ChosenNotice } from './message.ts'
import type { PaxosState } from './paxos-state.ts'
import { advancePhaseOne } from './phase-one.ts'
import { configurationChanged } from './reconfiguration.ts'
import { heardLeader } from './roles.ts'

/**
 * Learning what is chosen (Paxos Made Simple §2.3). The leader learns it from the acceptors; everybody else from the leader,
 * who tells how far the chosen prefix goes. A follower whose acceptance in a slot is of the leader's round holds the leader's
 * value there, since a ballot proposes one value; an older acceptance may be of another value, and waits for the leader's.
 */

/** Leader: a slot is chosen when a quorum has accepted it, durably and in this very ballot. Slots are taken in order (M4). */
export function chooseByCounting(paxos: PaxosState): void {
  for (;;) {
    const before = paxos.chosenIndex
    const prefix = committedIndex(paxos.configuration, (member) => acceptedBy(paxos, member))
    advanceChosen(paxos, Math.min(prefix, paxos.pendingConfigurationIndex || prefix, paxos.acceptedThrough))
    while (isNextAccepted(paxos)) advanceChosen(paxos, paxos.chosenIndex + 1)
    if (paxos.chosenIndex === before || !paxos.isProposing) return
  }
}

function acceptedBy(paxos: PaxosState, member: MemberId): number {
  if (member === paxos.id) return paxos.durability.durableThrough(paxos.round)
  return paxos.progress.get(member)?.matchIndex ?? 0
}

/** Acceptances come in any order: a slot can be chosen though no quorum has everything before it. Not so in M5. */
function isNextAccepted(paxos: PaxosState): boolean {
  const slot = paxos.chosenIndex + 1
  if (slot > paxos.acceptedThrough || !paxos.configurations.isSettled || !paxos.isProposing) return false
  const result = voteResult(paxos.configuration, (voter) => {
    if (voter === paxos.id) return slot <= paxos.durability.durableThrough(paxos.round) ? true : undefined
    return paxos.progress.get(voter)?.isAcked(slot) === true ? true : undefined
  })
  return result === 'won'
}

/** Everything up to `index`, whose values are here, is chosen. */
export function advanceChosen(paxos: PaxosState, index: number): void {
  while (paxos.chosenIndex < index) {
    const entry = paxos.log.entryAt(paxos.chosenIndex + 1)
    paxos.learnChosen(entry.index)
    const wasPending = paxos.pendingConfigurationIndex === entry.index
    if (paxos.configurations.chosen(entry)) configurationChanged(paxos)
    if (wasPending && paxos.isProposing && paxos.configurations.currentIndex !== entry.index) goOnAfterVoid(paxos)
  }
}

/** Proposer: the configuration that it waited for sets nothing (C3 in `chosen-configurations.ts`). */
function goOnAfterVoid(paxos: PaxosState): void {
  paxos.pendingConfigurationIndex = 0
  advancePhaseOne(paxos)
}

/** Follower: the leader of this round says that everything up to `index` is chosen. */
export function toldChosen(paxos: PaxosState, index: number): void {
  paxos.toldChosenIndex = Math.max(paxos.toldChosenIndex, index)
  learnTold(paxos)
}

/** Learns what the leader told, as far as its values are here. A configuration only when the round is on disk (M6). */
export function learnTold(paxos: PaxosState): void {
  const index = Math.min(paxos.toldChosenIndex, paxos.acceptedThrough)
  while (paxos.chosenIndex < index) {
    const next = paxos.log.entryAt(paxos.chosenIndex + 1)
    if (next.kind === 'configuration' && !paxos.roundIsDurable) return
    advanceChosen(paxos, next.index)
  }
}

export function onChosenNotice(paxos: PaxosState, from: MemberId, message: ChosenNotice): void {
  heardLeader(paxos, from)
  toldChosen(paxos, message.chosenIndex)
}
