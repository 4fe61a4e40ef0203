import { assert } from '../../base/index.ts'
import { type MemberId, noMember, type SnapshotMeta } from '../replicated-log.ts'
import { sendMatch } from './append-entries.ts'
import { advanceCommit } from './commit.ts'
import type { InstallSnapshot } from './message.ts'
import type { RaftState } from './raft-state.ts'
import { configurationChanged, heardLeader } from './roles.ts'

/**
 * Snapshots (Raft §7). The core decides who needs one and what it does to the log; the host moves the bytes.
 *
 * Leader's host, after the effect `sendSnapshot { to }`:
 *
 *  1. opens its newest durable snapshot `meta` (which covers at least `status().firstIndex - 1`);
 *  2. sends the message `{ type: 'installSnapshot', term: status().term, meta }` to the peer, then streams the bytes;
 *  3. steps `snapshotSent { to, index: meta.index, ok }` exactly once: `ok` when the follower reported the
 *     snapshot restored; not ok when it refused it, the stream broke, or leadership was lost. After a failure the core
 *     asks again when the follower next answers a heartbeat.
 *
 * Follower's host, on receiving that message:
 *
 *  1. steps it as a `message` event: the term and the leader are noted, and a log that holds the snapshot's last entry
 *     already just commits up to it and answers the leader;
 *  2. asks `status().leader` to be the sender and `acceptsSnapshot(meta)`: if either fails it refuses the stream, as its
 *     log has, or will get, what it needs from appends;
 *  3. writes the bytes to disk. The core goes on meanwhile, and may commit past `meta.index` by appends;
 *  4. when all bytes are there, asks `acceptsSnapshot(meta)` again. False: throws the file away, reports failure.
 *     True: makes the snapshot durable (atomically the newest one), restores the state machine from it, and steps
 *     `snapshotRestored { meta }`. Commits between that question and the step must not reach the state machine: hold back
 *     the steps of this group meanwhile, or ask once more before the state machine is replaced.
 *
 * The core then replaces its log by the snapshot and issues a persist effect whose only entry is a stand-in at
 * `meta.index` (see `raft-log.ts`): it may leave a gap to the entries before it, and replaces all from its index on. The
 * leader gets an append response when that is durable. At a restart the host hands over all entries its log holds,
 * also those at or before the snapshot: the core tells by them whether they belong to it.
 */
export function onInstallSnapshot(raft: RaftState, from: MemberId, message: InstallSnapshot): void {
  heardLeader(raft, from)
  const { meta } = message
  if (raft.log.termAt(meta.index) === meta.term) advanceCommit(raft, meta.index)
  if (!acceptsSnapshot(raft, meta)) sendMatch(raft, from, raft.commitIndex)
}

/** Whether this node needs the snapshot: it lies ahead of what is committed here. */
export function acceptsSnapshot(raft: RaftState, meta: SnapshotMeta): boolean {
  return raft.role !== 'leader' && meta.index > raft.commitIndex
}

/** Follower: the host restored `meta` (step 4). */
export function onSnapshotRestored(raft: RaftState, meta: SnapshotMeta): void {
  if (!acceptsSnapshot(raft, meta)) return
  assert(meta.term <= raft.term, 'the offer was stepped before the snapshot')
  raft.lastApplied = meta.index
  if (raft.log.termAt(meta.index) === meta.term) {
    // The entries after the snapshot may have been acknowledged: they stay.
    advanceCommit(raft, meta.index)
  } else {
    raft.resetLog(meta.index, meta.term)
    if (raft.configurations.reset(meta.index, meta.configuration)) configurationChanged(raft)
    raft.commitIndex = meta.index
  }
  // No commit effect: the state machine is there already.
  raft.emittedCommitIndex = raft.commitIndex
  if (raft.leader !== noMember) sendMatch(raft, raft.leader, meta.index)
}

/** Leader: the host finished or gave up a stream. */
export function onSnapshotSent(raft: RaftState, to: MemberId, index: number, ok: boolean): void {
  if (raft.role !== 'leader') return
  assert(index <= raft.log.lastIndex, 'a snapshot of this node is not ahead of its log')
  raft.progress.get(to)?.snapshotSent(index, ok)
}

/** Any node: its own snapshot is durable, so entries may go. */
export function onSnapshotTaken(raft: RaftState, meta: SnapshotMeta, compactTo: number): void {
  assert(compactTo <= meta.index, 'only what the snapshot covers is forgotten')
  assert(meta.index <= raft.commitIndex, 'a snapshot holds committed entries')
  assert(meta.configuration.voters.length > 0, 'a snapshot knows its voters')
  raft.configurations.compactedTo(compactTo)
  raft.log.compactTo(compactTo)
}
