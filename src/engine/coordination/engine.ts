/**
 * One node's coordination service, over a consensus group: proposes commands, serves reads, guards the quota, compacts.
 * `wire/etcd` calls it; `node/` makes it. Decisions that must be the same on every node are the state machine's.
 *
 * - I1  Every `done` is called exactly once, in a later call than the one that brought it.
 */
import { type MemberId, noMember } from '../../core/index.ts'
import type { Runtime } from '../../runtime/index.ts'
import type { MvccStore } from '../../storage/mvcc/index.ts'
import type { Group, GroupStatus, ProposalOutcome } from '../replication/index.ts'
import type {
  CoordinationEngine,
  CoordinationOptions,
  CoordinationStatus,
  HashKvResult,
  LeaseTable,
  StateHash,
} from './api.ts'
import { AutoCompactor } from './background/auto-compactor.ts'
import { Reclaimer } from './background/reclaimer.ts'
import { type SlicedJob, TurnSlicer } from './background/turn-slicer.ts'
import {
  commandTypes,
  encodeAlarmRequest,
  encodeCommand,
  encodeCompactRequest,
  encodeLeaseGrantCommand,
  encodeLeaseRevokeCommand,
  encodeLeaseRevokeRequest,
  encodeMemberAttributes,
} from './codec/index.ts'
import { fail, failureOf } from './failures.ts'
import { leaseTtlSecondsMax } from './leases/index.ts'
import { MemberChanges, type PromotionCounts } from './member-changes.ts'
import type { MembershipView } from './membership-view.ts'
import {
  type Alarm,
  type AlarmRequest,
  alarmActions,
  type CompactRequest,
  type DeleteRangeRequest,
  type LeaseGrantRequest,
  type Member,
  type MemberAttributes,
  type PutRequest,
  type RangeRequest,
  type TxnRequest,
} from './messages.ts'
import { QuotaGuard } from './quota.ts'
import { isReadOnly, Reads } from './reads.ts'
import type {
  AlarmResult,
  CommandResult,
  CompactResult,
  DeleteRangeResult,
  Done,
  Failure,
  LeaseGrantResult,
  LeaseRevokeResult,
  MemberAttributesResult,
  MemberChangeResult,
  PutResult,
  RangeResult,
  TxnResult,
} from './results.ts'
import { type CoordinationStateMachine, leaseOverheadBytes, putCost, selectAlarms, txnCost } from './state/index.ts'

/** How long background work and long answers together may hold the loop in one turn. */
const turnBudgetMs = 5

export interface CoordinationEngineContext {
  readonly runtime: Pick<Runtime, 'clock' | 'scheduler' | 'random' | 'logger'>
  /** The machine that `group` feeds. */
  readonly machine: CoordinationStateMachine
  readonly group: Group<CommandResult>
  /** How far the group has followed the declared members. */
  readonly membership: MembershipView
}

export class ReplicatedCoordinationEngine implements CoordinationEngine {
  readonly clusterId: bigint
  readonly memberId: bigint
  readonly options: CoordinationOptions
  private readonly runtime: CoordinationEngineContext['runtime']
  private readonly machine: CoordinationStateMachine
  private readonly group: Group<CommandResult>
  private readonly slicer: TurnSlicer
  private readonly reclaimer: Reclaimer
  private readonly reads: Reads
  private readonly quota: QuotaGuard
  private readonly compactor: AutoCompactor
  private readonly memberChanges: MemberChanges
  private readonly unsubscribe: readonly (() => void)[]
  /** Kept rather than searched: every request asks. */
  private learner = false
  /** As last told by the group. */
  private groupStatus: GroupStatus

