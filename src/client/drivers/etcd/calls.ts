/**
 * Asks the cluster: chooses nodes, asks again where that cannot do harm, and ends every question in time.
 *
 * - C1  A write has at most one attempt under way, and gets another only after the last one certainly was not carried out.
 * - C2  Every question is answered exactly once, never inside the call that asked it.
 * - C3  A further attempt after an answer costs a token of a budget; waiting for a node to be there costs nothing.
 * - C4  `dueMs` of every open question is at or after the moment the timer fires; the timer looks at all of them, at most
 *       every few milliseconds.
 */
import type { Timer } from '../../../runtime/index.ts'
import { type AnswerHead, etcdPaths } from '../../../wire/etcd-client/index.ts'
import type { GrpcFailureReply, UnaryReply } from '../../../wire/grpc-client/index.ts'
import type { CallOptions, ClientRuntime } from '../../driver/index.ts'
import type { Authentication } from './authentication.ts'
import { backoffMs } from './backoff.ts'
import { type Answered, type Attempt, type Call, type CallKind, isRead, type Question } from './call.ts'
import { cancelledError, closedError, lastError, senselessError, timeoutError } from './call-errors.ts'
import type { ClusterView } from './cluster-view.ts'
import type { Endpoint, Preference } from './endpoint.ts'
import { HedgeDelay } from './hedge-delay.ts'
import type { EtcdDriverSettings } from './options.ts'
import { judge, type Verdict } from './refusals.ts'
import { RetryBudget } from './retry-budget.ts'

/** The timer fires at most this often. */
const granularityMs = 2
/** An attempt that is unanswered for so long makes its node be probed. */
const suspectAfterMs = 300
const retryFirstMs = 10
const retryMostMs = 500
const tokenRenewalsMax = 2

const preferences: Readonly<Record<CallKind, Preference>> = {
  stale: 'any',
  read: 'leader',
  write: 'leader',
  repeatable: 'leader',
}

export class Calls {
  private readonly outside: ClientRuntime
  private readonly settings: EtcdDriverSettings
  private readonly view: ClusterView
  private readonly authentication: Authentication
  private readonly open = new Set<Call>()
  private readonly retries = new RetryBudget(1000, 0.1)
  private readonly hedges = new RetryBudget(100, 0.1)
  private readonly hedgeDelay: HedgeDelay
  private timer: Timer | undefined = undefined
  private timerMs = Number.POSITIVE_INFINITY
  private closed = false

  constructor(outside: ClientRuntime, settings: EtcdDriverSettings, view: ClusterView, authentication: Authentication) {
    this.outside = outside
    this.settings = settings
    this.view = view
    this.authentication = authentication
    this.hedgeDelay = new HedgeDelay(settings.hedgeAfterMs)
    view.onUsable(() => this.attendWaiting())
  }

  ask<Answer extends AnswerHead>(question: Question<Answer>, options: CallOptions = {}): Promise<Answered<Answer>> {
    return new Promise((resolve, reject) => {
      const nowMs = this.outside.clock.monotonicMs()
      const deadlineMs = options.deadlineMs ?? nowMs + this.settings.requestTimeoutMs
      const call: Call<Answer> = {
        question,
        resolve,
        reject,
        startedMs: nowMs,
        deadlineMs,
        dueMs: deadlineMs,
        attempts: [],
        asked: 0,
        tried: 0,
        firstAttemptMs: 0,
        uncertain: false,
        lastFailure: undefined,
        tokensRenewed: 0,
        waiting: false,
        done: false,
        release: undefined,
      }
      this.begin(call as unknown as Call, options.signal, nowMs)
    })
  }

  /** Fails everything that is open. */
  close(): void {
    this.closed = true
    this.timer?.cancel()
    for (const call of [...this.open]) this.fail(call, closedError(call))
  }

