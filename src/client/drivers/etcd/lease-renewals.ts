/**
 * Renewals: one stream a node, and another node when one is silent or its stream ends. A renewal may reach the cluster
 * twice; it is as good as once.
 */
import type { Timer } from '../../../runtime/index.ts'
import type { CallOptions, ClientRuntime, LeaseAnswer, LeaseId } from '../../driver/index.ts'
import { type Outcome, SynodError } from '../../errors.ts'
import type { Authentication } from './authentication.ts'
import { backoffMs } from './backoff.ts'
import type { ClusterView } from './cluster-view.ts'
import type { Endpoint } from './endpoint.ts'
import { KeepAliveStream } from './keep-alive-stream.ts'
import type { EtcdDriverSettings } from './options.ts'
import { judge, refusalError } from './refusals.ts'

/** A renewal that one node leaves unanswered for so long is given to another too. */
const patienceMs = 500
const retryFirstMs = 20
const retryMostMs = 500

interface Renewal {
  readonly leaseId: LeaseId
  readonly promise: Promise<LeaseAnswer>
  readonly settle: (result: LeaseAnswer | Error) => void
  settled: boolean
  /** The last of those who wait for it. */
  deadlineMs: number
  asked: number
  tried: number
  timer: Timer | undefined
  expiry: Timer | undefined
  lastError: SynodError | undefined
}

export class LeaseRenewals {
  private readonly outside: ClientRuntime
  private readonly settings: EtcdDriverSettings
  private readonly view: ClusterView
  private readonly authentication: Authentication
  private readonly streams = new Map<Endpoint, KeepAliveStream>()
  private readonly open = new Set<Renewal>()
  /** Those begun in this turn: asked for again, they are shared. */
  private readonly ofThisTurn = new Map<LeaseId, Renewal>()
  private closed = false

  constructor(outside: ClientRuntime, settings: EtcdDriverSettings, view: ClusterView, authentication: Authentication) {
    this.outside = outside
    this.settings = settings
    this.view = view
    this.authentication = authentication
    view.onUsable(() => {
      for (const renewal of this.open) if (renewal.timer === undefined) this.attempt(renewal)
    })
  }

  renew(leaseId: LeaseId, options: CallOptions = {}): Promise<LeaseAnswer> {
    const { signal } = options
    if (this.closed) return Promise.reject(closedError('not-applied'))
    if (signal?.aborted === true) return Promise.reject(cancelledError(signal, 'not-applied'))
    const nowMs = this.outside.clock.monotonicMs()
    const deadlineMs = options.deadlineMs ?? nowMs + this.settings.requestTimeoutMs
    if (deadlineMs <= nowMs) return Promise.reject(lateError())
    const renewal = this.renewalOfThisTurn(leaseId, deadlineMs)
    return new Promise((resolve, reject) => {
      const abort = () => leave(() => reject(cancelledError(signal!, outcomeOf(renewal))))
      const timer = this.outside.scheduler.setTimer(deadlineMs - nowMs, () => {
        leave(() => reject(this.timeoutError(renewal)))
      })
      const leave = (tell: () => void): void => {
        timer.cancel()
        signal?.removeEventListener('abort', abort)
        tell()
      }
      signal?.addEventListener('abort', abort, { once: true })
      renewal.promise.then(
        (answer) => leave(() => resolve(answer)),
        (error: unknown) => leave(() => reject(error)),
      )
    })
  }

  close(): void {
    this.closed = true
    for (const renewal of [...this.open]) this.settle(renewal, closedError(outcomeOf(renewal)))
    for (const stream of this.streams.values()) stream.close()
  }

  private renewalOfThisTurn(leaseId: LeaseId, deadlineMs: number): Renewal {
    const shared = this.ofThisTurn.get(leaseId)
    if (shared !== undefined) {
      if (deadlineMs > shared.deadlineMs) this.expireAt(shared, deadlineMs)
      return shared
    }
    let settle: Renewal['settle'] = () => {}
    const promise = new Promise<LeaseAnswer>((resolve, reject) => {
      settle = (result) => (result instanceof Error ? reject(result) : resolve(result))
    })
    // Each of those who share it has its own word with it.
    promise.catch(() => {})
    const renewal: Renewal = {
      ...{ leaseId, promise, settle, settled: false, deadlineMs, asked: 0, tried: 0, timer: undefined },
      ...{ expiry: undefined, lastError: undefined },
    }
    this.open.add(renewal)
    if (this.ofThisTurn.size === 0) this.outside.scheduler.endOfTurn(() => this.ofThisTurn.clear())
    this.ofThisTurn.set(leaseId, renewal)
    this.expireAt(renewal, deadlineMs)
    this.attempt(renewal)
    return renewal
  }