  constructor({ runtime, machine, group, membership }: CoordinationEngineContext, options: CoordinationOptions) {
    const { clock, scheduler } = runtime
    this.clusterId = options.clusterId
    this.memberId = options.memberId
    this.options = options
    this.runtime = runtime
    this.machine = machine
    this.group = group
    this.slicer = new TurnSlicer(clock, scheduler, turnBudgetMs)
    this.reclaimer = new Reclaimer(machine, this.slicer, clock)
    this.reads = new Reads(machine, group, scheduler, this.slicer)
    this.quota = new QuotaGuard(machine, options.memberId, options.quotaBytes, (request, done) => {
      this.propose(encodeCommand(commandTypes.alarm, clock.wallMs(), request), done)
    })
    this.memberChanges = new MemberChanges({
      machine,
      membership,
      random: runtime.random,
      scheduler,
      requestTimeoutMs: options.requestTimeoutMs,
      propose: (type, payload, done) => this.propose(encodeCommand(type, clock.wallMs(), payload), done),
      linearizableRead: (done) => this.linearizableRead(done),
    })
    this.groupStatus = group.status()
    const onMembers = (): void => {
      this.learner = machine.member(options.memberId)?.isLearner === true
    }
    onMembers()
    this.unsubscribe = [
      group.onStatusChange((status) => {
        this.groupStatus = status
      }),
      machine.observe({ onMembersChanged: onMembers, onRestored: onMembers }),
    ]
    const compactorContext = {
      clock,
      scheduler,
      revision: () => machine.store.revision,
      leads: () => this.groupStatus.role === 'leader',
      compact: (revision: number, done: (compacted: boolean) => void) => this.compactByItself(revision, done),
    }
    this.compactor = new AutoCompactor(compactorContext, options.autoCompaction)
  }

  get term(): number {
    return this.groupStatus.term
  }

  get hasLeader(): boolean {
    return this.groupStatus.leader !== noMember
  }

  get revision(): number {
    return this.machine.store.revision
  }

  get store(): MvccStore {
    return this.machine.store
  }

  get leases(): LeaseTable {
    return this.machine.leases
  }

  range(request: RangeRequest, done: Done<RangeResult>): void {
    this.reads.range(request, done)
  }

  put(request: PutRequest, bytes: Uint8Array, done: Done<PutResult>): void {
    this.addWithinQuota(putCost(request), done, () => {
      return encodeCommand(commandTypes.put, this.runtime.clock.wallMs(), bytes)
    })
  }

  deleteRange(_request: DeleteRangeRequest, bytes: Uint8Array, done: Done<DeleteRangeResult>): void {
    this.propose(encodeCommand(commandTypes.deleteRange, this.runtime.clock.wallMs(), bytes), done)
  }

  txn(request: TxnRequest, bytes: Uint8Array, done: Done<TxnResult>): void {
    if (isReadOnly(request)) {
      this.reads.txn(request, done)
      return
    }
    this.addWithinQuota(txnCost(request), done, () => {
      return encodeCommand(commandTypes.txn, this.runtime.clock.wallMs(), bytes)
    })
  }

  compact(request: CompactRequest, bytes: Uint8Array, done: Done<CompactResult>): void {
    const command = encodeCommand(commandTypes.compact, this.runtime.clock.wallMs(), bytes)
    this.propose<CompactResult>(command, (outcome) => {
      if (!outcome.ok || !request.physical) done(outcome)
      else this.reclaimer.whenIdle(() => done({ ...outcome, revision: this.revision }))
    })
  }

  leaseGrant(request: LeaseGrantRequest, bytes: Uint8Array, done: Done<LeaseGrantResult>): void {
    if (request.ttlSeconds > leaseTtlSecondsMax) {
      this.refuse('LEASE_TTL_TOO_LARGE', done)
      return
    }
    const id = request.id === 0n ? this.chooseLeaseId() : request.id
    const ttlSeconds = Math.max(request.ttlSeconds, this.options.minLeaseTtlSeconds)
    this.addWithinQuota(leaseOverheadBytes, done, () => {
      return encodeLeaseGrantCommand(this.runtime.clock.wallMs(), id, ttlSeconds, bytes)
    })
  }

  leaseRevoke(id: bigint, reason: 'user' | 'expired', done: Done<LeaseRevokeResult>): void {
    const request = encodeLeaseRevokeRequest(id)
    const expiredInTerm = reason === 'expired' ? this.term : 0
    this.propose(encodeLeaseRevokeCommand(this.runtime.clock.wallMs(), expiredInTerm, request), done)
  }

  alarm(request: AlarmRequest, done: Done<AlarmResult>): void {
    if (request.action === alarmActions.get) {
      const answer = (): void => {
        const alarms = selectAlarms(this.machine.present, request.alarm)
        done({ ok: true, type: 'alarm', revision: this.revision, alarms })
      }
      this.reads.whenReadable(false, answer, done)
      return
    }
    this.propose(encodeCommand(commandTypes.alarm, this.runtime.clock.wallMs(), encodeAlarmRequest(request)), done)
  }

  members(): readonly Member[] {
    return this.machine.members()
  }

  get isLearner(): boolean {
    return this.learner
  }

