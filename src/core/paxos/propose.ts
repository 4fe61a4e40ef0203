import { noMember, type ProposeResult } from '../replicated-log.ts'
import type { PaxosState } from './paxos-state.ts'
import { proposeValue } from './phase-one.ts'

/**
 * Leader: gives commands the next slots. The step's end persists and sends them. However large, one call is admitted while
 * nothing is unchosen; else `maxUnchosenBytes` and `maxUnchosenSlots` bound what a lost quorum can pile up.
 */
export function proposeCommands(paxos: PaxosState, payloads: readonly Uint8Array[]): ProposeResult {
  const { round: term, leader, options } = paxos
  if (paxos.role !== 'leader') return { ok: false, reason: 'not-leader', leader: paxos.isProposing ? noMember : leader }
  const isLeaving = !paxos.configurations.isVoter(paxos.id)
  if (isLeaving || paxos.transferee !== noMember) return { ok: false, reason: 'transferring', leader }
  // M1, M2: a change of members is under way; it ends with the next choices, or soon after.
  if (paxos.pendingConfigurationIndex !== 0 || !paxos.isCovered) return { ok: false, reason: 'full', leader }
  const firstIndex = paxos.acceptedThrough + 1
  let proposedBytes = 0
  for (const payload of payloads) proposedBytes += payload.length + 16
  const tooManyBytes = paxos.unchosenBytes + proposedBytes > options.maxUnchosenBytes
  const tooManySlots = firstIndex + payloads.length - paxos.chosenIndex > options.maxUnchosenSlots
  if (paxos.unchosenBytes > 0 && (tooManyBytes || tooManySlots)) return { ok: false, reason: 'full', leader }
  for (const [i, payload] of payloads.entries()) {
    proposeValue(paxos, { index: firstIndex + i, term, kind: 'command', payload })
  }
  return { ok: true, term, firstIndex }
}
