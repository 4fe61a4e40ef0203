/**
 * One consensus group on one node: carries out what its core asks for, applies what is committed, and answers the
 * callers. Created by the host; used through the `Group` interface.
 *
 * - G1  Effects are carried out in the order in which the core gave them; `drain` is never re-entered.
 * - G2  Whatever is answered to a caller was applied on this node first.
 */
import {
  type CoreEffect,
  type CoreEvent,
  type CoreRestore,
  type CoreStatus,
  type Entry,
  type MemberId,
  type Membership,
  noMember,
  type ProposeConfigurationResult,
  type ReplicatedLog,
  type Role,
  type SnapshotMeta,
} from '../../core/index.ts'
import type { SnapshotFiles } from '../../storage/snapshot/index.ts'
import type { Algorithm } from './algorithm.ts'
import { ApplyLoop } from './apply-loop.ts'
import { ConfigurationWatch } from './configuration-watch.ts'
import { commandOf, Envelope, envelopeBytes } from './envelope.ts'
import type { Group, GroupConfiguration, GroupStatus, LeaderAnswer, ProposalOutcome, ReadOutcome } from './group.ts'
import type { GroupPort } from './group-port.ts'
import { GroupSnapshots } from './group-snapshots.ts'
import { LeaderCalls, type LeaderService } from './leader-calls.ts'
import { LogTrimmer } from './log-trimmer.ts'
import { LogWriter } from './log-writer.ts'
import { decodeNumber, messageKind } from './message-kinds.ts'
import type { GroupOptions } from './options.ts'
import { Outbox } from './outbox.ts'
import { ProposalQueue } from './proposal-queue.ts'
import { Proposer } from './proposer.ts'
import { ReadQueue } from './read-queue.ts'
import type { StateMachine } from './state-machine.ts'

/** Answers that wait for the disk; past this many no more appends are taken in. */
const waitingAnswersMax = 10_000

export interface ReplicatedGroupSetup<Result, M> {
  readonly memberId: MemberId
  readonly port: GroupPort
  readonly options: GroupOptions
  readonly algorithm: Algorithm<M>
  readonly machine: StateMachine<Result>
  readonly files: SnapshotFiles
  readonly restore: CoreRestore
}

export class ReplicatedGroup<Result, M> implements Group<Result> {
  private readonly memberId: MemberId
  private readonly port: GroupPort
  private readonly options: GroupOptions
  private readonly algorithm: Algorithm<M>
  private readonly machine: StateMachine<Result>
  private readonly core: ReplicatedLog<M>
  private readonly envelope: Envelope
  private readonly queue: ProposalQueue<Result>
  private readonly logWriter: LogWriter
  private readonly outbox: Outbox<M>
  private readonly proposer: Proposer
  private readonly reads: ReadQueue
  private readonly leaderCalls: LeaderCalls
  private readonly snapshots: GroupSnapshots
  private readonly configurationWatch: ConfigurationWatch
  private readonly statusListeners = new Set<(status: GroupStatus) => void>()
  private effects: CoreEffect<M>[] = []
  private draining = false
  private flushScheduled = false
  private role: Role = 'follower'
  private leader: MemberId = noMember
  private term: number
  private readonly applying: ApplyLoop
  /** The highest of any applied entry: the state machine's terms never fall, whatever the algorithm's do. */
  private appliedTerm: number
  private readonly trimmer: LogTrimmer
  private refusingWrites = false
  /** While the disk is full: when handing leadership away is tried again. */
  private nextHandoverMs = 0
  private stopped = false

