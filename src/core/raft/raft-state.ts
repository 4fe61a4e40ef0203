import { assert } from '../../base/index.ts'
import { PendingReads } from '../consensus/index.ts'
import {
  type Configuration,
  type CoreRestore,
  type EffectSink,
  type Entry,
  type MemberId,
  noMember,
  type Role,
} from '../replicated-log.ts'
import { ConfigurationHistory } from './configuration-history.ts'
import { Durability } from './durability.ts'
import { LeaderLease } from './leader-lease.ts'
import type { AppendEntries, RaftMessage } from './message.ts'
import type { RaftOptions, TickRange } from './options.ts'
import type { Progress } from './progress.ts'
import { entryBytes, type RaftLog, restoreLog, standInEntry } from './raft-log.ts'

/** What a {@link RaftState} is made from. */
export interface RaftStateInit {
  readonly id: MemberId
  readonly restore: CoreRestore
  readonly sink: EffectSink<RaftMessage>
  readonly random: (bound: number) => number
  readonly options: RaftOptions
}

/**
 * The whole state of one Raft node and its elementary moves. `raft.ts` owns it; the handlers (one file a message, one
 * for each other concern) work on it. Its invariants S1 to S12 stand in `validate.ts`.
 *
 * Changes of the hard state and of the log are collected and become one persist effect: when a message is sent that
 * must wait for them, or at the end of the step.
 */
export class RaftState {
  readonly id: MemberId
  readonly options: RaftOptions
  readonly sink: EffectSink<RaftMessage>
  readonly log: RaftLog
  readonly configurations: ConfigurationHistory
  readonly durability: Durability
  readonly reads = new PendingReads()
  readonly lease: LeaderLease

  /** The latest term seen; rises only. */
  term: number
  /** Who got this node's vote in `term`. */
  votedFor: MemberId
  role: Role
  /** The leader of `term`, when known. */
  leader: MemberId = noMember
  /** The highest index known committed; rises only. */
  commitIndex: number
  /** The index of the last commit effect; equal to `commitIndex` between steps. */
  emittedCommitIndex: number
  /** The highest index that the state machine reported applied. */
  lastApplied: number
  /**
   * Follower: the log is the leader's of `term` up to here, durable or not; 0 when not known. It stands still while more
   * than `maxUndurableBytes` wait for the disk.
   */
  receivedIndex = 0
  /** Ticks since construction. */
  tickCount = 0
  /** Follower: ticks since the leader was heard or a vote given. Leader: since the quorum was checked. */
  electionElapsedTicks = 0
  /** When `electionElapsedTicks` reaches this, a voter campaigns: drawn from [t, 2t) (Raft §5.2). */
  electionDeadlineTicks: number
  /** Leader: ticks since the last heartbeats. */
  heartbeatElapsedTicks = 0

  /** Candidates: the votes heard, the own one included once it counts. */
  readonly votes = new Map<MemberId, boolean>()
  /** Candidate: the persist that makes the own vote durable; it counts afterwards. 0: none is awaited. */
  ownVotePersistId = 0
  /** The leader whose connection was lost, until a leader is heard again: see `connection-lost.ts`. */
  lostLeader: MemberId = noMember
  /** Ticks to the next quick attempt; 0: none is planned. */
  quickCountdownTicks = 0
  quickAttemptsLeft = 0

  /** Leader: the other members. */
  readonly progress = new Map<MemberId, Progress>()
  /** Leader: who shall lead next. */
  transferee: MemberId = noMember
  /** Leader: the bytes of the entries after `commitIndex`. */
  uncommittedBytes = 0
  /** Leader: the append sent last; the same object goes to every follower that needs the same. */
  lastAppend: AppendEntries | undefined = undefined

  private readonly random: (bound: number) => number
  private hardStateChanged = false
  /** Entries of the log that no persist effect carries yet, always its end. */
  private unpersisted: readonly Entry[] = []

