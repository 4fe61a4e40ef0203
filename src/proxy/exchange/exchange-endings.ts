/**
 * How an exchange ends other than by the last byte of an upstream's answer: by an answer of the proxy's own while nothing
 * was sent, by breaking off after that; and in each case what is left is let go: attempts, the mirror, the kept body.
 */
import type { Fields } from '../http/index.ts'
import { type Answer, allowedMethods, type FailureKind, failureAnswer, failureTrailers } from './answers.ts'
import { cancelAll, isAnyFull } from './attempt-chain.ts'
import { ExchangeDeadlines } from './exchange-deadlines.ts'
import { Phase } from './exchange-state.ts'

export abstract class ExchangeEndings extends ExchangeDeadlines {
  protected refuseByRate(waitMs: number): void {
    this.core.countRateLimited(this.plan)
    this.failure = 'rate-limited'
    const seconds = String(Math.max(1, Math.ceil(waitMs / 1_000)))
    const { isGrpc } = this.plan
    this.answer(failureAnswer('rate-limited', isGrpc, 'rate limit', this.core.date(), ['retry-after', seconds]))
  }

  protected refuseBody(): void {
    const error = `the body has more than ${this.route.config.requestBodyBytesMax} bytes`
    if (this.phase === Phase.waiting) this.fail('body-too-large', error)
    else this.breakOff('body-too-large', error)
  }

  /** Nothing of a response was sent: answers with the failure. */
  protected fail(kind: FailureKind, error: string): void {
    this.failure = kind
    const extra: Fields = kind === 'method' ? ['allow', allowedMethods] : []
    this.answer(failureAnswer(kind, this.plan.isGrpc, error, this.core.date(), extra))
  }

  protected answer({ head, body, error }: Answer): void {
    const { responder } = this
    cancelAll(this.last, 'cancelled', this.core.nowMs())
    this.phase = Phase.complete
    this.status = head.status
    this.error = error
    this.mirrorEnds()
    const isBare = body.length === 0 || this.head.method === 'HEAD'
    responder.sendHead(head, isBare)
    if (!isBare) {
      this.bodyBytesSent = body.length
      responder.sendData(body)
      responder.sendEnd()
    }
    if (this.phase === Phase.complete) this.updateBodyFlow()
  }

  /** A response that has begun cannot be completed. gRPC has trailers to say so; otherwise the client sees it break. */
  protected breakOff(kind: FailureKind, error: string): void {
    cancelAll(this.last, 'failure', this.core.nowMs())
    this.failure = kind
    this.error = error
    if (this.plan.isGrpc && this.head.version === '2') {
      this.core.countAborted(this.plan)
      this.phase = Phase.complete
      this.mirrorEnds()
      this.responder.sendEnd(failureTrailers(kind))
      if (this.phase === Phase.complete) this.updateBodyFlow()
      return
    }
    this.responder.abort()
    this.over(true)
  }

  protected over(isAborted: boolean): void {
    this.phase = Phase.over
    this.core.wheel.remove(this)
    cancelAll(this.last, 'cancelled', this.core.nowMs())
    this.mirrorEnds()
    this.body.forget()
    this.durationMs = this.core.nowMs() - this.startMs
    this.core.ended(this, this.plan, this.upstream, this.body.bytes, isAborted)
  }

  /** Sees to E5 after anything that fills, empties or ends an attempt. */
  protected updateBodyFlow(): void {
    const isFull = this.phase < Phase.complete && isAnyFull(this.last)
    if (isFull === this.isBodyPaused) return
    this.isBodyPaused = isFull
    if (isFull) this.responder.pause()
    else this.responder.resume()
  }

  /** A copy whose body is not complete now never will be. */
  protected mirrorEnds(): void {
    if (!this.body.hasEnded) this.mirror?.abort()
    this.mirror = undefined
  }
}
