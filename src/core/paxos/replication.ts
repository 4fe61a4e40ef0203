import type { MemberId } from '../replicated-log.ts'
import type { PaxosState } from './paxos-state.ts'
import type { Progress } from './progress.ts'

/**
 * Leader: what goes out to each member at the end of a step. Accepts leave in parallel with the own disk write, are
 * pipelined over slots, and may be lost or answered in any order.
 */
export function replicate(paxos: PaxosState): void {
  for (const [member, progress] of paxos.progress) {
    while (progress.canSend && progress.nextSlot <= paxos.acceptedThrough) sendAccept(paxos, member, progress)
    if (progress.state === 'replicate') noticeChosen(paxos, member, progress)
  }
}

/**
 * Sends values from `nextSlot` on that the member has not acknowledged, as many as fit; an empty accept if there are none,
 * which asks how far the member is; a snapshot if they are gone.
 */
export function sendAccept(paxos: PaxosState, member: MemberId, progress: Progress): void {
  const { round, chosenIndex, log, acceptedThrough } = paxos
  if (progress.nextSlot < log.firstIndex) {
    sendSnapshot(paxos, member, progress)
    return
  }
  const range = progress.unackedFrom(progress.nextSlot, acceptedThrough)
  const firstSlot = range?.first ?? acceptedThrough + 1
  const entries = range === undefined ? [] : log.batch(range.first, range.last, paxos.options.maxAcceptBytes)
  paxos.send(member, { type: 'accept', round, firstSlot, chosenIndex, entries })
  progress.acceptSent(firstSlot, firstSlot + entries.length - 1, chosenIndex)
}

function sendSnapshot(paxos: PaxosState, member: MemberId, progress: Progress): void {
  if (!progress.recentlyActive) {
    // Nobody may be there to take it: wait for an answer to a heartbeat.
    progress.becomeProbe()
    return
  }
  progress.becomeSnapshot()
  paxos.sink({ type: 'sendSnapshot', to: member })
}

/** Clients connected to the follower wait for the choice, so it is told at once if no accept carried it. */
function noticeChosen(paxos: PaxosState, member: MemberId, progress: Progress): void {
  const { round, chosenIndex } = paxos
  if (chosenIndex <= progress.sentChosenIndex) return
  progress.sentChosenIndex = chosenIndex
  paxos.send(member, { type: 'chosenNotice', round, chosenIndex })
}