  constructor(init: RaftStateInit) {
    const { restore } = init
    assert(init.id !== noMember, 'a member has an id')
    this.id = init.id
    this.options = init.options
    this.sink = init.sink
    this.random = init.random
    this.lease = new LeaderLease(init.options.leaseReads)
    const { log, standInDue } = restoreLog(restore)
    this.log = log
    this.term = restore.hardState.term
    this.votedFor = restore.hardState.votedFor
    // A snapshot can become durable before the term that brought it; nothing was voted for in that term.
    if (this.term < log.lastTerm) this.enterTerm(log.lastTerm)
    this.commitIndex = restore.snapshot.index
    this.configurations = new ConfigurationHistory(restore.snapshot.index, restore.snapshot.configuration)
    if (log.lastIndex > restore.snapshot.index) {
      this.configurations.appended(log.slice(restore.snapshot.index + 1, log.lastIndex))
    }
    this.durability = new Durability(log.lastIndex)
    this.emittedCommitIndex = restore.snapshot.index
    this.lastApplied = restore.snapshot.index
    this.role = this.followingRole
    this.electionDeadlineTicks = this.drawElectionDeadline()
    // Contexts of an earlier life must never match: an old answer would carry an old read index.
    this.reads.lastContext = this.random(0x10_0000) * 0x1_0000_0000 + this.random(0x1_0000_0000)
    if (standInDue) this.unpersisted = [standInEntry(restore.snapshot.index, restore.snapshot.term)]
  }

  get configuration(): Configuration {
    return this.configurations.current
  }

  /** A follower without a vote is called a learner, once it knows that it is to have none: see `isPromotable`. */
  get followingRole(): 'follower' | 'learner' {
    return this.configurations.isVoterSince(this.id, this.commitIndex) ? 'follower' : 'learner'
  }

  /** A draw from `range`, both ends included. */
  draw(range: TickRange): number {
    return range.min + this.random(range.max - range.min + 1)
  }

  /** Raft §5.2: time-outs differ, so that votes rarely split. */
  drawElectionDeadline(): number {
    return this.options.electionTimeoutTicks + this.random(this.options.electionTimeoutTicks)
  }

  /** Enters `term`, without a vote given. */
  enterTerm(term: number): void {
    assert(term > this.term, 'terms rise')
    this.term = term
    this.votedFor = noMember
    this.receivedIndex = 0
    this.hardStateChanged = true
  }

  voteFor(member: MemberId): void {
    assert(this.votedFor === noMember || this.votedFor === member, 'one vote a term')
    if (this.votedFor === member) return
    this.votedFor = member
    this.hardStateChanged = true
  }

  /** A leader was heard or chosen: no quick election is due (Q1 in `connection-lost.ts`). */
  forgetLostLeader(): void {
    this.lostLeader = noMember
    this.quickCountdownTicks = 0
    this.quickAttemptsLeft = 0
  }

  /** Appends to the log, in memory now, and with the next persist effect on disk. */
  append(entries: readonly Entry[]): void {
    this.log.append(entries)
    this.unpersisted = this.unpersisted.length === 0 ? entries : [...this.unpersisted, ...entries]
  }

  truncateFrom(index: number): void {
    assert(index > this.commitIndex, 'a committed entry is never truncated')
    assert(this.unpersisted.length === 0, 'a step truncates before it appends')
    this.log.truncateFrom(index)
    this.durability.truncatedFrom(index)
  }

  /** The log is replaced by a durable snapshot. The stand-in makes what the disk holds void: see `raft-log.ts`. */
  resetLog(index: number, term: number): void {
    this.log.reset(index, term)
    this.durability.resetTo(index)
    this.unpersisted = [standInEntry(index, term)]
  }

  /** Issues what is not yet part of a persist effect, and returns the id to wait for (0: all is durable already). */
  flushPersist(): number {
    if (this.hardStateChanged || this.unpersisted.length > 0) {
      let bytes = 0
      for (const entry of this.unpersisted) bytes += entryBytes(entry)
      const id = this.durability.issued(this.log.lastIndex, bytes)
      const hardState = this.hardStateChanged ? { term: this.term, votedFor: this.votedFor } : undefined
      const entries = this.unpersisted
      this.hardStateChanged = false
      this.unpersisted = []
      this.sink({ type: 'persist', id, hardState, entries })
    }
    return this.durability.fence
  }

  /** Sends at once, in parallel with the disk. */
  send(to: MemberId, message: RaftMessage): void {
    this.sink({ type: 'send', to, message, afterPersist: 0 })
  }

  /** Sends when everything up to now is durable. */
  sendDurably(to: MemberId, message: RaftMessage): void {
    this.sink({ type: 'send', to, message, afterPersist: this.flushPersist() })
  }
}
