import { plants } from './plant-list.ts'

/** Mistakes in Raft's changes of members. */
export const raftMembershipPlants = plants([
  {
    name: 'raft-overlapping-changes',
    mistake: 'A second change of the members begins while the first is not committed.',
    breaks: 'Raft §6, thesis §4.1: one change at a time, or two majorities need not meet.',
    consensus: 'raft',
    scenario: 'hasty-changes',
    seedsMax: 6,
    edits: [
      {
        file: 'core/raft/configuration-change.ts',
        find: "  if (!isSettled(raft) || !isCommittedHere(raft)) return { ok: false, reason: 'changing', leader }\n",
        replace: '',
      },
    ],
  },
  {
    name: 'raft-no-joint-phase',
    mistake: 'A change of several voters goes from the old configuration straight to the new one.',
    breaks: 'Raft §6, figure 10: a majority of the old one and one of the new one can decide at the same time.',
    consensus: 'raft',
    scenario: 'hasty-changes',
    seedsMax: 6,
    edits: [
      {
        file: 'core/raft/configuration-change.ts',
        find: 'const outgoing = sameVoters ? [] : configuration.voters',
        replace: 'const outgoing = sameVoters ? configuration.voters.slice(0, 0) : []',
      },
    ],
  },
  {
    name: 'raft-joint-needs-one-majority',
    mistake: 'While a change is under way, the majority of the new voters suffices.',
    breaks: 'Raft §6: agreement needs separate majorities from both the old and the new configuration.',
    consensus: 'raft',
    scenario: 'hasty-changes',
    seedsMax: 6,
    edits: [
      {
        file: 'core/quorum/joint.ts',
        find: 'Math.min(majorityIndex(configuration.voters, indexOf), majorityIndex(configuration.outgoing, indexOf))',
        replace: 'majorityIndex(configuration.voters, indexOf)',
      },
      {
        file: 'core/quorum/joint.ts',
        find: 'const outgoing = majorityVote(configuration.outgoing, voteOf)',
        replace: 'const outgoing = majorityVote(configuration.outgoing.slice(0, 0), voteOf)',
      },
    ],
  },
  {
    name: 'raft-configuration-used-at-commit',
    mistake: 'A configuration counts on a node from when it knows it committed, and there is no joint phase.',
    breaks: 'Raft §6: a server always uses the latest configuration in its log, committed or not.',
    consensus: 'raft',
    scenario: 'membership-under-fire',
    seedsMax: 12,
    edits: [
      {
        file: 'core/raft/configuration-change.ts',
        find: 'const outgoing = sameVoters ? [] : configuration.voters',
        replace: 'const outgoing = sameVoters ? configuration.voters.slice(0, 0) : []',
      },
      {
        file: 'core/raft/raft-state.ts',
        find: '    return this.configurations.current\n',
        replace: '    return this.configurations.at(this.commitIndex)\n',
      },
    ],
  },
  {
    name: 'raft-learner-counted',
    mistake: 'What a learner has stored counts towards the majority.',
    breaks: 'Thesis §4.2.1: non-voting members are not counted for commitment.',
    consensus: 'raft',
    scenario: 'learner-side',
    seedsMax: 6,
    edits: [
      {
        file: 'core/quorum/joint.ts',
        find: 'majorityIndex(configuration.voters, indexOf), majorityIndex(',
        replace:
          '[...configuration.voters, ...configuration.learners].map(indexOf).sort((a, b) => b - a)[Math.floor(configuration.voters.length / 2)] ?? 0, majorityIndex(',
      },
    ],
  },
  {
    name: 'raft-removed-member-still-counted',
    mistake: 'The new configuration keeps the voters that the change was to remove.',
    breaks: 'Raft §6: once C_new is committed, servers that are not in it can be shut down.',
    consensus: 'raft',
    scenario: 'membership-under-fire',
    seedsMax: 8,
    edits: [
      {
        file: 'core/raft/configuration-change.ts',
        find: 'voters: configuration.voters, outgoing: [], learners',
        replace: 'voters: [...new Set([...configuration.voters, ...configuration.outgoing])], outgoing: [], learners',
      },
    ],
  },
])
