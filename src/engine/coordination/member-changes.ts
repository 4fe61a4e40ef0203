/**
 * Changes of the members as one node carries them out for its callers: checks as etcd does with --strict-reconfig-check,
 * proposes, and answers when the consensus group has followed.
 *
 * - I1  A change is proposed once. From then on its caller hears of success, of the state machine's refusal, or that the
 *       outcome is unknown.
 * - I2  What is checked here first is only advice, on this node's view; what must hold is checked again in `apply`.
 */
import type { MemberId } from '../../core/index.ts'
import type { Random, Scheduler } from '../../runtime/index.ts'
import type { CommandType } from './codec/index.ts'
import { commandTypes, encodeMemberChange } from './codec/index.ts'
import { fail, failureOf } from './failures.ts'
import type { MembershipView, Standing } from './membership-view.ts'
import type { Member, MemberChange } from './messages.ts'
import type { Done, Failure, MemberChangeResult } from './results.ts'
import type { CoordinationStateMachine } from './state/index.ts'
import { normalizePeerUrls } from './validation/index.ts'

export interface MemberChangesContext {
  readonly machine: Pick<CoordinationStateMachine, 'members' | 'member' | 'isRemoved'>
  readonly membership: MembershipView
  readonly random: Random
  readonly scheduler: Scheduler
  /** How long a change that was applied may wait for the group to follow. */
  readonly requestTimeoutMs: number
  readonly propose: (type: CommandType, payload: Uint8Array, done: Done<MemberChangeResult>) => void
  readonly linearizableRead: (done: Done<{ readonly ok: true }>) => void
}

/** The promotions that this node was asked for, since its start. */
export interface PromotionCounts {
  succeeded: number
  /** By what went wrong. */
  readonly failed: Map<Failure['code'], number>
}

export class MemberChanges {
  readonly promotions: PromotionCounts = { succeeded: 0, failed: new Map() }
  private readonly context: MemberChangesContext
  /** What ends the wait of each change that was applied and that the group has not followed yet. */
  private readonly waits = new Set<() => void>()
  private stopped = false

  constructor(context: MemberChangesContext) {
    this.context = context
  }

  add(peerUrls: readonly string[], isLearner: boolean, done: Done<MemberChangeResult>): void {
    const urls = normalizePeerUrls(peerUrls)
    const refusal = urls === undefined ? fail('MEMBER_BAD_URLS') : this.mayAdd(isLearner)
    if (urls === undefined || refusal !== undefined) this.refuse(refusal, done)
    else this.change(commandTypes.memberAdd, { id: this.chooseId(), peerUrls: urls, isLearner }, 'present', done)
  }

  remove(id: MemberId, done: Done<MemberChangeResult>): void {
    const refusal = this.mayRemove(id)
    if (refusal !== undefined) this.refuse(refusal, done)
    else this.change(commandTypes.memberRemove, { id, peerUrls: [], isLearner: false }, 'absent', done)
  }

  /** Changes where the others reach a member. The group's configuration has no part in it. */
  update(id: MemberId, peerUrls: readonly string[], done: Done<MemberChangeResult>): void {
    const urls = normalizePeerUrls(peerUrls)
    if (urls === undefined) this.refuse(fail('MEMBER_BAD_URLS'), done)
    else this.change(commandTypes.memberUpdate, { id, peerUrls: urls, isLearner: false }, undefined, done)
  }

  promote(id: MemberId, done: Done<MemberChangeResult>): void {
    const { membership } = this.context
    const finish: Done<MemberChangeResult> = (outcome) => {
      this.count(outcome)
      done(outcome)
    }
    this.context.linearizableRead((read) => {
      const refusal = read.ok ? this.mayPromote(id) : read
      if (refusal !== undefined) {
        finish(refusal)
        return
      }
      membership.askCaughtUp(id, (answer) => {
        if (!answer.ok) finish(failureOf(answer))
        // Declared but not in the configuration yet: it cannot have caught up.
        else if (answer.state !== 'caught-up') finish(fail('LEARNER_NOT_READY'))
        else this.change(commandTypes.memberPromote, { id, peerUrls: [], isLearner: false }, 'voter', finish)
      })
    })
  }

