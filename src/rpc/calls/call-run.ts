/**
 * One call: its attempts at endpoints until one counts, within its deadline and the upstream's retry budget.
 *
 * I1. `isOver` is final: the sink hears `onDone` once, where it is set, and nothing after.
 * I2. `attempts` are those under way. `committed` is the one whose answer counts; from then on there are no others, and
 *     none is made again.
 * I3. A streamed request is kept in `sent` as long as another attempt may need it: until there is an answer, or more than
 *     `replayBytesMax` of it; `isReplayable` says which. There is one attempt at a time then.
 * I4. `mayBeApplied`: an attempt that is over may have done something at its server. A call that is not idempotent is made
 *     again only while that is false, so it is done at most once.
 * I5. A call that has no attempt under way is in `path.waiting`, from `start` to its end: it waits for endpoints to be known,
 *     for one that can be chosen, or for the pause before an endpoint is tried again. A client that closes ends it there.
 * I6. An attempt beyond the first is made only where there is somewhere to make it, and then with leave of the budget
 *     unless the one before never reached a server.
 */
import type { Timer } from '../../runtime/index.ts'
import type { UpstreamEndpoint } from '../../traffic/upstream/index.ts'
import type { DeadlineEntry } from '../../wire/grpc/index.ts'
import { type Metadata, type Method, noMetadata, type RpcCode, RpcError, type Service } from '../service/index.ts'
import type { CallEnd } from '../transport/index.ts'
import { Attempt } from './attempt.ts'
import { didNothing, errorOfEnd, localError } from './call-failure.ts'
import type { CallPath } from './call-path.ts'

/** A call, its options complete. */
export interface CallPlan {
  readonly service: Service
  readonly method: Method
  /** The one request message; undefined: messages follow. */
  readonly message: Uint8Array | undefined
  readonly metadata: Metadata
  /** On the monotonic clock; `Infinity` without one. */
  readonly deadlineMs: number
  readonly key: string | undefined
  readonly isIdempotent: boolean
  readonly waitForReady: boolean
  readonly attemptsMax: number
  readonly retryOn: readonly RpcCode[]
  readonly attemptTimeoutMs: number | undefined
  readonly hedgeAfterMs: number | undefined
  readonly signals: readonly AbortSignal[]
}

/** What a call tells its caller. */
export interface CallSink {
  onHeaders(metadata: Metadata): void
  onMessage(message: Uint8Array): void
  /** A streamed request may go on. */
  onDrain(): void
  onDone(error: RpcError | undefined, trailers: Metadata): void
}

/** A longer streamed request is not sent twice. */
const replayBytesMax = 256 << 10
/** Between attempts when every endpoint was tried: doubles, less up to half at random. */
const pauseMsMin = 20
const pauseMsMax = 1_000

export class CallRun implements DeadlineEntry {
  readonly path: CallPath
  readonly sink: CallSink
  readonly deadlineMs: number
  deadlineSlot = -1
  private readonly plan: CallPlan
  private readonly attempts = new Set<Attempt>()
  private readonly tried = new Set<UpstreamEndpoint>()
  private committed: Attempt | undefined = undefined
  private attemptsMade = 0
  private mayBeApplied = false
  private isOver = false
  private lastFailure: string | undefined = undefined
  /** How the last attempt ended, where it failed: what the call fails with when no other can be made. */
  private lastEnd: { readonly error: RpcError; readonly trailers: Metadata } | undefined = undefined
  private hedgeTimer: Timer | undefined = undefined
  private pauseTimer: Timer | undefined = undefined
  private pauses = 0
  private stopListening: (() => void) | undefined = undefined
  private sent: Uint8Array[] = []
  private sentBytes = 0
  private isReplayable = true
  private requestEnded = false

  constructor(path: CallPath, plan: CallPlan, sink: CallSink) {
    this.path = path
    this.plan = plan
    this.sink = sink
    this.deadlineMs = plan.deadlineMs
  }

  /** Begins. The sink is told nothing inside this method, unless the call is over before it began. */
  start(): void {
    const { signals, deadlineMs } = this.plan
    for (const signal of signals) {
      if (signal.aborted) {
        this.aborted(signal.reason)
        return
      }
      signal.addEventListener('abort', this.onAbort, { once: true })
    }
    if (deadlineMs !== Number.POSITIVE_INFINITY) this.path.deadlines.add(this)
    if (this.path.isReady) {
      this.launch()
      return
    }
    this.path.waiting.add(this)
    this.path.whenReady(this.launchFirst)
  }