  private begin(call: Call, signal: AbortSignal | undefined, nowMs: number): void {
    if (this.closed) {
      call.reject(closedError(call))
      return
    }
    this.open.add(call)
    if (signal !== undefined) {
      const abort = () => this.fail(call, cancelledError(call, signal))
      if (signal.aborted) {
        abort()
        return
      }
      signal.addEventListener('abort', abort, { once: true })
      call.release = () => signal.removeEventListener('abort', abort)
    }
    if (call.deadlineMs <= nowMs) this.fail(call, timeoutError(call, this.view.problems()))
    else this.attend(call, nowMs)
  }

  /** Asks the next node, or waits for one. */
  private attend(call: Call, nowMs: number): void {
    const endpoint = this.next(call)
    if (endpoint !== undefined) this.attempt(call, endpoint, nowMs)
    else {
      // Only a node that becomes usable, or the deadline, can help.
      call.waiting = true
      this.setDue(call, call.deadlineMs)
      this.view.askWhoLeads()
    }
  }

  private next(call: Call): Endpoint | undefined {
    return this.view.choose(preferences[call.question.kind], call.asked)
  }

  private attempt(call: Call, endpoint: Endpoint, nowMs: number): void {
    const { path, request, kind } = call.question
    const attempt: Attempt = { endpoint, token: this.authentication.token, startedMs: nowMs, cancel: doNothing }
    call.waiting = false
    call.attempts.push(attempt)
    call.asked |= 1 << endpoint.index
    if (call.tried++ === 0) call.firstAttemptMs = nowMs
    attempt.cancel = endpoint.channel.unary(
      path,
      request,
      { timeoutMs: call.deadlineMs - nowMs, metadata: this.view.metadata(preferences[kind]) },
      (reply, sentAtMs) => this.answered(call, attempt, reply, sentAtMs),
    )
    this.setDue(call, nowMs + (isRead(kind) ? Math.min(this.hedgeDelay.ms, suspectAfterMs) : suspectAfterMs))
  }

  private answered(call: Call, attempt: Attempt, reply: UnaryReply, sentAtMs: number): void {
    if (call.done) return
    const { attempts } = call
    attempts.splice(attempts.indexOf(attempt), 1)
    if (reply.ok) this.succeeded(call, attempt, reply.message, sentAtMs)
    else this.refused(call, attempt, reply)
  }

  private succeeded(call: Call, attempt: Attempt, bytes: Uint8Array, sentAtMs: number): void {
    const { question } = call
    // Whoever was asked before and has not answered yet may not be there any more.
    if (call.attempts.length > 0) this.view.suspect(call.attempts[0]!.endpoint)
    const answer = question.decode(bytes)
    if (answer === undefined) {
      call.uncertain = true
      this.fail(call, senselessError(call, attempt.endpoint))
      return
    }
    this.retries.onAnswer()
    if (isRead(question.kind)) {
      this.hedges.onAnswer()
      this.hedgeDelay.onAnswer(this.outside.clock.monotonicMs() - attempt.startedMs)
    }
    this.view.noteTerm(answer.term)
    this.end(call)
    call.resolve({ answer, sentAtMs, firstAttemptMs: call.firstAttemptMs })
  }

  private refused(call: Call, attempt: Attempt, reply: GrpcFailureReply): void {
    const verdict = judge(reply)
    const { kind } = call.question
    const { endpoint } = attempt
    call.lastFailure = { endpoint, reply, verdict }
    if (!isRead(kind) && !verdict.certain) call.uncertain = true
    if (verdict.mark === 'learner') endpoint.learner = true
    if (verdict.mark === 'leaderless') endpoint.leaderless = true
    if (verdict.mark !== undefined || verdict.code === 'UNAVAILABLE') this.view.askWhoLeads()
    const harmless = verdict.certain || kind !== 'write'
    if (!verdict.again || !harmless) {
      this.fail(call, lastError(call))
      return
    }
    // The other node that was asked may still answer.
    if (call.attempts.length > 0) return
    if (verdict.mark === 'token') this.renewToken(call, attempt)
    else this.again(call, reply, verdict)
  }

