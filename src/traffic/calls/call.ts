/**
 * One call: attempts at different endpoints until one answers, within the policy and the upstream's retry budget.
 *
 * - C1  The outcome is told once. After it no attempt is begun, and those under way are cancelled.
 * - C2  Every attempt that began at an endpoint ends there, once.
 * - C3  A call that is not idempotent is sent again only while no attempt's fate is unknown; and never hedged.
 * - C4  An endpoint is tried a second time only when no other is left, and after a pause.
 * - C5  An attempt beyond the first is made only with leave of the budget.
 */
import type { Clock, Random, Scheduler, Timer } from '../../runtime/index.ts'
import type { AttemptResult, PickRefusal, Upstream, UpstreamEndpoint } from '../upstream/index.ts'
import type { AttemptFunction, AttemptOutcome, CallOutcome, CallPolicy } from './policy.ts'

/** What calls need of the world. */
export interface CallRuntime {
  readonly clock: Clock
  readonly random: Random
  readonly scheduler: Scheduler
}

/** Before an endpoint is tried again: twice as long each time, a half of it at random. */
const pauseFirstMs = 25
const pauseLongestMs = 1_000

type Failed<T> = Extract<AttemptOutcome<T>, { readonly type: 'failed' }>

interface Running {
  readonly endpoint: UpstreamEndpoint
  readonly beganMs: number
  readonly over: AbortController
  timer: Timer | undefined
}

export class Call<T> {
  private readonly upstream: Upstream
  private readonly outside: CallRuntime
  private readonly policy: CallPolicy
  private readonly attempt: AttemptFunction<T>
  private readonly tell: (outcome: CallOutcome<T>) => void
  private readonly running = new Set<Running>()
  private readonly tried = new Set<UpstreamEndpoint>()
  private readonly isTried = (endpoint: UpstreamEndpoint): boolean => this.tried.has(endpoint)
  private readonly stops: (() => void)[] = []
  private attempts = 0
  private pauses = 0
  /** C3. */
  private isFateUnknown = false
  private lastFailure: { readonly failure: Failed<T>; readonly endpoint: UpstreamEndpoint } | undefined
  private hedgeTimer: Timer | undefined
  private pauseTimer: Timer | undefined
  private stopWaiting: (() => void) | undefined
  private isOver = false

  constructor(init: {
    readonly upstream: Upstream
    readonly outside: CallRuntime
    readonly policy: CallPolicy
    readonly attempt: AttemptFunction<T>
    readonly tell: (outcome: CallOutcome<T>) => void
  }) {
    this.upstream = init.upstream
    this.outside = init.outside
    this.policy = init.policy
    this.attempt = init.attempt
    this.tell = init.tell
  }

  start(signal: AbortSignal | undefined): void {
    const { deadlineMs } = this.policy
    if (signal !== undefined) {
      const giveUp = (): void => this.finish({ type: 'cancelled', fate: this.fate(), attempts: this.attempts })
      if (signal.aborted) return giveUp()
      signal.addEventListener('abort', giveUp)
      this.stops.push(() => signal.removeEventListener('abort', giveUp))
    }
    if (deadlineMs !== undefined) {
      const leftMs = deadlineMs - this.outside.clock.monotonicMs()
      if (leftMs <= 0) return this.exceed()
      const timer = this.outside.scheduler.setTimer(leftMs, () => this.exceed())
      this.stops.push(() => timer.cancel())
    }
    this.begin(false)
  }

  /** Begins one attempt if an endpoint is to be had. */
  private begin(isHedge: boolean): void {
    const chosen = this.upstream.pick({ key: this.policy.key, isExcluded: this.isTried })
    if (typeof chosen === 'string') this.refused(chosen, isHedge)
    else this.beginAt(chosen, isHedge)
  }

  private beginAt(endpoint: UpstreamEndpoint, isHedge: boolean): void {
    const { clock, scheduler } = this.outside
    const { perAttemptTimeoutMs, deadlineMs } = this.policy
    const beganMs = clock.monotonicMs()
    const leftMs = deadlineMs === undefined ? undefined : Math.max(0, deadlineMs - beganMs)
    const timeoutMs = Math.min(perAttemptTimeoutMs ?? Number.POSITIVE_INFINITY, leftMs ?? Number.POSITIVE_INFINITY)
    const running: Running = { endpoint, beganMs, over: new AbortController(), timer: undefined }
    this.attempts++
    this.tried.add(endpoint)
    this.running.add(running)
    this.upstream.begin(endpoint)
    if (perAttemptTimeoutMs !== undefined)
      running.timer = scheduler.setTimer(perAttemptTimeoutMs, () => {
        running.over.abort()
        this.settle(running, timedOut(perAttemptTimeoutMs))
      })
    this.armHedge()
    const attempt = {
      endpoint,
      number: this.attempts,
      isHedge,
      timeoutMs: Number.isFinite(timeoutMs) ? timeoutMs : undefined,
      signal: running.over.signal,
    }
    run(this.attempt, attempt).then((outcome) => this.settle(running, outcome))
  }

  private settle(running: Running, outcome: AttemptOutcome<T>): void {
    if (!this.running.has(running)) return
    this.end(running, outcome.endpoint)
    if (outcome.type === 'answered') {
      const { endpoint } = running
      this.finish({ type: 'answered', value: outcome.value, endpoint, attempts: this.attempts })
      return
    }
    this.lastFailure = { failure: outcome, endpoint: running.endpoint }
    if (outcome.fate === 'unknown') this.isFateUnknown = true
    if (this.mayGoOn(outcome) && this.upstream.takeRetry()) this.begin(false)
    else if (this.running.size === 0 && this.pauseTimer === undefined) this.fail()
  }

