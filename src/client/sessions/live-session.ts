/**
 * One session: its heartbeat, its deadline, and the news of both. Made by `SessionPool`; S1 to S3 are in `session.ts`.
 *
 * - I1  While the session lives `beatTimer` is set for the next renewal, also while others are under way: an answer that
 *       is slow or lost delays none after it. Each ends with the deadline that held when it was sent, which bounds them.
 * - I2  `deadlineMs` only rises, and only by renewals whose answer came before it passed. Whoever reads the clock at or
 *       past it finds the session lost, and so does everybody later: that makes S2 hold without a flag.
 * - I3  While the session lives, `watchTimer` is set for the next moment at which the lack of a renewal is news.
 */
import type { Timer } from '../../runtime/index.ts'
import type { LeaseAnswer, LeaseId } from '../driver/index.ts'
import { SynodError } from '../errors.ts'
import { Backoff, pause } from '../watching/index.ts'
import type { LeaseDriver, Session, SessionEvent } from './session.ts'
import { type DriftMargin, sessionDeadlineMs } from './session-deadline.ts'

/** Of the time-to-live: so long after a renewal was sent that succeeded the next is sent. */
const beatEvery = 1 / 3
/** So long after one that has no answer yet. */
const unansweredPart = 1 / 6
/** So long after one that failed, at first and at most. */
const retryFirstPart = 1 / 40
const retryMaxPart = 1 / 10
const jeopardyPart = 1 / 2

export interface LiveSessionParts {
  readonly driver: LeaseDriver
  readonly id: string
  readonly answer: LeaseAnswer
  readonly margin: DriftMargin
  /** Called once, when it is over. */
  readonly onOver: (session: LiveSession) => void
}

export class LiveSession implements Session {
  readonly id: string
  readonly leaseId: LeaseId
  private readonly driver: LeaseDriver
  private readonly margin: DriftMargin
  private readonly onOver: (session: LiveSession) => void
  private readonly controller = new AbortController()
  private readonly listeners: Readonly<Record<SessionEvent, Set<() => void>>> = {
    jeopardy: new Set(),
    recovered: new Set(),
    lost: new Set(),
  }
  private readonly backoff: Backoff
  /** What the engine promised last. */
  private ttlMs: number
  /** When the renewal that set `deadlineMs` was sent. */
  private renewedAtMs: number
  private deadlineMs: number
  /** Whether `jeopardy` was told and nothing since. */
  private inJeopardy = false
  private beatTimer: Timer | undefined
  private watchTimer: Timer | undefined
  private revocation: Promise<void> | undefined

  constructor(parts: LiveSessionParts) {
    this.driver = parts.driver
    this.id = parts.id
    this.leaseId = parts.answer.leaseId
    this.margin = parts.margin
    this.onOver = parts.onOver
    this.ttlMs = parts.answer.ttlMs
    this.renewedAtMs = parts.answer.sentAtMs
    this.deadlineMs = sessionDeadlineMs(parts.answer, parts.margin)
    this.backoff = new Backoff(this.driver.outside, {
      firstMs: this.ttlMs * retryFirstPart,
      longestMs: this.ttlMs * retryMaxPart,
    })
    this.watch()
    this.scheduleBeat()
  }

  get signal(): AbortSignal {
    return this.controller.signal
  }

  remainingMs(): number {
    return this.over ? 0 : Math.max(0, this.deadlineMs - this.nowMs())
  }

  assertAlive(): void {
    if (this.over) throw this.controller.signal.reason
    if (this.nowMs() >= this.deadlineMs) throw this.deadlineError()
  }

  on(event: SessionEvent, listener: () => void): () => void {
    this.listeners[event].add(listener)
    return () => {
      this.listeners[event].delete(listener)
    }
  }

