import { plants } from './plant-list.ts'

/** Mistakes in Raft's reads by leader lease. */
export const raftLeasePlants = plants([
  {
    name: 'raft-lease-kept-by-a-stopped-leader',
    mistake: 'The lease is counted in ticks: a leader that stood still believes that no time has passed.',
    breaks: 'Thesis §6.4.1: the lease is bounded by the leader’s clock at the time of the read.',
    consensus: 'raft',
    scenario: 'lease-reads',
    seedsMax: 6,
    edits: [
      {
        file: 'core/raft/leader-lease.ts',
        find: '    this.clockMs = nowMs\n',
        replace:
          '    this.clockMs = this.clockMs === Number.NEGATIVE_INFINITY ? nowMs : Math.min(nowMs, this.clockMs + 20)\n',
      },
    ],
  },
  {
    name: 'raft-lease-from-the-answer',
    mistake: 'The lease counts from when the answers to a heartbeat arrived, not from when it was sent.',
    breaks: 'Thesis §6.4.1: start + election timeout / clock drift bound, with start before the heartbeat.',
    consensus: 'raft',
    scenario: 'lease-reads',
    seedsMax: 8,
    edits: [
      {
        file: 'core/raft/heartbeat.ts',
        find: 'progress.ackedSentMs = raft.lease.sentAt(message.context) ?? progress.ackedSentMs',
        replace: 'progress.ackedSentMs = raft.lease.clockMs',
      },
    ],
  },
  {
    name: 'raft-lease-longer-than-the-pledge',
    mistake: 'The lease lasts as long as elections take on average, not as the least time that a voter waits.',
    breaks: 'Thesis §6.4.1: it must end before any voter may vote again.',
    consensus: 'raft',
    scenario: 'lease-reads',
    seedsMax: 8,
    edits: [
      {
        file: 'core/raft/leader-lease.ts',
        find: 'this.options.electionTimeoutMs / (1 + this.options.clockDriftMax)',
        replace: 'this.options.electionTimeoutMs * 1.5',
      },
    ],
  },
])