  /** Sends a message of a streamed request. False: wait for `onDrain`. */
  send(message: Uint8Array): boolean {
    if (this.isOver) return true
    if (this.isReplayable) {
      this.sent.push(message)
      this.sentBytes += message.length
      if (this.sentBytes > replayBytesMax && this.attempts.size > 0) this.forgetSent()
    }
    for (const { call } of this.attempts) return call?.send(message) ?? false
    return false
  }

  /** The streamed request ends. */
  end(): void {
    this.requestEnded = true
    for (const { call } of this.attempts) call?.end()
  }

  pause(): void {
    this.committed?.call?.pause()
  }

  resume(): void {
    this.committed?.call?.resume()
  }

  /** The caller gives up. */
  cancel(reason: unknown): void {
    this.giveUp('CANCELLED', 'the call was cancelled by its caller', 'cancelled', reason)
  }

  /** The caller's requests failed with `error`. */
  fail(error: unknown): void {
    if (this.isOver) return
    const isUnderWay = this.attempts.size > 0
    for (const attempt of this.attempts) attempt.cancel('cancelled')
    const own = error instanceof RpcError ? error.code : 'CANCELLED'
    const why = error instanceof Error ? error.message : String(error)
    const message = own === 'CANCELLED' ? `the caller's requests failed: ${why}` : why
    this.finish(localError(own, message, this.mayBeApplied || isUnderWay, error), noMetadata)
  }

  onDeadline(): void {
    const last = this.lastFailure === undefined ? '' : `; before that: ${this.lastFailure}`
    this.giveUp('DEADLINE_EXCEEDED', `the deadline passed before an answer came${last}`, 'failure')
  }

  /** The client was closed while the call waited (I5). */
  closed(reason: string): void {
    this.finish(localError('UNAVAILABLE', reason, this.mayBeApplied), noMetadata)
  }

  // What follows is for its attempts.

  answered(attempt: Attempt): void {
    this.commit(attempt)
    this.sink.onHeaders(attempt.headers)
  }

  drained(attempt: Attempt): void {
    if (this.attempts.has(attempt)) this.sink.onDrain()
  }

  /**
   * A server keeps the time that it was told too, and may be the first to say that it is over: by a status, or by a reset
   * that says CANCEL. Then the attempt ends as if this side's timer had come first.
   */
  endedByTime(attempt: Attempt, { code }: CallEnd): boolean {
    if (code !== 'CANCELLED' && code !== 'DEADLINE_EXCEEDED') return false
    const nowMs = this.path.clock.monotonicMs()
    const { attemptTimeoutMs } = this.plan
    if (nowMs >= this.deadlineMs) {
      this.onDeadline()
      return true
    }
    if (attemptTimeoutMs === undefined || nowMs - attempt.beganMs < attemptTimeoutMs) return false
    this.attemptTimedOut(attempt, attemptTimeoutMs)
    return attempt.isOver
  }

  attemptEnded(attempt: Attempt, end: CallEnd, isTimedOut = false): void {
    this.attempts.delete(attempt)
    if (this.isOver) return
    if (end.code === undefined) {
      this.succeed(attempt, end.trailers)
      return
    }
    this.lastFailure = `${attempt.endpoint.address.id}: ${end.message}`
    const mayRetry = this.committed === undefined && this.isReplayable && this.mayRetry(end, isTimedOut)
    const error = errorOfEnd(end as CallEnd & { code: RpcCode }, this.mayBeApplied)
    if (error.outcome === 'unknown') this.mayBeApplied = true
    this.lastEnd = { error, trailers: end.trailers }
    if (!mayRetry) this.finish(error, end.trailers)
    else if (this.attempts.size === 0 && !this.launchAgain(end)) this.finish(error, end.trailers)
  }

  private readonly launchFirst = (): void => {
    if (!this.isOver && this.attemptsMade === 0) this.launch()
  }

