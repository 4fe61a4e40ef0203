import { plants } from './plant-list.ts'

/** Mistakes in Multi-Paxos. */
export const paxosPlants = plants([
  {
    name: 'paxos-promise-forgotten',
    mistake: 'A restarted acceptor knows what it accepted, and not what it promised.',
    breaks: 'Paxos Made Simple §2.5: an acceptor must remember the highest ballot that it promised, even if it fails.',
    consensus: 'paxos',
    scenario: 'forgetful-voter',
    seedsMax: 6,
    edits: [
      {
        file: 'core/paxos/paxos-state.ts',
        find: '    this.round = restore.hardState.term\n    this.promisedTo = restore.hardState.votedFor\n',
        replace:
          '    this.round = restored.log.ballotAt(restored.log.lastIndex)\n    this.promisedTo = restore.hardState.votedFor === this.id ? noMember : noMember\n',
      },
    ],
  },
  {
    name: 'paxos-own-value-over-the-highest',
    mistake: 'A new proposer fills the open slots with its own values, whatever the promises report.',
    breaks: 'Paxos Made Simple §2.2, P2c: the value of the highest-numbered proposal that was reported.',
    consensus: 'paxos',
    scenario: 'crash-leader',
    seedsMax: 6,
    edits: [
      {
        file: 'core/paxos/phase-one.ts',
        find: 'recovery.at(index)?.value ?? noop(paxos, index)',
        replace: 'noop(paxos, index)',
      },
    ],
  },
  {
    name: 'paxos-any-reported-value',
    mistake: 'A new proposer takes the value that was reported first, not that of the highest ballot.',
    breaks: 'Paxos Made Simple §2.2, P2c.',
    consensus: 'paxos',
    scenario: 'long-lost-log',
    seedsMax: 16,
    edits: [
      {
        file: 'core/paxos/recovery.ts',
        find: 'const higher = higherProposal(this.highest.get(index), slot)',
        replace: 'const higher = this.highest.get(index) ?? higherProposal(undefined, slot)',
      },
    ],
  },
  {
    name: 'paxos-ballot-reused',
    mistake: 'A proposer that restarts campaigns in the ballot that it had used before. (Pre-votes are off.)',
    breaks: 'Paxos Made Simple §2.5: no two proposals are ever issued with the same number.',
    consensus: 'paxos',
    scenario: 'candidate-forgets',
    seedsMax: 20,
    edits: [
      {
        file: 'core/paxos/paxos-state.ts',
        find: '    this.round = restore.hardState.term\n    this.promisedTo = restore.hardState.votedFor\n',
        replace:
          '    const isOwn = restore.hardState.votedFor === this.id && restore.hardState.term > restore.snapshot.term\n    this.round = restore.hardState.term - (isOwn ? 1 : 0)\n    this.promisedTo = isOwn ? noMember : restore.hardState.votedFor\n',
      },
      { file: 'core/paxos/options.ts', find: '  preVote: true,', replace: '  preVote: false,' },
    ],
  },
  {
    name: 'paxos-ballot-used-before-it-is-durable',
    mistake: 'A proposer prepares a ballot, and counts its own promise, before its disk knows of it.',
    breaks: 'Paxos Made Simple §2.5: after a crash it uses the same number for another proposal.',
    consensus: 'paxos',
    scenario: 'candidate-forgets',
    seedsMax: 6,
    edits: [
      {
        file: 'core/paxos/phase-one.ts',
        find: "  paxos.sendDurably(to, { type: 'prepare',",
        replace: "  paxos.send(to, { type: 'prepare',",
      },
      {
        file: 'core/paxos/phase-one.ts',
        find: '  paxos.ownPromisePersistId = paxos.flushPersist()\n  askForPromises(paxos, transfer)\n',
        replace:
          '  paxos.flushPersist()\n  askForPromises(paxos, transfer)\n  paxos.recovery.ownPromiseCounts(paxos.id, paxos.chosenIndex)\n  advancePhaseOne(paxos)\n',
      },
    ],
  },
  {
    name: 'paxos-slots-applied-over-a-gap',
    mistake: 'That an acceptor has accepted a slot is taken for all slots before it, too.',
    breaks: 'Paxos Made Simple §3: command i is executed when all before it are chosen.',
    consensus: 'paxos',
    scenario: 'stale-messages',
    seedsMax: 16,
    edits: [
      {
        file: 'core/paxos/progress.ts',
        find: '    this.raiseMatch(through)\n',
        replace: '    this.raiseMatch(Math.max(through, last))\n',
      },
      {
        file: 'core/paxos/accept.ts',
        find: '  toldChosen(paxos, message.chosenIndex)\n',
        replace: '  toldChosen(paxos, Math.min(message.chosenIndex, paxos.acceptedThrough))\n',
      },
    ],
  },
  {
    name: 'paxos-accepted-before-sync',
    mistake: 'An acceptor says that it accepted before its disk has it.',
    breaks: 'Paxos Made Simple §2.5: stable storage is updated before the response is sent.',
    consensus: 'paxos',
    scenario: 'follower-forgets',
    seedsMax: 6,
    edits: [
      {
        file: 'core/paxos/accept.ts',
        find: "  paxos.sendDurably(to, { type: 'accepted', round, firstSlot, lastSlot, throughSlot })",
        replace:
          "  paxos.flushPersist()\n  paxos.send(to, { type: 'accepted', round, firstSlot, lastSlot, throughSlot })",
      },
    ],
  },
  {
    name: 'paxos-leader-counts-itself-before-sync',
    mistake: 'The leader counts its own acceptance before its disk has it.',
    breaks: 'An acceptance is one when it is on stable storage.',
    consensus: 'paxos',
    scenario: 'leader-forgets',
    seedsMax: 6,
    edits: [
      {
        file: 'core/paxos/chosen.ts',
        find: 'if (member === paxos.id) return paxos.durability.durableThrough(paxos.round)',
        replace: 'if (member === paxos.id) return paxos.acceptedThrough',
      },
    ],
  },
  {
    name: 'paxos-accept-below-the-promise',
    mistake:
      'An acceptor accepts from whoever asks, whatever it has promised meanwhile. (It promises to whoever asks, as in the paper.)',
    breaks: 'Paxos Made Simple §2.2, P1a.',
    consensus: 'paxos',
    scenario: 'lease-reads',
    seedsMax: 10,
    edits: [
      {
        file: 'core/paxos/round-gate.ts',
        find: '    answerLowerRound(paxos, from, message)\n    return false\n',
        replace: "    return message.type === 'accept'\n",
      },
      {
        file: 'core/paxos/round-gate.ts',
        find: '  if (!paxos.options.checkQuorum || paxos.leader === noMember) return false\n',
        replace: '  if (paxos.leader >= noMember) return false\n',
      },
      {
        file: 'core/paxos/message-dispatch.ts',
        find: 'if (isLeadersWord(message) && contradictsLeader(paxos, from)) return',
        replace: "if (message.type !== 'accept' && isLeadersWord(message) && contradictsLeader(paxos, from)) return",
      },
      {
        file: 'core/paxos/accept.ts',
        find: '  heardLeader(paxos, from)\n  const { firstSlot, entries, round } = message\n  const lastSlot = firstSlot + entries.length - 1\n',
        replace:
          "  const { firstSlot, entries, round } = message\n  const lastSlot = firstSlot + entries.length - 1\n  if (round < paxos.round) {\n    for (const entry of entries) if (entry.index > paxos.chosenIndex && paxos.log.ballotAt(entry.index) < round) paxos.accept({ ballot: round, value: entry })\n    paxos.sendDurably(from, { type: 'accepted', round, firstSlot, lastSlot, throughSlot: 0 })\n    return\n  }\n  heardLeader(paxos, from)\n",
      },
    ],
  },
  {
    name: 'paxos-two-proposers-in-a-round',
    mistake: 'An acceptor promises a round to everybody who asks. (Pre-votes are off.)',
    breaks: 'Paxos Made Simple §2.5: different proposers choose their numbers from disjoint sets.',
    consensus: 'paxos',
    scenario: 'forgetful-voter',
    seedsMax: 6,
    edits: [
      {
        file: 'core/paxos/prepare.ts',
        find: 'const isFirst = paxos.promisedTo === noMember || paxos.promisedTo === from',
        replace: 'const isFirst = true',
      },
      {
        file: 'core/paxos/paxos-state.ts',
        find: "    assert(this.promisedTo === noMember || this.promisedTo === proposer, 'a round is promised to one proposer')\n",
        replace: '',
      },
      { file: 'core/paxos/options.ts', find: '  preVote: true,', replace: '  preVote: false,' },
    ],
  },
  {
    name: 'paxos-promise-not-persisted',
    mistake: 'The round is durable before a promise is given, the one whom it was given to is not.',
    breaks: 'A round names one leader: after a restart the same round is promised to another proposer.',
    consensus: 'paxos',
    scenario: 'forgetful-voter',
    seedsMax: 6,
    edits: [
      {
        file: 'core/paxos/paxos-state.ts',
        find: '{ term: this.round, votedFor: this.promisedTo }',
        replace: '{ term: this.round, votedFor: noMember }',
      },
      { file: 'core/paxos/options.ts', find: '  preVote: true,', replace: '  preVote: false,' },
    ],
  },
  {
    name: 'paxos-configuration-before-it-is-chosen',
    mistake: 'A configuration decides on the next slots as soon as it is proposed.',
    breaks: 'Paxos Made Simple §3: command i + α is chosen by the configuration after command i is executed.',
    consensus: 'paxos',
    scenario: 'hasty-changes',
    seedsMax: 6,
    edits: [
      {
        file: 'core/paxos/phase-one.ts',
        find: '  if (configurationOf(entry) !== undefined) paxos.pendingConfigurationIndex = entry.index\n',
        replace: '  if (configurationOf(entry) !== undefined) paxos.configurations.chosen(entry)\n',
      },
    ],
  },
  {
    name: 'paxos-read-without-confirming',
    mistake: 'A leader answers reads without asking whether a higher round has been promised.',
    breaks: 'Linearizability: a deposed leader that does not know yet serves stale data.',
    consensus: 'paxos',
    scenario: 'lease-reads',
    seedsMax: 10,
    edits: [
      {
        file: 'core/paxos/read-index.ts',
        find: 'if (isSoleVoter(paxos.configuration, paxos.id)) confirmReads(paxos)\n  else broadcastHeartbeat(paxos)',
        replace:
          'for (const progress of paxos.progress.values()) progress.ackedContext = paxos.reads.lastContext\n  if (paxos.isProposing || isSoleVoter(paxos.configuration, paxos.id)) confirmReads(paxos)\n  else broadcastHeartbeat(paxos)',
      },
    ],
  },
  {
    name: 'paxos-read-before-the-opening-value',
    mistake: 'A new leader serves reads before it knows what the leader before it had chosen.',
    breaks: 'Linearizability: what a caller was told may not be known here yet.',
    consensus: 'paxos',
    scenario: 'crash-leader',
    seedsMax: 10,
    edits: [
      {
        file: 'core/paxos/read-index.ts',
        find: "if (paxos.role !== 'leader' || !paxos.isCovered || paxos.chosenIndex < paxos.openingIndex) return",
        replace: "if (paxos.role !== 'leader' || !paxos.isCovered) return",
      },
    ],
  },
])
