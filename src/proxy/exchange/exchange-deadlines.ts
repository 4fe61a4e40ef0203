/**
 * When an exchange runs out of patience. `Exchange.onDeadline` says what happens then.
 *
 * | limit | runs | from | ends |
 * |---|---|---|---|
 * | `timeouts.requestMs`, `grpc-timeout` | to the end of the response | the head of the request | the exchange |
 * | `limits.bodyIdleTimeoutMs` | to the end of the request | its last piece | the exchange |
 * | `timeouts.attemptMs` | to the head of the answer | the whole request | the attempt |
 * | `headHeldMs` | to the first of the answer's body | its head | the wait: the head is passed on |
 * | `retry.hedgeAfterMs` | to the head of an answer | the last attempt | nothing: another attempt begins |
 * | `timeouts.responseIdleMs` | to the end of the response | its last piece | the exchange |
 * | `timeouts.upgradedIdleMs` | while upgraded | the last piece either way | the exchange |
 */
import type { Attempt } from './attempt.ts'
import { ExchangeState, never, Phase } from './exchange-state.ts'

/** For so long the head of an answer waits for its body, while the request could be repeated. */
export const headHeldMs = 20

export abstract class ExchangeDeadlines extends ExchangeState {
  /** Sees to E6 after anything that may have brought the next deadline forward. */
  protected schedule(nowMs: number): void {
    if (this.phase === Phase.over) return
    const { wheel } = this.core
    const nextMs = this.nextDeadlineMs()
    if (this.wheelSlot >= 0 ? this.deadlineMs <= nextMs : nextMs === never) return
    wheel.remove(this)
    this.deadlineMs = nextMs
    wheel.add(this, nowMs)
  }

  protected nextDeadlineMs(): number {
    if (this.phase > Phase.waiting)
      return Math.min(this.phase < Phase.complete ? this.requestDeadlineMs : never, this.idleDeadlineMs())
    let nextMs = Math.min(this.requestDeadlineMs, this.hedgeDeadlineMs())
    if (!this.body.hasEnded) nextMs = Math.min(nextMs, this.bodyIdleDeadlineMs())
    for (let attempt = this.last; attempt !== undefined; attempt = attempt.previous) {
      if (!attempt.isOver) nextMs = Math.min(nextMs, this.attemptDeadlineMs(attempt))
    }
    return nextMs
  }

  /** Between two pieces of the request's body. */
  protected bodyIdleDeadlineMs(): number {
    return this.activityMs + this.plan.listener.config.limits.bodyIdleTimeoutMs
  }

  /** From the whole request to the head of the answer. */
  protected attemptDeadlineMs(attempt: Attempt): number {
    if (attempt.held !== undefined) return attempt.heldUntilMs
    const { attemptMs } = this.route.config.timeouts
    if (attemptMs === 0 || !this.body.hasEnded) return never
    return Math.max(attempt.startMs, this.requestEndMs) + attemptMs
  }

  /** From the whole request, or the start of the last attempt, to one beside it. */
  protected hedgeDeadlineMs(): number {
    const { hedgeAfterMs } = this.route.config.retry
    if (hedgeAfterMs === 0 || !this.body.hasEnded || !this.mayRepeat(undefined)) return never
    return Math.max(this.last?.startMs ?? 0, this.requestEndMs, this.hedgeRefusedMs) + hedgeAfterMs
  }

  /** Once the response has begun. A client that takes nothing is its connection's concern. */
  protected idleDeadlineMs(): number {
    const { responseIdleMs, upgradedIdleMs } = this.route.config.timeouts
    if (this.isUpgraded) return upgradedIdleMs === 0 ? never : this.activityMs + upgradedIdleMs
    if (this.phase === Phase.complete || this.isResponsePaused || responseIdleMs === 0) return never
    return this.activityMs + responseIdleMs
  }
}