  constructor(setup: ReplicatedGroupSetup<Result, M>) {
    const { port, options, restore } = setup
    this.memberId = setup.memberId
    this.port = port
    this.options = options
    this.algorithm = setup.algorithm
    this.machine = setup.machine
    this.term = restore.hardState.term
    this.appliedTerm = restore.snapshot.term
    this.logWriter = new LogWriter(port, setup.algorithm.logMode, restore)
    this.trimmer = new LogTrimmer(options, (from, to) => this.core.entries(from, to))
    const { clock, scheduler, random } = port.runtime
    this.applying = new ApplyLoop(
      {
        clock,
        scheduler,
        budgetMs: options.applyBudgetMs,
        entries: (from, to) => this.core.entries(from, to),
        apply: (entry) => this.applyEntry(entry),
        applied: (index) => this.onApplied(index),
        guard: (work) => this.guard(work),
      },
      restore.snapshot.index,
    )
    const draws = random.fork('consensus')
    this.core = setup.algorithm.create({
      id: setup.memberId,
      restore,
      sink: (effect) => this.effects.push(effect),
      random: (bound) => draws.below(bound),
      timing: {
        heartbeatTicks: Math.max(1, Math.round(options.heartbeatIntervalMs / options.tickMs)),
        electionTimeoutTicks: Math.max(2, Math.round(options.electionTimeoutMs / options.tickMs)),
      },
    })
    this.envelope = new Envelope(random.bytes(8))
    this.queue = new ProposalQueue(
      { countMax: options.pendingCountMax, bytesMax: options.pendingBytesMax },
      setup.algorithm.termsNeverFall,
    )
    this.outbox = new Outbox(port, setup.algorithm)
    this.proposer = new Proposer(
      port,
      options,
      this.queue as ProposalQueue<unknown>,
      () => ({
        leading: this.role === 'leader',
        behind: this.isBehind || this.refusingWrites,
        leader: this.leader,
        term: this.term,
      }),
      (payloads) => this.core.propose(payloads),
      (peer, index) => this.outbox.noteForwarded(peer, index),
    )
    this.reads = new ReadQueue(
      options.pendingReadsMax,
      (id) => this.step({ type: 'readIndex', id, nowMs: clock.monotonicMs() }),
      () => this.leader === this.memberId || (this.leader !== noMember && port.isConnected(this.leader)),
    )
    this.leaderCalls = new LeaderCalls(port, () => this.role === 'leader')
    this.snapshots = new GroupSnapshots({
      port,
      options,
      files: setup.files,
      machine: setup.machine as StateMachine<unknown>,
      restoredIndex: restore.snapshot.index,
      appliedMeta: () => this.appliedMeta(),
      offered: (from, term, meta) => {
        this.step({ type: 'message', from, message: this.algorithm.snapshotOffer(term, meta) })
        return this.algorithm.acceptsSnapshot(this.core, from, meta)
      },
      wanted: (from, meta) => this.algorithm.acceptsSnapshot(this.core, from, meta),
      restored: (meta) => this.onRestored(meta),
      sent: (to, index, ok) => this.step({ type: 'snapshotSent', to, index, ok }),
    })
    this.configurationWatch = new ConfigurationWatch(() => this.core.status())
    this.snapshots.onLogWritten(restore.entries.filter((entry) => entry.index > restore.snapshot.index))
  }

  // What callers use.

  propose(command: Uint8Array, done: (outcome: ProposalOutcome<Result>) => void): void {
    const later = (outcome: ProposalOutcome<Result>) => this.port.runtime.scheduler.endOfTurn(() => done(outcome))
    if (this.stopped) return later({ ok: false, reason: 'stopped', outcome: 'not-applied' })
    // Others could commit it, but this node, whose state may lag by now, could not tell so in time.
    if (this.refusingWrites) return later({ ok: false, reason: 'disk-full', outcome: 'not-applied' })
    if (command.length > this.options.commandBytesMax)
      return later({ ok: false, reason: 'too-large', outcome: 'not-applied' })
    if (this.refusingWrites && this.role === 'leader')
      return later({ ok: false, reason: 'disk-full', outcome: 'not-applied' })
    const payload = this.envelope.wrap(command)
    const taken = this.queue.add({
      sequence: this.envelope.lastSequenceUsed,
      payload,
      done,
      deadlineMs: this.deadline(),
      handedTerm: 0,
    })
    if (!taken) return later({ ok: false, reason: 'overloaded', outcome: 'not-applied' })
    this.scheduleFlush()
  }

  linearizableRead(done: (outcome: ReadOutcome) => void): void {
    const refuse = (reason: 'stopped' | 'overloaded') =>
      this.port.runtime.scheduler.endOfTurn(() => done({ ok: false, reason, outcome: 'not-applied' }))
    if (this.stopped) return refuse('stopped')
    if (!this.reads.add(done, this.deadline())) return refuse('overloaded')
    this.scheduleFlush()
  }

  callLeader(request: Uint8Array, done: (answer: LeaderAnswer) => void): void {
    const refuse = (reason: 'stopped' | 'no-leader') =>
      this.port.runtime.scheduler.endOfTurn(() => done({ ok: false, reason, outcome: 'not-applied' }))
    if (this.stopped) return refuse('stopped')
    if (this.role === 'leader')
      return this.port.runtime.scheduler.endOfTurn(() => this.leaderCalls.askHere(request, done))
    if (this.leader === noMember) return refuse('no-leader')
    this.leaderCalls.ask(this.leader, request, this.deadline(), done)
  }

  setLeaderService(handler: LeaderService): void {
    this.leaderCalls.setService(handler)
  }

  transferLeadership(to: MemberId): void {
    this.guard(() => this.step({ type: 'transferLeadership', to }))
  }

