import {
  type CoreEffect,
  type CoreEvent,
  type CoreRestore,
  type Entry,
  type MemberId,
  noMember,
} from '../replicated-log.ts'
import type { RaftMessage } from './message.ts'
import type { RaftOptions } from './options.ts'
import { Raft } from './raft.ts'

/** One core on a bench: events in by hand, the exact effects out. Member 1 of three unless told otherwise. */
export class Bench {
  readonly raft: Raft
  private effects: CoreEffect<RaftMessage>[] = []
  private lastPersistId = 0
  nowMs = 0

  constructor(
    setup: { restore?: Partial<CoreRestore>; id?: MemberId; options?: Partial<RaftOptions>; draw?: number } = {},
  ) {
    const configuration = { voters: [1n, 2n, 3n], outgoing: [], learners: [] }
    this.raft = new Raft({
      id: setup.id ?? 1n,
      restore: {
        hardState: { term: 0, votedFor: noMember },
        snapshot: { index: 0, term: 0, configuration },
        entries: [],
        ...setup.restore,
      },
      sink: (effect) => {
        this.effects.push(effect)
        if (effect.type === 'persist') this.lastPersistId = effect.id
      },
      random: (bound) => (setup.draw ?? 0) % bound,
      options: { heartbeatTicks: 1, electionTimeoutTicks: 10, ...setup.options },
    })
  }

  step(event: CoreEvent<RaftMessage>): CoreEffect<RaftMessage>[] {
    this.raft.step(event)
    this.raft.validate()
    return this.take()
  }

  hear(from: MemberId, message: RaftMessage): CoreEffect<RaftMessage>[] {
    return this.step({ type: 'message', from, message })
  }

  propose(...payloads: string[]): CoreEffect<RaftMessage>[] {
    this.raft.propose(payloads.map((payload) => Buffer.from(payload)))
    this.raft.validate()
    return this.take()
  }

  /** Each tick is a millisecond. */
  tick(count: number): CoreEffect<RaftMessage>[] {
    return Array.from({ length: count }, () => this.step({ type: 'tick', nowMs: ++this.nowMs })).flat()
  }

  /** Everything issued so far is durable. */
  persisted(): CoreEffect<RaftMessage>[] {
    return this.step({ type: 'persisted', id: this.lastPersistId })
  }

  /** Wins an election with the vote of 2; its opening entry is not durable anywhere yet. */
  lead(): CoreEffect<RaftMessage>[] {
    this.tick(10)
    const term = this.raft.status().term + 1
    this.hear(2n, { type: 'preVoteResponse', term, granted: true })
    this.persisted()
    return this.hear(2n, { type: 'requestVoteResponse', term, granted: true })
  }

  /** Answers an append of the current term. */
  acknowledge(from: MemberId, index: number): CoreEffect<RaftMessage>[] {
    const { term } = this.raft.status()
    return this.hear(from, { type: 'appendEntriesResponse', term, success: true, index, hintIndex: 0, hintTerm: 0 })
  }

  private take(): CoreEffect<RaftMessage>[] {
    const effects = this.effects
    this.effects = []
    return effects
  }
}

/** The messages among `effects`, of one type. */
export function sent<T extends RaftMessage['type']>(
  effects: readonly CoreEffect<RaftMessage>[],
  type: T,
): { to: MemberId; message: Extract<RaftMessage, { type: T }>; afterPersist: number }[] {
  return effects.flatMap((effect) => {
    if (effect.type !== 'send' || effect.message.type !== type) return []
    const message = effect.message as Extract<RaftMessage, { type: T }>
    return [{ to: effect.to, message, afterPersist: effect.afterPersist }]
  })
}

/** The effects of one type. */
export function only<T extends CoreEffect<RaftMessage>['type']>(
  effects: readonly CoreEffect<RaftMessage>[],
  type: T,
): Extract<CoreEffect<RaftMessage>, { type: T }>[] {
  return effects.filter((effect): effect is Extract<CoreEffect<RaftMessage>, { type: T }> => effect.type === type)
}

/** Commands from `firstIndex` with these terms. */
export function commands(firstIndex: number, ...terms: number[]): Entry[] {
  return terms.map((term, i) => {
    return { index: firstIndex + i, term, kind: 'command', payload: Buffer.from(`${firstIndex + i}/${term}`) } as const
  })
}

/** An append of `term` with entries of `terms` after `prevLogIndex`. */
export function append(
  term: number,
  prevLogIndex: number,
  prevLogTerm: number,
  terms: readonly number[],
  commitIndex = 0,
): RaftMessage {
  const entries = commands(prevLogIndex + 1, ...terms)
  return { type: 'appendEntries', term, prevLogIndex, prevLogTerm, commitIndex, entries }
}

export function voteRequest(
  term: number,
  lastLogIndex: number,
  lastLogTerm: number,
  lostLeader = noMember,
): RaftMessage {
  return { type: 'requestVote', term, lastLogIndex, lastLogTerm, transfer: false, lostLeader }
}

export function preVoteRequest(
  term: number,
  lastLogIndex: number,
  lastLogTerm: number,
  lostLeader = noMember,
): RaftMessage {
  return { type: 'preVote', term, lastLogIndex, lastLogTerm, lostLeader }
}
