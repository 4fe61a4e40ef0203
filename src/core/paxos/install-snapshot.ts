import { assert } from '../../base/index.ts'
import { type MemberId, noMember, type SnapshotMeta } from '../replicated-log.ts'
import { sendAccepted } from './accept.ts'
import type { InstallSnapshot } from './message.ts'
import type { PaxosState } from './paxos-state.ts'
import { heardLeader, membersChanged } from './roles.ts'

/**
 * Snapshots. The core decides who needs one and what it does to the log; the host moves the bytes, by the protocol that
 * `core/raft/install-snapshot.ts` describes, with `round` for the term.
 *
 * Differs from Raft: nothing on disk is void after a snapshot. What this acceptor accepted before stays accepted; slots up to
 * the snapshot's are chosen, and those after it are kept.
 */
export function onInstallSnapshot(paxos: PaxosState, from: MemberId, message: InstallSnapshot): void {
  heardLeader(paxos, from)
  const { meta } = message
  if (meta.index <= paxos.chosenIndex) sendAccepted(paxos, from, meta.index, meta.index)
}

/**
 * Whether this node needs the snapshot: it lies ahead of what is known chosen here. And whether it may take it: only in a
 * round that is on its disk, since whoever knows a configuration chosen must use higher rounds than the one that chose it, also
 * after a restart (M6 in `reconfiguration.ts`). A leader streams to members only that have answered in its round, durably.
 */
export function acceptsSnapshot(paxos: PaxosState, meta: SnapshotMeta): boolean {
  return !paxos.isProposing && meta.index > paxos.chosenIndex && paxos.roundIsDurable
}

/** Follower: the host restored `meta`. */
export function onSnapshotRestored(paxos: PaxosState, meta: SnapshotMeta): void {
  if (!acceptsSnapshot(paxos, meta)) return
  paxos.lastApplied = meta.index
  paxos.replaceThrough(meta.index)
  paxos.configurations.reset(meta)
  membersChanged(paxos)
  // No commit effect: the state machine is there already.
  paxos.emittedChosenIndex = paxos.chosenIndex
  paxos.advanceAccepted()
  if (paxos.leader !== noMember) sendAccepted(paxos, paxos.leader, meta.index, meta.index)
}

/** Leader: the host finished or gave up a stream. */
export function onSnapshotSent(paxos: PaxosState, to: MemberId, index: number, ok: boolean): void {
  if (!paxos.isProposing) return
  assert(index <= paxos.chosenIndex, 'a snapshot of this node holds chosen values')
  paxos.progress.get(to)?.snapshotSent(index, ok)
}

/** Any node: its own snapshot is durable, so slots may go. */
export function onSnapshotTaken(paxos: PaxosState, meta: SnapshotMeta, compactTo: number): void {
  assert(compactTo <= meta.index, 'only what the snapshot covers is forgotten')
  assert(meta.index <= paxos.chosenIndex, 'a snapshot holds chosen values')
  paxos.configurations.compactedTo(compactTo)
  paxos.log.compactTo(compactTo)
}