  proposeConfiguration(target: Membership): ProposeConfigurationResult {
    if (this.stopped) return { ok: false, reason: 'not-leader', leader: noMember }
    let result: ProposeConfigurationResult | undefined
    this.guard(() => {
      result = this.core.proposeConfiguration(target)
      this.drain()
    })
    return result ?? { ok: false, reason: 'not-leader', leader: noMember }
  }

  configuration(): GroupConfiguration {
    return this.configurationWatch.current()
  }

  onConfigurationChange(listener: (configuration: GroupConfiguration) => void): () => void {
    return this.configurationWatch.add(listener)
  }

  status(): GroupStatus {
    const core = this.core.status()
    return {
      memberId: this.memberId,
      role: this.role,
      leader: this.leader,
      term: this.term,
      commitIndex: core.commitIndex,
      appliedIndex: this.applying.appliedIndex,
      lastIndex: core.lastIndex,
    }
  }

  onStatusChange(listener: (status: GroupStatus) => void): () => void {
    this.statusListeners.add(listener)
    return () => this.statusListeners.delete(listener)
  }

  // What the host uses.

  /** The core's own view, with the progress of each follower. */
  coreStatus(): CoreStatus {
    return this.core.status()
  }

  get pendingProposals(): number {
    return this.queue.pendingCount
  }

  validate(): void {
    this.core.validate()
  }

  onTick(nowMs: number): void {
    this.step({ type: 'tick', nowMs })
    this.queue.expire(nowMs)
    this.reads.expire(nowMs, this.leader === noMember ? 'no-leader' : 'timeout')
    this.leaderCalls.expire(nowMs)
    this.snapshots.onTick(nowMs)
    this.proposer.onTick()
    this.handOverIfFull(nowMs)
    this.scheduleFlush()
  }

  onMessage(from: MemberId, kind: number, payload: Uint8Array): void {
    if (this.stopped) return
    switch (kind) {
      case messageKind.consensus: {
        const message = this.algorithm.decode(payload)
        if (message === undefined || (this.isBehind && this.algorithm.isAppend(message))) return
        return this.step({ type: 'message', from, message })
      }
      case messageKind.forward:
        this.proposer.onForward(from, payload)
        return this.scheduleFlush()
      case messageKind.forwardRefused:
        return this.onForwardRefused(payload)
      case messageKind.leaderCall:
        return this.leaderCalls.onCall(from, payload)
      case messageKind.leaderReply:
        return this.leaderCalls.onReply(from, payload)
      default:
        // What is none of these is a later version's message: it must be prepared for us not to know it.
        this.snapshots.onMessage(from, kind, payload)
    }
  }

  onPeerLost(peer: MemberId): void {
    this.snapshots.onPeerLost(peer)
    this.step({ type: 'connectionLost', peer })
  }

  /** The disk is full (or has room again): new writes are refused at once, and leadership is handed away. */
  setDiskFull(full: boolean): void {
    this.refusingWrites = full
    this.proposer.setRefusing(full)
    if (!full) return
    if (this.role === 'leader') this.queue.refuseWaiting('disk-full')
    this.nextHandoverMs = 0
    this.handOverIfFull(this.port.runtime.clock.monotonicMs())
  }

  /** Resolves when no file of this group is being written any more; after `stop`. */
  async settled(): Promise<void> {
    await this.snapshots.settled()
  }

  /** Tries again now and then: the successor may be behind, cut off, or out of room, too. */
  private handOverIfFull(nowMs: number): void {
    if (!this.refusingWrites || this.role !== 'leader' || nowMs < this.nextHandoverMs) return
    // Longer than the leader's check of its quorum, which each attempt puts off.
    this.nextHandoverMs = nowMs + 2 * this.options.electionTimeoutMs
    this.step({ type: 'transferLeadership', to: noMember })
  }

  /** More waits for the disk than is sensible: appends are dropped, as the network might, and come again. */
  private get isBehind(): boolean {
    return (
      this.logWriter.undurableBytes > this.options.undurableBytesMax || this.outbox.waitingCount > waitingAnswersMax
    )
  }

  stop(): void {
    if (this.stopped) return
    this.stopped = true
    this.snapshots.stop()
    this.queue.stop()
    this.reads.stop()
    this.leaderCalls.stop()
  }

  // The core and its effects.

  private step(event: CoreEvent<M>): void {
    if (this.stopped) return
    this.core.step(event)
    this.drain()
  }

  private drain(): void {
    if (this.draining) return
    this.draining = true
    try {
      while (this.effects.length > 0) {
        const effects = this.effects
        this.effects = []
        for (const effect of effects) this.carryOut(effect)
        this.applying.run()
      }
    } finally {
      this.draining = false
    }
  }

