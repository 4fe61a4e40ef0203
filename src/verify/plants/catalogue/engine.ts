import { plants } from './plant-list.ts'

/** Mistakes in the host of the groups and in the coordination engine. */
export const enginePlants = plants([
  {
    name: 'unknown-told-as-not-applied',
    mistake: 'A proposal that was handed to a leader and timed out is reported as certainly not applied.',
    breaks: 'Unknown is not failed.',
    consensus: 'raft',
    scenario: 'bad-messages',
    seedsMax: 8,
    edits: [
      {
        file: 'engine/replication/proposal-queue.ts',
        find: "outcome: handed ? 'unknown' : 'not-applied',",
        replace: "outcome: handed ? 'not-applied' : 'not-applied',",
      },
    ],
  },
  {
    name: 'proposal-applied-twice',
    mistake: 'A follower forwards each proposal twice, for safety.',
    breaks: 'Invariant P1 of engine/replication/proposal-queue.ts: handed to a leader at most once a term.',
    consensus: 'raft',
    scenario: 'flapping',
    seedsMax: 6,
    edits: [
      {
        file: 'engine/replication/proposer.ts',
        find: '      this.port.send(office.leader, messageKind.forward, pieces)\n',
        replace:
          '      this.port.send(office.leader, messageKind.forward, pieces)\n      this.port.send(office.leader, messageKind.forward, pieces)\n',
      },
    ],
  },
  {
    name: 'linearizable-read-from-local-state',
    mistake: 'A linearizable read is answered from the node’s own state at once.',
    breaks: 'Linearizability: a follower may be behind.',
    consensus: 'raft',
    scenario: 'flapping',
    seedsMax: 6,
    edits: [
      {
        file: 'engine/coordination/reads.ts',
        find: '    if (serializable) {\n',
        replace: '    if (serializable || this.group.status().leader !== 0n) {\n',
      },
    ],
  },
  {
    name: 'read-joins-a-round-under-way',
    mistake: 'A read is answered by a read index that was asked for before the read arrived.',
    breaks: 'Invariant R1 of engine/replication/read-queue.ts.',
    consensus: 'raft',
    scenario: 'bad-links',
    seedsMax: 12,
    edits: [
      {
        file: 'engine/replication/read-queue.ts',
        find: '    this.waiting.push({ done, deadlineMs })\n',
        replace:
          '    const [oldest] = this.rounds.keys()\n    if (oldest === undefined) this.waiting.push({ done, deadlineMs })\n    else this.rounds.set(oldest, [...(this.rounds.get(oldest) ?? []), { done, deadlineMs }])\n',
      },
    ],
  },
  {
    name: 'read-answered-before-applied',
    mistake: 'A read does not wait until its index is applied here.',
    breaks: 'Thesis §6.4, step 4.',
    consensus: 'raft',
    scenario: 'bad-links',
    seedsMax: 6,
    edits: [
      {
        file: 'engine/replication/read-queue.ts',
        find: 'if (index <= appliedIndex) this.answer(reads)',
        replace: 'if (index <= Number.MAX_SAFE_INTEGER - appliedIndex) this.answer(reads)',
      },
    ],
  },
  {
    name: 'compaction-drops-a-live-revision',
    mistake: 'Compaction frees the newest version of a key when it is older than the compaction.',
    breaks: 'etcd: the latest version at or before the compacted revision stays.',
    consensus: 'raft',
    scenario: 'flapping',
    seedsMax: 6,
    edits: [
      {
        file: 'storage/mvcc/reclaimer.ts',
        find: 'if (main === this.target || !table.isTombstone(slot) || table.isSuperseded(slot)) return',
        replace: 'if (main === this.target || table.isSuperseded(slot)) return',
      },
    ],
  },
  {
    name: 'watch-loses-the-event-at-the-boundary',
    mistake: 'A watcher that starts at the revision delivered last is taken for up to date.',
    breaks: 'etcd: every event from the start revision on is delivered.',
    consensus: 'raft',
    scenario: 'watch-resume',
    seedsMax: 6,
    edits: [
      {
        file: 'engine/coordination/watch/hub.ts',
        find: '    this.synced.add(watcher)\n    if (watcher.next <= this.positionRevision) this.fallBehind(watcher)\n',
        replace:
          '    this.synced.add(watcher)\n    if (watcher.next < this.positionRevision) this.fallBehind(watcher)\n',
      },
    ],
  },
  {
    name: 'watch-repeats-while-catching-up',
    mistake: 'A watcher that catches up begins each round with the last revision of the one before.',
    breaks: 'etcd: each event once.',
    consensus: 'raft',
    scenario: 'watch-resume',
    seedsMax: 6,
    edits: [
      {
        file: 'engine/coordination/watch/hub.ts',
        find: '      watcher.next = revision + 1\n      watcher.quiet = false\n',
        replace:
          "      watcher.next = watcher.state === 'unsynced' ? revision : revision + 1\n      watcher.quiet = false\n",
      },
    ],
  },
  {
    name: 'watch-skips-what-a-snapshot-brought',
    mistake: 'When a snapshot replaces the state, watchers go on from its revision.',
    breaks: 'No gap: the changes between are still in the history.',
    consensus: 'raft',
    scenario: 'slow-follower-snapshot',
    seedsMax: 8,
    edits: [
      {
        file: 'engine/coordination/watch/hub.ts',
        find: 'if (watcher.next <= this.context.state.store.revision) this.fallBehind(watcher)',
        replace: 'watcher.next = this.context.state.store.revision + 1',
      },
    ],
  },
  {
    name: 'watch-splits-a-revision',
    mistake: 'A slow watcher’s delivery may end in the middle of a revision.',
    breaks: 'etcd: the events of one revision come in one message unless fragments were asked for.',
    consensus: 'raft',
    scenario: 'watch-resume',
    seedsMax: 6,
    edits: [
      {
        file: 'engine/coordination/watch/delivery-round.ts',
        find: '      if (changed !== revision && this.isLarge()) {\n        this.endRevision = changed - 1\n        break\n',
        replace: '      if (event !== undefined) {\n        this.endRevision = changed - 1\n        break\n',
      },
    ],
  },
  {
    name: 'lease-expired-by-a-follower',
    mistake: 'Every node lets leases expire by its own clock, though only the leader hears of renewals.',
    breaks: 'Invariant I1 of engine/coordination/leases/lessor.ts.',
    consensus: 'raft',
    scenario: 'lease-expiry-under-failover',
    seedsMax: 6,
    edits: [
      {
        file: 'engine/coordination/leases/lessor.ts',
        find: "const term = status.role === 'leader' ? status.term : 0",
        replace: 'const term = status.term',
      },
    ],
  },
  {
    name: 'lease-not-extended-at-failover',
    mistake: 'A new leader counts leases from when they were granted: it never heard of their renewals.',
    breaks: 'etcd lessor Promote: all leases begin anew.',
    consensus: 'raft',
    scenario: 'lease-expiry-under-failover',
    seedsMax: 6,
    edits: [
      {
        file: 'engine/coordination/leases/lease-deadlines.ts',
        find: 'item.deadlineMs = nowMs + extendMs + item.ttlSeconds * 1000 + (delaysMs[i] as number)',
        replace: 'item.deadlineMs = Math.min(item.deadlineMs, nowMs + extendMs + (delaysMs[i] as number))',
      },
    ],
  },
  {
    name: 'lease-leaves-a-key-behind',
    mistake: 'When a lease ends, its last key stays.',
    breaks: 'etcd: all keys attached to a lease go with it, in one revision.',
    consensus: 'raft',
    scenario: 'lease-expiry-under-failover',
    seedsMax: 10,
    edits: [
      {
        file: 'engine/coordination/state/apply-lease.ts',
        find: 'for (const key of keys) transaction.delete',
        replace: 'for (const key of keys.slice(0, Math.max(1, keys.length - 1))) transaction.delete',
      },
    ],
  },
  {
    name: 'lease-table-missing-in-snapshot',
    mistake: 'Snapshots hold the keys and not the leases.',
    breaks: 'Raft §7: a snapshot is all of the state.',
    consensus: 'raft',
    scenario: 'rolling-restart',
    seedsMax: 5,
    caughtBy: 'inside',
    edits: [
      {
        file: 'engine/coordination/state/state-snapshot.ts',
        find: 'if (chunk !== undefined) return encodeSection(sections.leases, chunk)',
        replace: 'if (chunk !== undefined) return this.next(chunkBytes)',
      },
    ],
  },
  {
    name: 'compare-holds-for-absent-keys',
    mistake: 'A compare of a revision with a key that was deleted holds.',
    breaks: 'etcd: an absent key has version and revisions 0.',
    consensus: 'raft',
    scenario: 'flapping',
    seedsMax: 6,
    edits: [
      {
        file: 'engine/coordination/state/evaluate-compare.ts',
        find: 'return ref === noRecord ? holdsForNone(compare) : holdsFor(store, compare, ref)',
        replace:
          'return ref === noRecord ? compare.target !== compareTargets.value || holdsForNone(compare) : holdsFor(store, compare, ref)',
      },
    ],
  },
  {
    name: 'apply-depends-on-who-waits',
    mistake: 'A put is stored only on the node whose client waits for its result.',
    breaks: 'Invariant I1 of engine/coordination/state/state-machine.ts: apply is deterministic.',
    consensus: 'raft',
    scenario: 'flapping',
    seedsMax: 6,
    edits: [
      {
        file: 'engine/coordination/state/apply-writes.ts',
        find: "  if (!hasWhatItKeeps(data, request)) return fail('KEY_NOT_FOUND')\n  const previous",
        replace:
          "  if (!hasWhatItKeeps(data, request)) return fail('KEY_NOT_FOUND')\n  if (!wanted && request.value.length % 7 === 3) return unwantedPut\n  const previous",
      },
    ],
  },
])
