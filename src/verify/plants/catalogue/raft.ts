import { plants } from './plant-list.ts'

/** Mistakes in Raft. */
export const raftPlants = plants([
  {
    name: 'raft-vote-not-persisted',
    mistake:
      'The term is durable before a vote is answered, the vote itself is not. (Pre-votes are off, as in the paper.)',
    breaks:
      'Raft §5.2, figure 2: votedFor is persistent state. After a restart a second vote is given in the same term.',
    consensus: 'raft',
    scenario: 'forgetful-voter',
    seedsMax: 6,
    edits: [
      {
        file: 'core/raft/raft-state.ts',
        find: '{ term: this.term, votedFor: this.votedFor }',
        replace: '{ term: this.term, votedFor: noMember }',
      },
      { file: 'core/raft/options.ts', find: '  preVote: true,', replace: '  preVote: false,' },
    ],
  },
  {
    name: 'raft-votes-twice-in-a-term',
    mistake: 'A voter that knows of no leader grants every request. (Pre-votes are off, as in the paper.)',
    breaks: 'Raft §5.2: at most one vote a term, first come first served.',
    consensus: 'raft',
    scenario: 'forgetful-voter',
    seedsMax: 6,
    edits: [
      {
        file: 'core/raft/request-vote.ts',
        find: 'const free = raft.votedFor === noMember && raft.leader === noMember',
        replace: 'const free = raft.leader === noMember',
      },
      {
        file: 'core/raft/raft-state.ts',
        find: "    assert(this.votedFor === noMember || this.votedFor === member, 'one vote a term')\n",
        replace: '',
      },
      { file: 'core/raft/options.ts', find: '  preVote: true,', replace: '  preVote: false,' },
    ],
  },
  {
    name: 'raft-commit-earlier-term-by-counting',
    mistake: 'An entry of an earlier term is committed because a majority stores it. (Each append carries one entry.)',
    breaks: 'Raft §5.4.2, figure 8.',
    consensus: 'raft',
    scenario: 'figure-8-exact',
    seedsMax: 6,
    edits: [
      {
        file: 'core/raft/commit.ts',
        find: 'index > raft.commitIndex && raft.log.termAt(index) === raft.term',
        replace: 'index > raft.commitIndex',
      },
      { file: 'core/raft/options.ts', find: 'maxAppendBytes: 1 << 20', replace: 'maxAppendBytes: 1' },
    ],
  },
  {
    name: 'raft-acknowledge-before-sync',
    mistake: 'A follower acknowledges entries that its disk has not synced.',
    breaks: 'Durable before acknowledged (Raft figure 2: respond after updating stable storage).',
    consensus: 'raft',
    scenario: 'follower-forgets',
    seedsMax: 6,
    edits: [
      {
        file: 'core/raft/append-entries.ts',
        find: "  raft.sendDurably(to, {\n    type: 'appendEntriesResponse',",
        replace: "  raft.flushPersist()\n  raft.send(to, {\n    type: 'appendEntriesResponse',",
      },
    ],
  },
  {
    name: 'raft-leader-counts-itself-before-sync',
    mistake: 'The leader counts its own copy of an entry before its disk has it.',
    breaks: 'Thesis §10.2.1: the leader may not count itself before its own write completes.',
    consensus: 'raft',
    scenario: 'leader-forgets',
    seedsMax: 6,
    edits: [
      {
        file: 'core/raft/commit.ts',
        find: 'if (member === raft.id) return raft.durability.durableIndex',
        replace: 'if (member === raft.id) return raft.log.lastIndex',
      },
    ],
  },
  {
    name: 'raft-no-election-restriction',
    mistake: 'Votes are given without a look at how up-to-date the candidate’s log is.',
    breaks: 'Raft §5.4.1.',
    consensus: 'raft',
    scenario: 'stale-messages',
    seedsMax: 8,
    edits: [
      {
        file: 'core/raft/raft-log.ts',
        find: 'return term > this.lastTerm || (term === this.lastTerm && index >= this.lastIndex)',
        replace: 'return term >= 0 && index >= 0',
      },
    ],
  },
  {
    name: 'raft-restriction-by-length-alone',
    mistake: 'The longer log wins a vote, whatever the terms of its last entries.',
    breaks: 'Raft §5.4.1: the later last term is more up-to-date, length decides only between equal terms.',
    consensus: 'raft',
    scenario: 'long-lost-log',
    seedsMax: 6,
    edits: [
      {
        file: 'core/raft/raft-log.ts',
        find: 'return term > this.lastTerm || (term === this.lastTerm && index >= this.lastIndex)',
        replace: 'return term >= 0 && index >= this.lastIndex',
      },
    ],
  },
  {
    name: 'raft-truncate-on-stale-append',
    mistake: 'An append that carries nothing new removes the entries after it.',
    breaks: 'Raft §5.3, figure 2 step 3: only a conflicting entry removes others; a delayed append must not.',
    consensus: 'raft',
    scenario: 'stale-messages',
    seedsMax: 20,
    edits: [
      {
        file: 'core/raft/append-entries.ts',
        find: '  if (fresh === entries.length) return\n',
        replace:
          '  if (fresh === entries.length) {\n    const after = (entries.at(-1)?.index ?? raft.log.lastIndex) + 1\n    if (after <= raft.log.lastIndex && after > raft.commitIndex) truncateFrom(raft, after)\n    return\n  }\n',
      },
    ],
  },
  {
    name: 'raft-previous-term-unchecked',
    mistake: 'A follower checks that it has an entry before an append, not that it has the same one.',
    breaks: 'Raft §5.3, the log matching property.',
    consensus: 'raft',
    scenario: 'long-lost-log',
    seedsMax: 6,
    edits: [
      {
        file: 'core/raft/append-entries.ts',
        find: 'raft.log.termAt(message.prevLogIndex) !== message.prevLogTerm',
        replace: 'raft.log.termAt(message.prevLogIndex) === undefined',
      },
    ],
  },
  {
    name: 'raft-commit-from-a-refused-append',
    mistake:
      'A follower takes over the commit index of an append that it refuses: its own last entries may be another leader’s.',
    breaks:
      'Raft figure 2, AppendEntries steps 2 and 5: min(leaderCommit, index of last new entry), and only after the match.',
    consensus: 'raft',
    scenario: 'long-lost-log',
    seedsMax: 6,
    edits: [
      {
        file: 'core/raft/append-entries.ts',
        find: '    refuse(raft, from, message)\n    return\n',
        replace:
          '    advanceCommit(raft, Math.min(message.commitIndex, raft.log.lastIndex))\n    refuse(raft, from, message)\n    return\n',
      },
    ],
  },
  {
    name: 'raft-heartbeat-commits-unmatched',
    mistake: 'Heartbeats tell the commit index to followers that are not known to have the entries.',
    breaks: 'Raft §5.3: the follower’s entries up to there may be another leader’s.',
    consensus: 'raft',
    scenario: 'figure-8-exact',
    seedsMax: 8,
    edits: [
      {
        file: 'core/raft/heartbeat.ts',
        find: 'Math.min(progress.matchIndex, raft.commitIndex)',
        replace: 'raft.commitIndex',
      },
      {
        file: 'core/raft/heartbeat.ts',
        find: 'if (message.commitIndex <= raft.log.lastIndex) advanceCommit(raft, message.commitIndex)',
        replace: 'advanceCommit(raft, Math.min(message.commitIndex, raft.log.lastIndex))',
      },
    ],
  },
  {
    name: 'raft-read-without-confirming',
    mistake: 'A leader answers reads without asking whether it still leads.',
    breaks: 'Raft §8, thesis §6.4: a deposed leader that does not know yet serves stale data.',
    consensus: 'raft',
    scenario: 'leader-pause',
    seedsMax: 6,
    edits: [
      {
        file: 'core/raft/read-answers.ts',
        find: 'committedIndex(raft.configuration, (member) => ackedContextOf(raft, member))',
        replace:
          'committedIndex(raft.configuration, (member) => Math.max(ackedContextOf(raft, member), raft.reads.lastContext))',
      },
      {
        file: 'core/raft/read-index.ts',
        find: '  else broadcastHeartbeat(raft)\n',
        replace: '  else {\n    broadcastHeartbeat(raft)\n    confirmReads(raft)\n  }\n',
      },
    ],
  },
  {
    name: 'raft-read-before-own-commit',
    mistake: 'A new leader serves reads before it has committed an entry of its own term.',
    breaks: 'Raft §8: until then it does not know which entries are committed.',
    consensus: 'raft',
    scenario: 'crash-leader',
    seedsMax: 6,
    edits: [
      {
        file: 'core/raft/read-index.ts',
        find: 'return raft.log.termAt(raft.commitIndex) === raft.term',
        replace: 'return raft.commitIndex >= 0',
      },
    ],
  },
  {
    name: 'raft-campaign-before-term-is-durable',
    mistake: 'A candidate asks for votes, and counts its own, before its term is on disk.',
    breaks: 'Raft figure 2: currentTerm is persistent. After a crash it campaigns in the same term with another log.',
    consensus: 'raft',
    scenario: 'candidate-forgets',
    seedsMax: 6,
    edits: [
      {
        file: 'core/raft/election.ts',
        find: "    raft.sendDurably(voter, { type: 'requestVote'",
        replace: "    raft.send(voter, { type: 'requestVote'",
      },
      {
        file: 'core/raft/election.ts',
        find: '  raft.ownVotePersistId = raft.flushPersist()\n',
        replace: '  raft.flushPersist()\n  countVote(raft, raft.id, true)\n',
      },
    ],
  },
  {
    name: 'raft-truncated-entries-vouched-for',
    mistake: 'A disk write that a truncation overtook still vouches for the entries that were removed.',
    breaks: 'Invariant D2 of core/raft/durability.ts.',
    consensus: 'raft',
    scenario: 'forgetful-voter',
    seedsMax: 6,
    caughtBy: 'inside',
    edits: [
      {
        file: 'core/raft/durability.ts',
        find: '    this.durableIndex = Math.min(this.durableIndex, index - 1)\n    for (const persist of this.pending) persist.lastIndex = Math.min(persist.lastIndex, index - 1)\n',
        replace: '    this.durableIndex = Math.min(this.durableIndex, index - 1)\n',
      },
    ],
  },
  {
    name: 'raft-snapshot-index-off-by-one',
    mistake: 'A snapshot claims to hold one entry less than it does, so that entry is applied twice after a restart.',
    breaks: 'Raft §7: last included index.',
    consensus: 'raft',
    scenario: 'rolling-restart',
    seedsMax: 5,
    caughtBy: 'inside',
    edits: [
      {
        file: 'engine/replication/replicated-group.ts',
        find: '    const index = this.applying.appliedIndex\n',
        replace: '    const index = Math.max(1, this.applying.appliedIndex - 1)\n',
      },
    ],
  },
])
