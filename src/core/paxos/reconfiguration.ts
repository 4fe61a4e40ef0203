import { encodeConfiguration } from '../consensus/index.ts'
import { type Configuration, type Membership, noMember, type ProposeConfigurationResult } from '../replicated-log.ts'
import { sameMembers } from './chosen-configurations.ts'
import { broadcastHeartbeat } from './heartbeat.ts'
import type { PaxosState } from './paxos-state.ts'
import { advancePhaseOne, proposeValue } from './phase-one.ts'
import { membersChanged, trackMembers } from './roles.ts'
import { onTransferLeadership } from './timeout-now.ts'

/**
 * Changes of the members through the log (Paxos Made Simple §3: the set of servers is part of the state; here alpha is 1).
 *
 * The configuration value in slot i governs from slot i + 1 on. So a slot's quorums are known to whoever knows what is
 * chosen before it, and to nobody else. The rules:
 *
 * - M1  The leader proposes nothing after i until it knows i chosen (`pendingConfigurationIndex`). The pipeline drains.
 * - M2  Then it needs promises for the slots after i from a quorum of the new configuration before it proposes there
 *       (`isCovered`). Promises do no harm, so members of a configuration that is only proposed may be asked ahead; they count
 *       when i is known chosen, not before.
 * - M3  A candidate counts promises by the configuration that governs the slot after its chosen prefix. If the choice rule
 *       then gives it a configuration value in slot i, it carries that slot to the end by the old quorums, as M1 says, and
 *       goes on by M2. It is called leader when nothing is left to recover.
 * - M4  A slot counts as chosen only after all before it do, by the configuration those leave in force.
 * - M5  The leader gives slot i + 1 a noop at once (or what it must recover there). For this slot, acceptances count only from
 *       members that hold everything before it: they know i chosen, and their records say so. When it is chosen, a quorum of
 *       the new configuration knows itself to be one, for good: the change is settled, and the former voters are not needed
 *       any more. Until then they may still lead (a proposer need not be an acceptor): should everybody who knows of i be one
 *       of them, one of them finishes the change. The host sees them as `outgoing` meanwhile.
 *
 * - M6  Whoever knows i chosen uses rounds above the one that chose it, unless it chose it itself, in its own round. So a
 *       follower learns of a configuration only when its round is on disk (`learnTold`), takes in a snapshot only then
 *       (`acceptsSnapshot`), and a candidate that learns of one from a report begins another round (`learnFromReport`).
 *
 * (A configuration value that sets nothing, see C3 in `chosen-configurations.ts`, is waited for as any other, M1, and is then a
 * value like the rest.)
 *
 * Why that is safe. Take slot s, and let i < s be the last configuration value chosen before it, with configuration B. Call a
 * proposal for s lawful when its proposer knew i chosen (M1, M2): it holds promises of a quorum of B, so lawful proposals
 * satisfy P2c among themselves. An unlawful one came from a proposer of ballot b whose quorum of the old configuration A had
 * not accepted i. Had i been chosen below b, P2b would have shown it to that proposer; so i was chosen above b, and every
 * lawful ballot is higher still (M6). So unlawful ballots for s lie below all lawful ones: they may be picked by the choice
 * rule, as any proposal may, but cannot come between two lawful ones. And no unlawful proposal counts as chosen: its proposer
 * would have to have its own value of slot i chosen first (M4), and another one was.
 *
 * Rounds name one leader also across configurations: a leader of round r by A that did not know i had a quorum of A that had
 * not accepted i, so i was chosen above r or by itself, and others that know it use rounds above that one (M6).
 */
export function proposeConfiguration(paxos: PaxosState, target: Membership): ProposeConfigurationResult {
  const { leader } = paxos
  if (paxos.role !== 'leader') return { ok: false, reason: 'not-leader', leader: paxos.isProposing ? noMember : leader }
  if (paxos.transferee !== noMember) return { ok: false, reason: 'transferring', leader }
  const isSettled = paxos.isCovered && paxos.configurations.isSettled && paxos.chosenIndex >= paxos.openingIndex
  if (!isSettled || paxos.pendingConfigurationIndex !== 0) return { ok: false, reason: 'changing', leader }
  const configuration: Configuration = { voters: target.voters, outgoing: [], learners: target.learners }
  if (sameMembers(configuration, paxos.configuration)) return { ok: false, reason: 'unchanged', leader }
  if (paxos.unchosenBytes > paxos.options.maxUnchosenBytes) return { ok: false, reason: 'full', leader }
  const index = paxos.acceptedThrough + 1
  const payload = encodeConfiguration(configuration)
  proposeValue(paxos, { index, term: paxos.round, kind: 'configuration', payload })
  // M2: asked ahead, so that the change costs no further round trip.
  advancePhaseOne(paxos)
  return { ok: true, term: paxos.round, index }
}

/** A chosen value set another configuration, or settled the one in force. */
export function configurationChanged(paxos: PaxosState): void {
  if (!paxos.isProposing) {
    // M5: the record of the next slot says that the configuration is chosen; if it came earlier, it does not say so yet.
    if (paxos.configurations.currentIndex === paxos.chosenIndex) paxos.writeAgain(paxos.chosenIndex + 1)
    membersChanged(paxos)
    return
  }
  if (paxos.pendingConfigurationIndex <= paxos.chosenIndex) paxos.pendingConfigurationIndex = 0
  tellLeavers(paxos)
  trackMembers(paxos)
  if (paxos.configurations.currentIndex === paxos.chosenIndex) {
    paxos.isCovered = false
    broadcastHeartbeat(paxos)
    advancePhaseOne(paxos)
  } else if (!paxos.configurations.mayLead(paxos.id)) {
    onTransferLeadership(paxos, noMember)
  }
}

/** Whoever is not a member any more hears of it once: nobody will tell it again. */
function tellLeavers(paxos: PaxosState): void {
  const { round, chosenIndex } = paxos
  for (const member of paxos.progress.keys()) {
    if (!paxos.configurations.isMember(member)) paxos.send(member, { type: 'chosenNotice', round, chosenIndex })
  }
}