  /** Nobody waits for it any longer than this. */
  private expireAt(renewal: Renewal, deadlineMs: number): void {
    renewal.deadlineMs = deadlineMs
    renewal.expiry?.cancel()
    renewal.expiry = this.outside.scheduler.setTimer(deadlineMs - this.outside.clock.monotonicMs(), () => {
      this.settle(renewal, this.timeoutError(renewal))
    })
  }

  private attempt(renewal: Renewal): void {
    if (renewal.settled) return
    renewal.timer?.cancel()
    renewal.timer = undefined
    let endpoint = this.view.choose('leader', renewal.asked)
    if (endpoint === undefined && renewal.asked !== 0) {
      renewal.asked = 0
      endpoint = this.view.choose('leader')
    }
    if (endpoint === undefined) {
      this.view.askWhoLeads()
      return
    }
    renewal.asked |= 1 << endpoint.index
    renewal.tried++
    const token = this.authentication.token
    this.streamOf(endpoint).ask(renewal.leaseId, {
      onAnswer: (ttlSeconds, sentAtMs) => {
        if (ttlSeconds <= 0) this.settle(renewal, notFoundError(renewal.leaseId))
        else this.settle(renewal, { leaseId: renewal.leaseId, ttlMs: ttlSeconds * 1000, sentAtMs })
      },
      onEnd: (end) => {
        const verdict = judge(end)
        renewal.lastError = refusalError('A renewal', endpoint.name, end, verdict, 'unknown')
        if (verdict.mark === 'leaderless') endpoint.leaderless = true
        if (verdict.mark === 'learner') endpoint.learner = true
        if (verdict.mark === 'token') this.authentication.renew(token).catch(() => {})
        else if (!verdict.again) this.settle(renewal, renewal.lastError)
        this.rest(renewal, backoffMs(this.outside.random, renewal.tried, retryFirstMs, retryMostMs))
      },
    })
    this.rest(renewal, patienceMs)
  }

  private rest(renewal: Renewal, forMs: number): void {
    if (renewal.settled) return
    renewal.timer?.cancel()
    renewal.timer = this.outside.scheduler.setTimer(forMs, () => this.attempt(renewal))
  }

  private streamOf(endpoint: Endpoint): KeepAliveStream {
    const present = this.streams.get(endpoint)
    if (present !== undefined) return present
    const stream = new KeepAliveStream(endpoint, this.view.metadata('leader'), () => {
      if (this.streams.get(endpoint) === stream) this.streams.delete(endpoint)
    })
    this.streams.set(endpoint, stream)
    return stream
  }

  private settle(renewal: Renewal, result: LeaseAnswer | Error): void {
    if (renewal.settled) return
    renewal.settled = true
    renewal.timer?.cancel()
    renewal.expiry?.cancel()
    this.open.delete(renewal)
    renewal.settle(result)
  }

  private timeoutError(renewal: Renewal): SynodError {
    if (renewal.tried === 0) {
      const message = `A renewal could not be sent in time (${this.view.problems()}). Check the addresses and the cluster.`
      return new SynodError('UNAVAILABLE', message)
    }
    const because = renewal.lastError === undefined ? '' : ` The last attempt: ${renewal.lastError.message}`
    return new SynodError('TIMEOUT', `A renewal was not answered in time.${because}`, { outcome: 'unknown' })
  }
}

function notFoundError(leaseId: LeaseId): SynodError {
  return new SynodError('LEASE_NOT_FOUND', `There is no lease ${leaseId.toString(16)} any more: get a new one.`)
}

function outcomeOf(renewal: Renewal): Outcome {
  return renewal.tried === 0 ? 'not-applied' : 'unknown'
}

function lateError(): SynodError {
  return new SynodError('TIMEOUT', 'A renewal was not sent: its deadline had passed before the call.')
}

function cancelledError(signal: AbortSignal, outcome: Outcome): SynodError {
  return new SynodError('CANCELLED', 'A renewal was cancelled by its signal.', { outcome, cause: signal.reason })
}

function closedError(outcome: Outcome): SynodError {
  return new SynodError('CLOSED', 'A renewal failed: the client is closed. Connect again.', { outcome })
}