  /** Ends the waits; their callers hear that the outcome is unknown. */
  stop(): void {
    this.stopped = true
    for (const giveUp of [...this.waits]) giveUp()
  }

  private change(
    type: CommandType,
    change: MemberChange,
    standing: Standing | undefined,
    done: Done<MemberChangeResult>,
  ): void {
    this.context.propose(type, encodeMemberChange(change), (outcome) => {
      if (!outcome.ok || standing === undefined) done(outcome)
      else this.whenFollowed(change.id, standing, outcome, done)
    })
  }

  /** Answers with `result` once the group's configuration is as declared, or with `unknown` when that takes too long. */
  private whenFollowed(
    id: MemberId,
    standing: Standing,
    result: MemberChangeResult,
    done: Done<MemberChangeResult>,
  ): void {
    const { membership, scheduler, requestTimeoutMs } = this.context
    const finish = (outcome: MemberChangeResult | Failure): void => {
      this.waits.delete(giveUp)
      timer.cancel()
      stopWaiting()
      done(outcome)
    }
    const giveUp = (): void => {
      finish({ ok: false, code: this.stopped ? 'STOPPED' : 'TIMEOUT', outcome: 'unknown' })
    }
    const timer = scheduler.setTimer(requestTimeoutMs, giveUp)
    const stopWaiting = membership.whenSettled(id, standing, () => finish(result))
    this.waits.add(giveUp)
  }

  /** etcd's `mayAddMember`: the voters that would be there must still find a quorum if the new one never comes. */
  private mayAdd(isLearner: boolean): Failure | undefined {
    const voters = this.voters()
    const started = voters.filter(isStarted).length
    const alone = started === 1 && voters.length === 1
    if (!isLearner && !alone && started < quorumOf(voters.length + 1)) return fail('NOT_ENOUGH_STARTED')
    if (voters.length === 1) return undefined
    return this.connected(voters) < quorumOf(voters.length + 1) ? fail('UNHEALTHY') : undefined
  }

  /** etcd's `mayRemoveMember`: those who stay must be a quorum of themselves. */
  private mayRemove(id: MemberId): Failure | undefined {
    if (this.context.machine.member(id)?.isLearner === true) return undefined
    const voters = this.voters()
    const staying = voters.filter((voter) => voter.id !== id)
    if (staying.filter(isStarted).length < quorumOf(staying.length)) return fail('NOT_ENOUGH_STARTED')
    // One that is down is no part of the quorum that works now.
    if (!this.context.membership.isConnected(id)) return undefined
    return this.connected(voters) - 1 < quorumOf(voters.length - 1) ? fail('UNHEALTHY') : undefined
  }

  private mayPromote(id: MemberId): Failure | undefined {
    const member = this.context.machine.member(id)
    if (member === undefined) return fail('MEMBER_NOT_FOUND')
    if (!member.isLearner) return fail('MEMBER_NOT_LEARNER')
    const voters = this.voters()
    const started = voters.filter(isStarted).length + 1
    return started < quorumOf(voters.length + 1) ? fail('NOT_ENOUGH_STARTED') : undefined
  }

  private voters(): readonly Member[] {
    return this.context.machine.members().filter((member) => !member.isLearner)
  }

  private connected(members: readonly Member[]): number {
    return members.filter(({ id }) => this.context.membership.isConnected(id)).length
  }

  private count(outcome: MemberChangeResult | Failure): void {
    const { promotions } = this
    if (outcome.ok) promotions.succeeded++
    else promotions.failed.set(outcome.code, (promotions.failed.get(outcome.code) ?? 0) + 1)
  }

  private refuse(failure: Failure | undefined, done: Done<never>): void {
    if (failure !== undefined) this.context.scheduler.endOfTurn(() => done(failure))
  }

  private chooseId(): MemberId {
    const { machine, random } = this.context
    for (;;) {
      const id = Buffer.from(random.bytes(8)).readBigUInt64LE(0)
      if (id !== 0n && machine.member(id) === undefined && !machine.isRemoved(id)) return id
    }
  }
}

function isStarted(member: Member): boolean {
  return member.name !== ''
}

function quorumOf(voters: number): number {
  return Math.floor(voters / 2) + 1
}
