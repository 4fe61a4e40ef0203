import type { Clock, Scheduler } from '../../../runtime/index.ts'
import type { Group, LeaderAnswer, Refusal } from '../../replication/index.ts'
import type { CoordinationState } from '../api.ts'
import { failureOf } from '../failures.ts'
import type { Done, Failure } from '../results.ts'
import {
  decodeLeaderResponse,
  encodeLeaderRequest,
  type LeaderRequest,
  type LeaseState,
  leaseStates,
} from './leader-codec.ts'

export interface LeaseClientContext {
  readonly clock: Clock
  readonly scheduler: Scheduler
  readonly group: Pick<Group<unknown>, 'callLeader' | 'linearizableRead'>
  readonly state: Pick<CoordinationState, 'leases'>
}

export interface LeaseClientOptions {
  /** How long a question is asked again while leaders change. */
  readonly requestTimeoutMs: number
}

export interface KeepAliveResult {
  readonly ok: true
  /** The time to live, renewed; 0 when there is no such lease. */
  readonly ttlSeconds: number
}

export interface TimeToLiveResult {
  readonly ok: true
  /** Whole seconds left, rounded down; -1 when there is no such lease. */
  readonly remainingSeconds: number
  /** 0 when there is no such lease. */
  readonly grantedSeconds: number
  /** Its keys, sorted, when they were asked for. */
  readonly keys: readonly string[]
}

/** Between two attempts while the answer is being decided. */
const retryMs = 50
/** Renewals in one question, at most. */
const batchMax = 4096

interface Question {
  readonly id: bigint
  readonly untilMs: number
  readonly done: (answer: LeaseState | Failure) => void
}

/**
 * Asks the leader, wherever it is, about leases: renews them and tells how long they last. All renewals of one turn go in
 * one message. Asking again is harmless, so while leaders change, or there is none, it does, up to the request time-out.
 */
export class LeaseClient {
  private readonly context: LeaseClientContext
  private readonly options: LeaseClientOptions
  /** Renewals that leave at the end of the turn. */
  private renewals: Question[] = []

  constructor(context: LeaseClientContext, options: LeaseClientOptions) {
    this.context = context
    this.options = options
  }

  /** Starts the TTL of a lease again. */
  keepAlive(id: bigint, done: Done<KeepAliveResult>): void {
    this.enqueueRenewal({
      id,
      untilMs: this.context.clock.monotonicMs() + this.options.requestTimeoutMs,
      done: (answer) => {
        if ('ok' in answer) done(answer)
        else done({ ok: true, ttlSeconds: answer.state === leaseStates.alive ? answer.ms / 1000 : 0 })
      },
    })
  }

  /** How long a lease lasts, and, if `withKeys`, which keys end with it. */
  timeToLive(id: bigint, withKeys: boolean, done: Done<TimeToLiveResult>): void {
    const untilMs = this.context.clock.monotonicMs() + this.options.requestTimeoutMs
    const question: Question = {
      id,
      untilMs,
      done: (answer) => {
        if ('ok' in answer) done(answer)
        else if (answer.state === leaseStates.notFound) done(noSuchLease)
        else this.completeTimeToLive(id, answer.ms, withKeys, done)
      },
    }
    this.ask({ type: 'remaining', id }, [question], () => this.timeToLiveAgain(question))
  }

  /** The leader knows the time; what is replicated, this node knows itself once it has caught up. */
  private completeTimeToLive(id: bigint, ms: number, withKeys: boolean, done: Done<TimeToLiveResult>): void {
    this.context.group.linearizableRead((outcome) => {
      if (!outcome.ok) {
        done(failureOf(outcome))
        return
      }
      const { leases } = this.context.state
      const grantedSeconds = leases.ttlSeconds(id)
      if (grantedSeconds === undefined) done(noSuchLease)
      else {
        const keys = withKeys ? leases.keys(id) : []
        done({ ok: true, remainingSeconds: Math.floor(ms / 1000), grantedSeconds, keys })
      }
    })
  }

  private timeToLiveAgain(question: Question): void {
    this.ask({ type: 'remaining', id: question.id }, [question], () => this.timeToLiveAgain(question))
  }

  private enqueueRenewal(question: Question): void {
    this.renewals.push(question)
    if (this.renewals.length === 1) this.context.scheduler.endOfTurn(() => this.sendRenewals())
  }

  private sendRenewals(): void {
    const all = this.renewals
    this.renewals = []
    for (let from = 0; from < all.length; from += batchMax) {
      const batch = all.slice(from, from + batchMax)
      this.ask({ type: 'renew', ids: batch.map((question) => question.id) }, batch, (question) => {
        this.enqueueRenewal(question)
      })
    }
  }

  /** Sends one request that answers `questions` in order; hands those it cannot answer yet to `again`, later. */
  private ask(request: LeaderRequest, questions: readonly Question[], again: (question: Question) => void): void {
    this.context.group.callLeader(encodeLeaderRequest(request), (answer) => {
      if (!answer.ok && !passing.has(answer.reason)) {
        for (const question of questions) question.done(failureOf(answer))
        return
      }
      const response = answer.ok ? decodeLeaderResponse(answer.response) : undefined
      const leases = response?.type === 'answers' && response.leases.length === questions.length ? response.leases : []
      questions.forEach((question, i) => {
        const lease = leases[i]
        const decided = lease !== undefined && !(request.type === 'renew' && lease.state === leaseStates.revoking)
        if (decided) question.done(lease)
        else this.retry(question, answer, again)
      })
    })
  }

  private retry(question: Question, answer: LeaderAnswer, again: (question: Question) => void): void {
    const leaderless = !answer.ok && answer.reason === 'no-leader'
    if (this.context.clock.monotonicMs() + retryMs > question.untilMs)
      question.done(failureOf(leaderless ? answer : timedOut))
    else this.context.scheduler.setTimer(retryMs, () => again(question))
  }
}

/** Refusals that may be over soon. */
const passing: ReadonlySet<Refusal['reason']> = new Set(['leader-changed', 'no-leader'])
const noSuchLease: TimeToLiveResult = { ok: true, remainingSeconds: -1, grantedSeconds: 0, keys: [] }
const timedOut: Refusal = { ok: false, reason: 'timeout', outcome: 'unknown' }
