import { assert } from '../../base/index.ts'
import { voteResult } from '../quorum/index.ts'
import { type Entry, type MemberId, noMember } from '../replicated-log.ts'
import { advanceChosen } from './chosen.ts'
import { configurationOf } from './chosen-configurations.ts'
import { beginRound } from './election.ts'
import { broadcastHeartbeat } from './heartbeat.ts'
import type { PaxosState } from './paxos-state.ts'
import { Recovery } from './recovery.ts'
import { becomeFollower, becomeLeader, becomeProposer } from './roles.ts'
import { entryBytes, noopPayload } from './slot-log.ts'

/**
 * Phase 1, the proposer's side: once for all open slots, those after the chosen prefix (Paxos Made Simple §3). When a quorum
 * has promised the round and reported all it accepted, every open slot gets the value of the highest ballot reported for it
 * (P2c, `synod/`), gaps get noops, and phase 2 begins. A configuration value among them interrupts this: see
 * `reconfiguration.ts`, whose rules M1 to M3 stand here in code.
 */

/** The round was entered: prepares it. `transfer`: the leader asked for it. */
export function beginPhaseOne(paxos: PaxosState, transfer: boolean): void {
  paxos.recovery = new Recovery()
  for (let index = paxos.chosenIndex + 1; index <= paxos.log.lastIndex; index++) {
    const slot = paxos.log.at(index)
    if (slot !== undefined) paxos.recovery.note(slot)
  }
  paxos.ownPromisePersistId = paxos.flushPersist()
  askForPromises(paxos, transfer)
}

/** The own promise counts from the moment it is durable. */
export function ownPromisePersisted(paxos: PaxosState): void {
  if (paxos.ownPromisePersistId === 0 || paxos.ownPromisePersistId > paxos.durability.durablePersistId) return
  paxos.ownPromisePersistId = 0
  paxos.openRecovery.ownPromiseCounts(paxos.id, paxos.chosenIndex)
  advancePhaseOne(paxos)
}

/** Goes on as far as the promises allow. */
export function advancePhaseOne(paxos: PaxosState): void {
  const { recovery } = paxos
  if (recovery === undefined) return
  askForPromises(paxos, false)
  // M1: what is proposed after a configuration waits until that is chosen.
  if (paxos.pendingConfigurationIndex !== 0) return
  const result = voteResult(paxos.configuration, (voter) => recovery.voteOf(voter))
  if (result === 'lost') {
    const isLeading = paxos.isProposing
    becomeFollower(paxos, paxos.round, noMember)
    // Members of a new configuration promised this round to a rival that failed: a new round can have their promise.
    if (isLeading) beginRound(paxos, true)
    return
  }
  paxos.isCovered = result === 'won'
  if (!paxos.isCovered) return
  if (!paxos.isProposing) {
    becomeProposer(paxos)
    broadcastHeartbeat(paxos)
  }
  if (!proposeRecovered(paxos, recovery)) return
  if (paxos.role !== 'leader') {
    becomeLeader(paxos)
    // Like Raft's opening entry: what callers handed to an earlier leader and is not chosen by now has no certain fate.
    paxos.openingIndex = paxos.acceptedThrough + 1
    proposeValue(paxos, noop(paxos, paxos.openingIndex))
  } else if (!paxos.configurations.isSettled && paxos.acceptedThrough === paxos.chosenIndex) {
    // M5.
    proposeValue(paxos, noop(paxos, paxos.acceptedThrough + 1))
  }
}

/** The choice rule, slot by slot; returns false when a configuration stands in the way. */
function proposeRecovered(paxos: PaxosState, recovery: Recovery): boolean {
  while (paxos.acceptedThrough < recovery.lastSlot) {
    const index = paxos.acceptedThrough + 1
    proposeValue(paxos, recovery.at(index)?.value ?? noop(paxos, index))
    if (paxos.pendingConfigurationIndex !== 0) return false
  }
  recovery.forgetThrough(paxos.acceptedThrough)
  return true
}

/** Phase 2a, the own acceptor's part; the step's end persists and sends it. The value keeps the round that proposed it first. */
export function proposeValue(paxos: PaxosState, entry: Entry): void {
  assert(paxos.isCovered && paxos.pendingConfigurationIndex === 0, 'the slot is open to this proposer (M1, M2)')
  assert(entry.index === paxos.acceptedThrough + 1, 'slots are proposed in order')
  paxos.accept({ ballot: paxos.round, value: entry })
  paxos.advanceAccepted()
  paxos.unchosenBytes += entryBytes(entry)
  if (configurationOf(entry) !== undefined) paxos.pendingConfigurationIndex = entry.index
}

/** Proposer, now and then: questions and answers may be lost. */
export function repeatQuestions(paxos: PaxosState): void {
  const { recovery } = paxos
  if (recovery === undefined) return
  for (const voter of votersToAsk(paxos)) {
    const fromSlot = recovery.nextPageOf(voter, paxos.chosenIndex)
    if (fromSlot !== undefined) sendPrepare(paxos, voter, fromSlot, false)
  }
}

export function sendPrepare(paxos: PaxosState, to: MemberId, fromSlot: number, transfer: boolean): void {
  const { round, lostLeader } = paxos
  paxos.sendDurably(to, { type: 'prepare', round, fromSlot, transfer, lostLeader })
}

/**
 * Takes over what a member that reported its values knows to be chosen. A candidate that learns of a configuration in this
 * way begins a round above the one that chose it (M6).
 */
export function learnFromReport(paxos: PaxosState, recovery: Recovery, member: MemberId): void {
  const target = recovery.chosenAt(member)
  const { currentIndex } = paxos.configurations
  while (paxos.chosenIndex < target && paxos.recovery === recovery) {
    const index = paxos.chosenIndex + 1
    if (index > paxos.acceptedThrough) {
      const slot = recovery.at(index)
      if (slot === undefined) return
      // In the ballot in which it was reported: no lower than the one that chose it.
      paxos.accept(slot)
    }
    advanceChosen(paxos, index)
  }
  if (paxos.recovery !== recovery || paxos.isProposing || paxos.configurations.currentIndex === currentIndex) return
  becomeFollower(paxos, paxos.round, noMember)
  beginRound(paxos, false)
}

/** Asks who was not asked yet: the voters that count, and those that will when a proposed configuration is chosen (M2). */
function askForPromises(paxos: PaxosState, transfer: boolean): void {
  const { asked } = paxos.openRecovery
  for (const voter of votersToAsk(paxos)) {
    if (asked.has(voter)) continue
    asked.set(voter, paxos.chosenIndex + 1)
    sendPrepare(paxos, voter, paxos.chosenIndex + 1, transfer)
  }
}

function votersToAsk(paxos: PaxosState): readonly MemberId[] {
  const asked = new Set(paxos.configuration.voters)
  const { pendingConfigurationIndex } = paxos
  if (pendingConfigurationIndex !== 0) {
    const next = configurationOf(paxos.log.entryAt(pendingConfigurationIndex))
    for (const voter of next?.voters ?? []) asked.add(voter)
  }
  asked.delete(paxos.id)
  return [...asked]
}

function noop(paxos: PaxosState, index: number): Entry {
  return { index, term: paxos.round, kind: 'noop', payload: noopPayload }
}