  /** Makes an attempt wherever one can be made. */
  private launch(): void {
    // The timer of the deadline may be late: what nobody waits for is not sent.
    if (this.path.clock.monotonicMs() >= this.deadlineMs) {
      this.onDeadline()
      return
    }
    const endpoint = this.choose()
    if (typeof endpoint === 'string') this.refused(endpoint)
    else this.launchAt(endpoint)
  }

  private launchAt(endpoint: UpstreamEndpoint): void {
    const { service, method, message, metadata, attemptTimeoutMs, hedgeAfterMs, isIdempotent } = this.plan
    const { path } = this
    const takesOneAnswer = method.kind === 'unary' || method.kind === 'client-streaming'
    const attempt = new Attempt(this, endpoint, { takesOneAnswer, isRetry: this.attemptsMade > 0 })
    this.path.waiting.delete(this)
    this.tried.add(endpoint)
    this.attempts.add(attempt)
    this.attemptsMade++
    const timeoutMs = this.timeoutMs()
    attempt.call = path.channels.of(endpoint).begin({ service, method, metadata, timeoutMs, message }, attempt)
    if (message === undefined) this.replay(attempt)
    if (attemptTimeoutMs !== undefined) {
      attempt.timer = path.scheduler.setTimer(attemptTimeoutMs, () => this.attemptTimedOut(attempt, attemptTimeoutMs))
    }
    if (hedgeAfterMs !== undefined && isIdempotent && message !== undefined && takesOneAnswer) {
      this.hedgeTimer?.cancel()
      this.hedgeTimer = path.scheduler.setTimer(hedgeAfterMs, () => this.hedge())
    }
  }

  /** An endpoint that was not tried and is not known to be down; else any. */
  private choose(): UpstreamEndpoint | string {
    const best = this.chooseFresh()
    return typeof best !== 'string' ? best : this.path.upstream.pick({ key: this.plan.key })
  }

  private chooseFresh(): UpstreamEndpoint | string {
    const { upstream, channels } = this.path
    const isExcluded = this.tried.size === 0 ? channels.isDown : this.isTriedOrDown
    return upstream.pick({ key: this.plan.key, isExcluded })
  }

  private readonly isTriedOrDown = (endpoint: UpstreamEndpoint): boolean =>
    this.tried.has(endpoint) || this.path.channels.isDown(endpoint)

  private replay({ call }: Attempt): void {
    let isLow = true
    for (const message of this.sent) isLow = call!.send(message)
    if (this.requestEnded) call!.end()
    // What was sent before is sent again; whoever waited goes on when the transport says so, or now.
    if (isLow && this.sent.length > 0) this.sink.onDrain()
  }

  private forgetSent(): void {
    this.isReplayable = false
    this.sent = []
  }

  private hedge(): void {
    if (this.isOver || this.attempts.size === 0 || this.attemptsMade >= this.plan.attemptsMax) return
    const endpoint = this.chooseFresh()
    if (typeof endpoint !== 'string' && this.path.upstream.takeHedge()) this.launchAt(endpoint)
  }

  private attemptTimedOut(attempt: Attempt, attemptTimeoutMs: number): void {
    if (attempt === this.committed || attempt.isOver) return
    attempt.cancel('failure')
    const end: CallEnd = {
      code: 'UNAVAILABLE',
      message: `no answer within ${attemptTimeoutMs} ms`,
      trailers: noMetadata,
      isUnprocessed: false,
      origin: 'local',
    }
    this.attemptEnded(attempt, end, true)
  }

  private mayRetry(end: CallEnd, isTimedOut: boolean): boolean {
    if (didNothing(end)) return true
    return this.plan.isIdempotent && (isTimedOut || this.plan.retryOn.includes(end.code!))
  }

  /** Makes one more attempt, now or after a pause; false when none may be made. */
  private launchAgain(end: CallEnd): boolean {
    const { attemptsMax, waitForReady } = this.plan
    const { upstream, isClosed } = this.path
    const keepsWaiting = waitForReady && end.isUnprocessed
    if (isClosed || (this.attemptsMade >= attemptsMax && !keepsWaiting)) return false
    const endpoint = this.chooseFresh()
    // What never reached a server costs servers nothing.
    if (!end.isUnprocessed && !upstream.takeRetry()) return false
    if (typeof endpoint !== 'string') this.launchAt(endpoint)
    else this.pauseThenLaunch()
    return true
  }