  async close(): Promise<void> {
    if (!this.over)
      this.end(new SynodError('SESSION_LOST', `session ${this.id} is over: it was closed by this program`))
    await this.revoke()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  private get over(): boolean {
    return this.controller.signal.aborted
  }

  private nowMs(): number {
    return this.driver.outside.clock.monotonicMs()
  }

  private scheduleBeat(): void {
    const jitter = 0.9 + this.driver.outside.random.float() / 10
    this.setBeatTimer(this.renewedAtMs + this.ttlMs * beatEvery * jitter - this.nowMs())
  }

  private setBeatTimer(delayMs: number): void {
    this.beatTimer?.cancel()
    this.beatTimer = this.driver.outside.scheduler.setTimer(Math.max(0, delayMs), () => {
      void this.beat()
    })
  }

  private async beat(): Promise<void> {
    this.setBeatTimer(this.ttlMs * unansweredPart)
    try {
      this.renewed(await this.driver.renewLease(this.leaseId, { deadlineMs: this.deadlineMs }))
    } catch (error) {
      this.notRenewed(error)
    }
  }

  private renewed(answer: LeaseAnswer): void {
    // The engine has just given a dead session new time, which would keep others waiting for nothing (S2).
    if (this.over) {
      this.revocation = undefined
      void this.revoke()
      return
    }
    if (this.nowMs() >= this.deadlineMs) {
      this.lose(this.deadlineError())
      return
    }
    const deadlineMs = sessionDeadlineMs(answer, this.margin)
    if (deadlineMs > this.deadlineMs) {
      this.deadlineMs = deadlineMs
      this.renewedAtMs = answer.sentAtMs
      this.ttlMs = answer.ttlMs
    }
    // The answer may be to a renewal that was sent so long ago that the danger is not over.
    const recovered = this.inJeopardy && this.nowMs() < this.renewedAtMs + this.ttlMs * jeopardyPart
    if (recovered) this.inJeopardy = false
    this.watch()
    this.scheduleBeat()
    if (recovered) this.tell('recovered')
  }

  private notRenewed(error: unknown): void {
    if (this.over) return
    const code = error instanceof SynodError ? error.code : undefined
    if (code === 'LEASE_NOT_FOUND') {
      const message = `session ${this.id} is over: the engine has ended its lease; open another session and acquire anew`
      this.revocation = Promise.resolve()
      this.lose(new SynodError('SESSION_LOST', message, { cause: error }))
    } else if (code === 'CLOSED' || code === 'ENGINE_FAILED') {
      const message = `session ${this.id} is over: its engine was closed or failed, so that it cannot be renewed`
      this.revocation = Promise.resolve()
      this.lose(new SynodError('SESSION_LOST', message, { cause: error }))
    } else {
      this.driver.outside.logger.debug('session renewal failed', { session: this.id, error: String(error) })
      this.setBeatTimer(this.backoff.next())
    }
  }

  /** Sets `watchTimer` for jeopardy, or when that was told, for the deadline (I3). */
  private watch(): void {
    this.watchTimer?.cancel()
    const atMs = this.inJeopardy
      ? this.deadlineMs
      : Math.min(this.deadlineMs, this.renewedAtMs + this.ttlMs * jeopardyPart)
    this.watchTimer = this.driver.outside.scheduler.setTimer(Math.max(0, atMs - this.nowMs()), () => {
      const nowMs = this.nowMs()
      if (nowMs >= this.deadlineMs) {
        this.lose(this.deadlineError())
        return
      }
      // A timer may be early by a fraction of its clock's tick: then it is only set again.
      const jeopardy = nowMs >= atMs && !this.inJeopardy
      if (jeopardy) this.inJeopardy = true
      this.watch()
      if (jeopardy) this.tell('jeopardy')
    })
  }

  private deadlineError(): SynodError {
    return new SynodError(
      'SESSION_LOST',
      `session ${this.id} is over: no renewal succeeded within ${this.ttlMs} ms, because the engine was out of reach or ` +
        'this process stood still; open another session and acquire anew',
    )
  }

  private lose(reason: SynodError): void {
    this.end(reason)
    // The engine may count from a renewal whose answer never came: what hangs on this session need not wait for that.
    void this.revoke()
  }

  private end(reason: SynodError): void {
    this.beatTimer?.cancel()
    this.watchTimer?.cancel()
    this.controller.abort(reason)
    this.onOver(this)
    this.tell('lost')
  }

  private tell(event: SessionEvent): void {
    for (const listener of [...this.listeners[event]]) {
      try {
        listener()
      } catch (error) {
        this.driver.outside.logger.error('a session listener threw', { session: this.id, event, error: String(error) })
      }
    }
  }

  private revoke(): Promise<void> {
    this.revocation ??= this.revokeUntilOver()
    return this.revocation
  }

  /** Until the engine has answered, or has certainly ended the lease by itself. Never rejects. */
  private async revokeUntilOver(): Promise<void> {
    const { outside } = this.driver
    const backoff = new Backoff(outside)
    const untilMs = this.nowMs() + this.ttlMs
    for (;;) {
      try {
        await this.driver.revokeLease(this.leaseId, { deadlineMs: untilMs })
        return
      } catch (error) {
        const again = error instanceof SynodError && (error.retryable || error.outcome === 'unknown')
        if (!again || error.code === 'CLOSED' || error.code === 'ENGINE_FAILED' || this.nowMs() >= untilMs) return
      }
      await pause(outside, backoff.next())
    }
  }
}