  private again(call: Call, reply: GrpcFailureReply, verdict: Verdict): void {
    // Not a further load on anybody: it was never sent, or only turned away at the door.
    const free = !reply.processed || verdict.mark !== undefined
    if (!free && !this.retries.take()) {
      this.fail(call, lastError(call))
      return
    }
    const nowMs = this.outside.clock.monotonicMs()
    const endpoint = this.next(call)
    if (endpoint !== undefined) {
      this.attempt(call, endpoint, nowMs)
      return
    }
    // Everybody was asked: another round, after a rest.
    call.asked = 0
    this.setDue(call, nowMs + backoffMs(this.outside.random, call.tried, retryFirstMs, retryMostMs))
  }

  private renewToken(call: Call, attempt: Attempt): void {
    // A login that is refused waits for no login.
    const login = call.question.path === etcdPaths.authenticate
    if (login || call.tokensRenewed++ >= tokenRenewalsMax || !this.authentication.possible) {
      this.fail(call, lastError(call))
      return
    }
    call.asked = 0
    this.setDue(call, call.deadlineMs)
    this.authentication.renew(attempt.token).then(
      () => {
        if (!call.done && call.attempts.length === 0) this.attend(call, this.outside.clock.monotonicMs())
      },
      (error: unknown) => this.fail(call, error as Error),
    )
  }

  private attendWaiting(): void {
    const nowMs = this.outside.clock.monotonicMs()
    for (const call of this.open) {
      if (!call.waiting) continue
      call.asked = 0
      this.attend(call, nowMs)
    }
  }

  /** Something must be done about it: it is over, or it rested enough, or it was left unanswered for long. */
  private due(call: Call, nowMs: number): void {
    if (nowMs >= call.deadlineMs) {
      this.fail(call, timeoutError(call, this.view.problems()))
      return
    }
    if (call.attempts.length === 0) {
      this.attend(call, nowMs)
      return
    }
    const oldest = call.attempts[0]!
    if (nowMs - oldest.startedMs >= suspectAfterMs) this.view.suspect(oldest.endpoint)
    const { silent } = oldest.endpoint
    const other = this.mayAskAnother(call, silent) ? this.next(call) : undefined
    if (other !== undefined && (this.hedges.take() || (silent && this.retries.take()))) this.attempt(call, other, nowMs)
    else this.setDue(call, nowMs + suspectAfterMs)
  }

  /** While the one that was asked has not answered. */
  private mayAskAnother({ question }: Call, silent: boolean): boolean {
    if (question.kind === 'repeatable') return silent
    return isRead(question.kind) && this.settings.hedgeAfterMs !== Number.POSITIVE_INFINITY
  }

  private setDue(call: Call, dueMs: number): void {
    call.dueMs = Math.min(dueMs, call.deadlineMs)
    if (call.dueMs >= this.timerMs) return
    this.timer?.cancel()
    this.setTimer(call.dueMs)
  }

  private setTimer(atMs: number): void {
    const delayMs = Math.max(granularityMs, atMs - this.outside.clock.monotonicMs())
    this.timerMs = atMs
    this.timer = this.outside.scheduler.setTimer(delayMs, () => this.lookAtAll())
  }

  private lookAtAll(): void {
    this.timerMs = Number.POSITIVE_INFINITY
    const nowMs = this.outside.clock.monotonicMs()
    for (const call of this.open) if (call.dueMs <= nowMs) this.due(call, nowMs)
    let nextMs = Number.POSITIVE_INFINITY
    for (const call of this.open) nextMs = Math.min(nextMs, call.dueMs)
    if (nextMs >= this.timerMs) return
    this.timer?.cancel()
    this.setTimer(nextMs)
  }

  private fail(call: Call, error: Error): void {
    if (call.done) return
    this.end(call)
    call.reject(error)
  }

  private end(call: Call): void {
    call.done = true
    this.open.delete(call)
    call.release?.()
    if (call.attempts.length === 0) return
    for (const attempt of call.attempts) attempt.cancel()
    call.attempts = []
  }
}

function doNothing(): void {}