  private pauseThenLaunch(): void {
    const { scheduler, random, waiting } = this.path
    const doubled = Math.min(pauseMsMax, pauseMsMin * 2 ** Math.min(this.pauses++, 16))
    waiting.add(this)
    this.pauseTimer = scheduler.setTimer(doubled * (1 - random.float() / 2), this.launchPaused)
  }

  private readonly launchPaused = (): void => {
    if (this.isOver) return
    this.stopPause()
    this.tried.clear()
    this.launch()
  }

  private stopPause(): void {
    this.pauseTimer?.cancel()
    this.pauseTimer = undefined
    this.stopListening?.()
    this.stopListening = undefined
  }

  /** No endpoint can be chosen at all. */
  private refused(refusal: string): void {
    const { upstream, isClosed } = this.path
    const why = refusalTexts[refusal] ?? refusal
    if (this.plan.waitForReady && !isClosed) {
      this.lastFailure ??= why
      this.pauseThenLaunch()
      // As soon as there is one, whatever is left of the pause.
      this.stopListening = upstream.onChange(() => {
        if (upstream.endpoints.some(({ state }) => state === 'ready')) this.launchPaused()
      })
      return
    }
    if (this.lastEnd !== undefined) {
      this.finish(this.lastEnd.error, this.lastEnd.trailers)
      return
    }
    const message = `no endpoint of '${upstream.name}' can be called: ${why}`
    this.finish(localError('UNAVAILABLE', message, this.mayBeApplied), noMetadata)
  }

  private timeoutMs(): number | undefined {
    const { deadlineMs, attemptTimeoutMs } = this.plan
    const leftMs = deadlineMs - this.path.clock.monotonicMs()
    const timeoutMs = Math.min(leftMs, attemptTimeoutMs ?? Number.POSITIVE_INFINITY)
    return timeoutMs === Number.POSITIVE_INFINITY ? undefined : Math.max(1, timeoutMs)
  }

  private succeed(attempt: Attempt, trailers: Metadata): void {
    if (attempt.message !== undefined) {
      this.commit(attempt)
      this.sink.onHeaders(attempt.headers)
      this.sink.onMessage(attempt.message)
    }
    this.finish(undefined, trailers)
  }

  private commit(winner: Attempt): void {
    this.committed = winner
    this.sent = []
    this.isReplayable = false
    this.hedgeTimer?.cancel()
    for (const attempt of this.attempts) {
      if (attempt === winner) continue
      this.attempts.delete(attempt)
      attempt.cancel('cancelled')
    }
  }

  private giveUp(code: RpcCode, message: string, result: 'cancelled' | 'failure', cause?: unknown): void {
    if (this.isOver) return
    const isUnderWay = this.attempts.size > 0
    for (const attempt of this.attempts) attempt.cancel(result)
    this.finish(localError(code, message, this.mayBeApplied || isUnderWay, cause), noMetadata)
  }

  private readonly onAbort = (event: Event): void => this.aborted((event.target as AbortSignal).reason)

  private aborted(reason: unknown): void {
    const isDeadline = (reason as { code?: unknown } | undefined)?.code === 'DEADLINE_EXCEEDED'
    if (isDeadline) this.onDeadline()
    else this.cancel(reason)
  }

  private finish(error: RpcError | undefined, trailers: Metadata): void {
    if (this.isOver) return
    this.isOver = true
    if (this.deadlineSlot >= 0) this.path.deadlines.remove(this)
    this.hedgeTimer?.cancel()
    this.stopPause()
    this.path.waiting.delete(this)
    for (const signal of this.plan.signals) signal.removeEventListener('abort', this.onAbort)
    for (const attempt of this.attempts) attempt.cancel('cancelled')
    this.attempts.clear()
    this.sent = []
    this.sink.onDone(error, trailers)
  }
}

const refusalTexts: Readonly<Record<string, string>> = {
  'no-endpoints': 'there is none; look whether its servers run and are registered',
  'none-healthy': 'none is healthy',
  'circuit-open': 'its circuit is open after failures in a row',
  'too-many-requests': 'too many calls are under way',
  'all-tried': 'all were tried',
}