  private carryOut(effect: CoreEffect<M>): void {
    switch (effect.type) {
      case 'persist':
        this.snapshots.onLogWritten(effect.entries)
        return this.logWriter.write(effect, () => this.onDurable(effect.id))
      case 'send':
        return this.outbox.send(effect.to, effect.message, effect.afterPersist)
      case 'commit':
        this.applying.commitTo(effect.index)
        this.proposer.onCommit(effect.index)
        this.configurationWatch.onCommit(effect.index)
        if (this.proposer.hasWork) this.scheduleFlush()
        return
      case 'readReady':
        this.reads.onReady(effect.id, effect.index, this.applying.appliedIndex)
        this.scheduleFlush()
        return
      case 'readFailed':
        return this.reads.onFailed(effect.id)
      case 'status':
        return this.onStatus(effect.leader, effect.term, effect.role)
      case 'configuration':
        return this.configurationWatch.onConfiguration(effect.configuration, effect.index)
      case 'sendSnapshot':
        return this.snapshots.send(effect.to, this.term)
    }
  }

  private onDurable(id: number): void {
    if (this.stopped) return
    this.outbox.onDurable(id)
    this.step({ type: 'persisted', id })
  }

  private onStatus(leader: MemberId, term: number, role: Role): void {
    const changed = leader !== this.leader || role !== this.role
    this.leader = leader
    this.term = term
    this.role = role
    this.proposer.onStatus()
    this.outbox.reset()
    this.snapshots.onStatus(leader, role === 'leader')
    this.leaderCalls.onLeaderChanged(leader)
    this.scheduleFlush()
    if (changed) this.port.runtime.logger.info('consensus role changed', { role, term, leader: leader.toString(16) })
    const status = this.status()
    for (const listener of this.statusListeners) listener(status)
    // The next tick hands it on.
    this.nextHandoverMs = 0
  }

  private onForwardRefused(payload: Uint8Array): void {
    const term = decodeNumber(payload, 0)
    const sequences: number[] = []
    for (let offset = 8; offset + envelopeBytes <= payload.length; offset += envelopeBytes) {
      const sequence = this.envelope.sequenceOf(payload.subarray(offset, offset + envelopeBytes))
      if (sequence > 0) sequences.push(sequence)
    }
    // Handed on again at the next tick or change of leader, not at once: a leader that refuses is busy or gone.
    if (term > 0) this.queue.takeBack(term, sequences)
  }

  // Applying.

  private applyEntry(entry: Entry): void {
    if (entry.term > this.appliedTerm) {
      this.appliedTerm = entry.term
      this.queue.onAppliedTerm(entry.term)
    }
    this.trimmer.noteApplied(entry)
    if (entry.kind !== 'command') return
    const sequence = this.envelope.sequenceOf(entry.payload)
    const wanted = sequence !== 0 && this.queue.has(sequence)
    const { index, term } = entry
    const result = this.machine.apply(commandOf(entry.payload), { index, term: this.appliedTerm }, wanted)
    if (wanted) this.queue.take(sequence)?.done({ ok: true, result, index, term })
  }

  private onApplied(index: number): void {
    this.step({ type: 'applied', index })
    this.reads.onApplied(index)
    if (this.trimmer.isDue) {
      const status = this.core.status()
      const compactTo = this.trimmer.trimTo(status, index)
      if (compactTo >= status.firstIndex) this.step({ type: 'snapshotTaken', meta: this.appliedMeta(), compactTo })
    }
    this.snapshots.onApplied(index)
  }

  private appliedMeta(): SnapshotMeta {
    const index = this.applying.appliedIndex
    return { index, term: this.appliedTerm, configuration: this.algorithm.configurationAt(this.core, index) }
  }

  private onRestored(meta: SnapshotMeta): void {
    this.queue.onEntriesSkipped()
    this.applying.jumpTo(meta.index)
    this.appliedTerm = meta.term
    this.logWriter.onRestored(meta.index)
    this.step({ type: 'snapshotRestored', meta })
    this.reads.onApplied(meta.index)
  }

  private deadline(): number {
    return this.port.runtime.clock.monotonicMs() + this.options.requestTimeoutMs
  }

  private scheduleFlush(): void {
    if (this.flushScheduled || this.stopped) return
    this.flushScheduled = true
    this.port.runtime.scheduler.endOfTurn(this.flush)
  }

  private readonly flush = (): void => {
    this.flushScheduled = false
    this.guard(() => {
      this.proposer.flush()
      this.reads.flush()
      this.drain()
    })
  }

  /** Runs work that the loop began; what it throws ends the node. */
  private guard(work: () => void): void {
    if (!this.stopped) this.port.guard(work)
  }
}