  get awaitsVote(): boolean {
    // Of a newcomer that has not copied its own addition yet only the configuration tells.
    if (this.machine.member(this.memberId)?.isLearner === true) return false
    const { voters, outgoing } = this.group.configuration().configuration
    const inBoth = outgoing.length === 0 || outgoing.includes(this.memberId)
    return !voters.includes(this.memberId) || !inBoth
  }

  get promotions(): PromotionCounts {
    return this.memberChanges.promotions
  }

  memberAdd(peerUrls: readonly string[], isLearner: boolean, done: Done<MemberChangeResult>): void {
    this.memberChanges.add(peerUrls, isLearner, done)
  }

  memberRemove(id: MemberId, done: Done<MemberChangeResult>): void {
    this.memberChanges.remove(id, done)
  }

  memberUpdate(id: MemberId, peerUrls: readonly string[], done: Done<MemberChangeResult>): void {
    this.memberChanges.update(id, peerUrls, done)
  }

  memberPromote(id: MemberId, done: Done<MemberChangeResult>): void {
    this.memberChanges.promote(id, done)
  }

  /** Tells the cluster about a member; the last word counts. */
  publishMember(attributes: MemberAttributes, done: Done<MemberAttributesResult>): void {
    const command = encodeCommand(
      commandTypes.memberAttributes,
      this.runtime.clock.wallMs(),
      encodeMemberAttributes(attributes),
    )
    this.propose(command, done)
  }

  alarms(): readonly Alarm[] {
    return this.machine.alarms()
  }

  linearizableRead(done: Done<{ readonly ok: true }>): void {
    this.reads.whenReadable(false, () => done({ ok: true }), done)
  }

  status(): CoordinationStatus {
    const { revision, compactedRevision, sizeBytes, sizeInUseBytes } = this.machine.store
    return {
      group: this.group.status(),
      revision,
      compactedRevision,
      sizeBytes,
      sizeInUseBytes,
      quotaBytes: this.quota.quotaBytes,
      alarms: this.machine.alarms(),
      isLearner: this.isLearner,
    }
  }

  hashKv(revision: number, done: Done<HashKvResult>): void {
    this.reads.hashKv(revision, done)
  }

  stateHash(done: (hash: StateHash) => void): void {
    this.reads.stateHash(done)
  }

  runInSlices(job: SlicedJob): void {
    this.slicer.run(job)
  }

  stop(): void {
    this.compactor.stop()
    this.memberChanges.stop()
    for (const end of this.unsubscribe) end()
  }

  /** Proposes what adds `costBytes`, if the quota has room for it; else raises the alarm and refuses. */
  private addWithinQuota<Result extends CommandResult>(
    costBytes: number,
    done: Done<Result>,
    encode: () => Uint8Array,
  ): void {
    if (!this.quota.admits(costBytes)) {
      this.runtime.scheduler.endOfTurn(() => this.quota.raise(() => done(fail('NO_SPACE'))))
      return
    }
    this.propose<Result>(encode(), (outcome) => {
      if (costBytes > 0 && outcome.ok) this.quota.checkAfterApply()
      done(outcome)
    })
  }

  /** Each kind of command has its own kind of result: the state machine answers with the one that `Result` names. */
  private propose<Result extends CommandResult>(command: Uint8Array, done: Done<Result>): void {
    if (command.length > this.options.maxRequestBytes) {
      this.refuse('REQUEST_TOO_LARGE', done)
      return
    }
    this.group.propose(command, (outcome: ProposalOutcome<CommandResult>) => {
      done(outcome.ok ? (outcome.result as Result | Failure) : failureOf(outcome))
    })
  }

  private refuse(code: Failure['code'], done: Done<never>): void {
    this.runtime.scheduler.endOfTurn(() => done(fail(code)))
  }

  private compactByItself(revision: number, done: (compacted: boolean) => void): void {
    const { logger } = this.runtime
    logger.info('starting auto compaction', { revision })
    this.compact({ revision, physical: false }, encodeCompactRequest({ revision, physical: false }), (outcome) => {
      const compacted = outcome.ok || outcome.code === 'COMPACTED'
      if (compacted) logger.info('completed auto compaction', { revision })
      else logger.warn('failed auto compaction', { revision, reason: outcome.code })
      done(compacted)
    })
  }

  /** A positive int64: clients print it as one. */
  private chooseLeaseId(): bigint {
    for (;;) {
      const bytes = Buffer.from(this.runtime.random.bytes(8))
      const id = bytes.readBigUInt64LE(0) & 0x7fff_ffff_ffff_ffffn
      if (id !== 0n && !this.machine.leases.has(id)) return id
    }
  }
}