  /** C3, and the number of attempts. C5 is asked last, since the asking counts. */
  private mayGoOn({ isRetryable }: Failed<T>): boolean {
    const { attemptsMax, isIdempotent } = this.policy
    if (this.pauseTimer !== undefined) return false
    return isRetryable && this.attempts < attemptsMax && (isIdempotent || !this.isFateUnknown)
  }

  private refused(refusal: PickRefusal, isHedge: boolean): void {
    // A hedge needs another endpoint; the attempts under way may still answer, and if all fail, that is told.
    if (isHedge) return
    if (refusal === 'all-tried') {
      this.tried.clear()
      this.pauseThenBegin()
      return
    }
    const canWait = refusal === 'no-endpoints' || refusal === 'none-healthy'
    if (this.policy.waitsForEndpoints && canWait && this.attempts === 0) this.waitForEndpoints()
    else if (this.running.size === 0) this.fail(refusal)
  }

  /** C4. */
  private pauseThenBegin(): void {
    const limitMs = Math.min(pauseLongestMs, pauseFirstMs * 2 ** Math.min(this.pauses++, 16))
    const pauseMs = (limitMs * (1 + this.outside.random.float())) / 2
    this.pauseTimer = this.outside.scheduler.setTimer(pauseMs, () => {
      this.pauseTimer = undefined
      // Attempts that are still under way keep their endpoints.
      for (const { endpoint } of this.running) this.tried.add(endpoint)
      const chosen = this.upstream.pick({ key: this.policy.key, isExcluded: this.isTried })
      if (typeof chosen !== 'string') this.beginAt(chosen, false)
      else if (this.running.size === 0) this.fail(chosen)
    })
  }

  private waitForEndpoints(): void {
    if (this.stopWaiting !== undefined) return
    const stop = this.upstream.onChange(() => {
      if (this.isOver || this.attempts > 0) return
      const chosen = this.upstream.pick({ key: this.policy.key })
      if (typeof chosen === 'string') return
      stop()
      this.beginAt(chosen, false)
    })
    this.stopWaiting = stop
    this.stops.push(stop)
  }

  private armHedge(): void {
    const { hedgeAfterMs, isIdempotent, attemptsMax } = this.policy
    this.hedgeTimer?.cancel()
    if (hedgeAfterMs === undefined || !isIdempotent || this.attempts >= attemptsMax) return
    this.hedgeTimer = this.outside.scheduler.setTimer(hedgeAfterMs, () => {
      if (this.isOver || this.running.size === 0 || this.pauseTimer !== undefined || !this.hasOther()) return
      if (this.upstream.takeRetry()) this.begin(true)
    })
  }

  /** So that the budget is not asked for a hedge that has nowhere to go. */
  private hasOther(): boolean {
    return this.upstream.endpoints.some((endpoint) => endpoint.state === 'ready' && !this.tried.has(endpoint))
  }

  /** C2. */
  private end(running: Running, result: AttemptResult): void {
    this.running.delete(running)
    running.timer?.cancel()
    this.upstream.end(running.endpoint, result, this.outside.clock.monotonicMs() - running.beganMs)
  }

  /** Ends an attempt that has not ended by itself. */
  private cut(running: Running, result: AttemptResult): void {
    this.end(running, result)
    running.over.abort()
  }

  private exceed(): void {
    const attempts = this.attempts
    const fate = this.fate()
    // Whoever did not answer in the whole time of a call is slow, or stopped: that is its failure.
    for (const running of [...this.running]) this.cut(running, 'failure')
    this.finish({ type: 'deadline-exceeded', fate, attempts })
  }

  /** Tells the last failure; or, where nothing was tried, why not. */
  private fail(refusal: PickRefusal = 'none-healthy'): void {
    if (this.lastFailure === undefined) return this.finish({ type: 'refused', refusal, attempts: 0 })
    const { failure, endpoint } = this.lastFailure
    this.finish({ type: 'failed', error: failure.error, fate: this.fate(), endpoint, attempts: this.attempts })
  }

  /** Of what is under way nobody knows. */
  private fate(): 'not-applied' | 'unknown' {
    return this.isFateUnknown || this.running.size > 0 ? 'unknown' : 'not-applied'
  }

  /** C1. */
  private finish(outcome: CallOutcome<T>): void {
    if (this.isOver) return
    this.isOver = true
    this.hedgeTimer?.cancel()
    this.pauseTimer?.cancel()
    for (const stop of this.stops) stop()
    for (const running of [...this.running]) this.cut(running, 'cancelled')
    this.tell(outcome)
  }
}

function timedOut(timeoutMs: number): Failed<never> {
  return {
    type: 'failed',
    error: new AttemptTimeoutError(`no answer in ${timeoutMs} ms`),
    fate: 'unknown',
    endpoint: 'failure',
    isRetryable: true,
  }
}

/** The error of an attempt that `perAttemptTimeoutMs` ended. */
export class AttemptTimeoutError extends Error {
  override readonly name = 'AttemptTimeoutError'
}

async function run<T>(
  attempt: AttemptFunction<T>,
  given: Parameters<AttemptFunction<T>>[0],
): Promise<AttemptOutcome<T>> {
  try {
    return await attempt(given)
  } catch (error) {
    return { type: 'failed', error, fate: 'unknown', endpoint: 'failure', isRetryable: true }
  }
}
