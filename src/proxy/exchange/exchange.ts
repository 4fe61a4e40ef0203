/**
 * One request on its way: from its head to the end of its response, over as many attempts as it takes. Made by the
 * handler for each request; called by the downstream connection (`RequestConsumer`), by its attempts, and by the wheel.
 *
 * - E1  `phase` only goes forward: waiting, responding, complete, over. `over` is reached once, and logs and counts once.
 * - E2  Attempts in flight are those of the chain `last`, `last.previous`, … that are not over. While waiting there is at
 *       least one; in any later phase at most `chosen`. When over there is none.
 * - E3  Nothing of a response is forwarded before its attempt is `chosen`, and then every other attempt is given up. So a
 *       client sees one response, and there is no retry once it began. A head that is `held` is not chosen yet.
 * - E4  Another attempt starts only when the request's body is whole (`RequestBody.isWhole`), attempts are left, and the
 *       upstream's retry budget allows it.
 * - E5  The client's body is paused exactly while an attempt in flight is full.
 * - E6  `deadlineMs` in the wheel is never later than the next deadline; it may be earlier, which costs one look.
 *
 * It stands on three layers: `ExchangeState` (what is known, and whether the request may be sent again),
 * `ExchangeDeadlines` (every time-out, in a table) and `ExchangeEndings` (how it may end). Here are the events, and retries
 * and hedges. Beside it: `Attempt` (one try at one endpoint), `retry-conditions.ts` (what an outcome allows),
 * `choose-endpoint.ts` (splits, stickiness, hashing), `RequestBody` (what is kept for another attempt), `Mirror` (copies),
 * `answers.ts` (what the proxy says itself).
 */
import type { UpstreamEndpoint } from '../../traffic/upstream/index.ts'
import type { RetryCondition } from '../config/index.ts'
import type { AttemptFailure, Fields, OutgoingRequest, RequestConsumer, ResponseHead } from '../http/index.ts'
import { type FailureKind, kindOfAttemptFailure, kindOfRefusal } from './answers.ts'
import { Attempt, type AttemptOwner, resultOf } from './attempt.ts'
import { cancelAll, endAll, firstHeld, isAnyInFlight, writeToAll } from './attempt-chain.ts'
import { splitTarget, stickyChoice, stickyCookieOf } from './choose-endpoint.ts'
import type { ActiveRoute } from './compiled-listener.ts'
import { headHeldMs } from './exchange-deadlines.ts'
import { ExchangeEndings } from './exchange-endings.ts'
import { never, Phase } from './exchange-state.ts'
import { isGrpcResponse, trailersOnlyStatus, trailersStatus, withGrpcTimeout } from './grpc.ts'
import { localAnswer } from './local-answer.ts'
import { answerAsLastRecipient } from './max-forwards.ts'
import { openMirror } from './open-mirror.ts'
import type { ProxyUpstream } from './proxy-upstream.ts'
import { responseHeadFor, withRoomForTrailers } from './response-head.ts'
import { isUnwell, retryConditionOf, retryConditionOfFailure } from './retry-conditions.ts'

export class Exchange extends ExchangeEndings implements RequestConsumer, AttemptOwner {
  // The beginning.

  /** Called once, right after it was made. */
  start(): void {
    const { plan } = this
    if (plan.refusal !== undefined) return this.fail(plan.refusal, '')
    const route = this.route
    if (route.limiter !== undefined) {
      const waitMs = this.core.rateLimitWaitMs(route, plan, this.startMs)
      if (waitMs > 0) return this.refuseByRate(waitMs)
    }
    const { requestBodyBytesMax } = route.config
    if (
      requestBodyBytesMax > 0 &&
      typeof this.head.bodyLength === 'number' &&
      this.head.bodyLength > requestBodyBytesMax
    ) {
      return this.fail('body-too-large', `the body has ${this.head.bodyLength} bytes`)
    }
    if (route.config.action.type === 'forward' && plan.forwardsLeft === 0)
      this.answer(answerAsLastRecipient(this.core.date()))
    else if (route.config.action.type === 'forward') this.forward(route)
    else this.answer(localAnswer(route, plan, this.core.date(), this))
  }

  private forward(route: ActiveRoute): void {
    const { requestMs } = route.config.timeouts
    if (requestMs > 0) this.requestDeadlineMs = this.startMs + requestMs
    this.requestDeadlineMs = Math.min(this.requestDeadlineMs, this.startMs + this.plan.grpcTimeoutMs)
    const { sticky } = route.config
    const bound = sticky === undefined ? undefined : stickyChoice(route, sticky, this.plan)
    this.upstream = bound?.upstream ?? splitTarget(route)
    const picked = bound?.endpoint ?? this.core.chooser.pick(this.upstream, this.plan, undefined)
    if (typeof picked === 'string') return this.fail(kindOfRefusal(picked), `upstream ${this.upstream.name}: ${picked}`)
    this.attempt(picked, this.startMs)
    // Only now is it certain that somebody takes the body.
    if (this.head.expectsContinue && !this.body.hasEnded) this.responder.sendInformational(100, [])
    if (route.mirror !== undefined) this.mirror = openMirror(this.core, route.mirror, this.plan, this)
    this.schedule(this.startMs)
  }

  // Attempts, retries, hedges.

  private attempt(endpoint: UpstreamEndpoint, nowMs: number): void {
    const upstream = this.upstream!
    const attempt = new Attempt(this, upstream, endpoint, this.last, nowMs)
    this.last = attempt
    this.attempts++
    const call = attempt.slot.pool.send(this.outgoing(upstream, nowMs), attempt)
    attempt.call = call
    if (this.head.bodyLength === 0) return
    attempt.isFull = !this.body.replay(call)
    this.updateBodyFlow()
  }

  private outgoing(upstream: ProxyUpstream, nowMs: number): OutgoingRequest {
    const { plan } = this
    const planned = plan.outgoingTo(upstream, this)
    const needsTimeout = plan.grpcTimeoutMs !== never && nowMs > this.startMs
    if (!needsTimeout) return planned
    const fields = withGrpcTimeout(planned.fields, this.startMs + plan.grpcTimeoutMs - nowMs)
    return { ...planned, fields, memo: undefined }
  }

  /** Starts another attempt if `condition` (undefined: whatever the route says) allows it. Whether it did. */
  private tryAgain(
    condition: RetryCondition | undefined,
    isUnprocessed: boolean,
    nowMs: number,
    isHedge = false,
  ): boolean {
    const { plan } = this
    if (isUnprocessed ? !this.mayAttempt() : !this.mayRepeat(condition)) return false
    const upstream = this.upstream!
    const picked = this.core.chooser.pick(upstream, plan, this.last)
    if (typeof picked === 'string') return false
    if (!(isHedge ? upstream.upstream.takeHedge() : upstream.upstream.takeRetry())) return false
    this.attempt(picked, nowMs)
    return true
  }

  /** An attempt is over: starts another in its place, on the same terms. Whether it did. */
  private retry(condition: RetryCondition | undefined, isUnprocessed: boolean, nowMs: number): boolean {
    if (!this.tryAgain(condition, isUnprocessed, nowMs)) return false
    this.core.countRetry(this.plan)
    this.schedule(nowMs)
    return true
  }

  /** Nobody has answered yet: another attempt beside the one in flight, of which the first to answer is chosen. */
  private hedge(nowMs: number): void {
    if (this.tryAgain(undefined, false, nowMs, true)) this.core.countHedge(this.plan)
    // Refused by the budget or for want of an endpoint: asked again after the same time.
    else this.hedgeRefusedMs = nowMs
  }

  // What its attempts tell.

  onAttemptInformational(_attempt: Attempt, status: number, fields: Fields): void {
    // The client has its 100 already, and HTTP/1.0 knows none of them (RFC 9110 §15.2).
    if (this.phase !== Phase.waiting || status === 100 || this.head.version === '1.0') return
    this.responder.sendInformational(status, fields)
  }

  onAttemptHead(attempt: Attempt, head: ResponseHead, end: boolean): void {
    const nowMs = this.core.nowMs()
    const { status } = head
    attempt.headMs = nowMs
    attempt.status = status
    this.activityMs = nowMs
    if (status === 101 && this.head.upgrade === undefined) {
      attempt.cancel('failure', nowMs)
      const detail = 'it answered 101, which nobody asked for'
      return this.attemptEnded('malformed-response', 'broken-connection', false, detail, nowMs)
    }
    const grpcStatus = this.plan.isGrpc ? trailersOnlyStatus(head) : undefined
    const unwell = isUnwell(status, grpcStatus)
    if (unwell) {
      const condition = retryConditionOf(status, grpcStatus)
      if (condition !== undefined && this.dropForAnother(attempt, condition, end, nowMs)) return
    }
    if (this.isGrpcOverHttp1 && !isGrpcResponse(head)) return this.refuseAsNotGrpc(attempt, status, unwell, nowMs)
    if (!end && !unwell && this.isWorthHolding(status)) {
      attempt.held = head
      attempt.heldUntilMs = nowMs + headHeldMs
      this.schedule(nowMs)
      return
    }
    this.choose(attempt, nowMs)
    if (end) attempt.settle(unwell ? 'failure' : 'success', nowMs)
    this.respond(attempt, head, end)
  }

  /**
   * Whether the head of an answer waits for the first of its body: a server that dies between the two then costs the
   * client nothing, for another attempt is still possible (E3).
   */
  private isWorthHolding(status: number): boolean {
    return status !== 101 && this.mayRepeat('broken-connection')
  }

  private release(attempt: Attempt, head: ResponseHead): void {
    attempt.held = undefined
    this.choose(attempt, this.core.nowMs())
    this.respond(attempt, head, false)
  }

  private choose(attempt: Attempt, nowMs: number): void {
    if (attempt !== this.last || attempt.previous !== undefined) cancelAll(this.last, 'cancelled', nowMs, attempt)
    this.chosen = attempt
    // What went wrong before does not matter to this client.
    this.error = ''
    this.body.forget()
  }

  /** Whether another attempt, in flight or new, takes the place of this one, which answered that it is not well. */
  private dropForAnother(attempt: Attempt, condition: RetryCondition, end: boolean, nowMs: number): boolean {
    if (!this.route.retriesOn(condition)) return false
    // While another is in flight the answer of this one is not needed; else a new one must start first.
    if (!isAnyInFlight(this.last, attempt) && !this.retry(condition, false, nowMs)) return false
    if (end && this.body.hasEnded) attempt.settle('failure', nowMs)
    else attempt.cancel('failure', nowMs)
    this.updateBodyFlow()
    return true
  }

  /** A client of gRPC would tell of the HTTP status alone, which leads nobody to the cause. */
  private refuseAsNotGrpc(attempt: Attempt, status: number, unwell: boolean, nowMs: number): void {
    attempt.cancel(unwell ? 'failure' : 'success', nowMs)
    this.fail('not-grpc', `gRPC over HTTP/1.1 to upstream ${this.upstream!.name} got ${status}: set protocol: http2`)
  }

  private respond(attempt: Attempt, head: ResponseHead, end: boolean): void {
    const { responder } = this
    this.phase = end ? Phase.complete : Phase.responding
    this.status = head.status
    this.isUpgraded = head.status === 101
    // A time for the whole request cannot be meant for a connection without requests.
    if (this.isUpgraded) this.requestDeadlineMs = never
    const out = responseHeadFor(head, this.plan, stickyCookieOf(this.route, this.plan, attempt), this.core, this)
    responder.sendHead(end ? out : withRoomForTrailers(out, this.plan), end)
    if (this.phase === Phase.over) return
    if (end) this.requestNoLongerNeeded(attempt)
    else {
      this.updateBodyFlow()
      this.schedule(attempt.headMs)
    }
  }

  onAttemptData(attempt: Attempt, bytes: Uint8Array): void {
    if (attempt.held !== undefined) {
      this.release(attempt, attempt.held)
      if (attempt.isOver) return
    }
    this.bodyBytesSent += bytes.length
    this.activityMs = this.core.nowMs()
    if (this.responder.sendData(bytes) || this.isResponsePaused || attempt.isOver) return
    this.isResponsePaused = true
    attempt.call!.pause()
  }

  onAttemptEnd(attempt: Attempt, trailers: Fields | undefined): void {
    if (attempt.held !== undefined) {
      this.release(attempt, attempt.held)
      if (attempt.isOver) return
    }
    if (this.isUpgraded && !this.hasClientLeft) return this.serverLeft()
    const grpcStatus = this.plan.isGrpc ? trailersStatus(trailers) : undefined
    attempt.settle(isUnwell(attempt.status, grpcStatus) ? 'failure' : 'success', attempt.headMs)
    this.phase = Phase.complete
    this.responder.sendEnd(trailers)
    if (this.phase !== Phase.complete) return
    this.requestNoLongerNeeded(attempt)
    if (this.isUpgraded) this.schedule(this.core.nowMs())
  }

  /** One half of an upgraded connection: the client goes on alone, and the attempt with it, until it ends as well. */
  private serverLeft(): void {
    this.hasServerLeft = true
    this.responder.sendEnd()
    this.schedule(this.core.nowMs())
  }

  /** The response is complete. If the request is not, its attempt's connection must not wait for the rest. */
  private requestNoLongerNeeded(attempt: Attempt): void {
    if (!this.body.hasEnded && !this.isUpgraded) attempt.call?.abort()
    this.mirrorEnds()
    this.updateBodyFlow()
  }

  onAttemptDrain(attempt: Attempt): void {
    attempt.isFull = false
    this.activityMs = this.core.nowMs()
    this.updateBodyFlow()
  }

  onAttemptFailed(attempt: Attempt, failure: AttemptFailure): void {
    const nowMs = this.core.nowMs()
    // A gRPC server was told the deadline, and may be the first to end what is late.
    if (this.requestDeadlineMs <= nowMs && this.phase < Phase.complete) return this.onRequestDeadline(nowMs)
    attempt.settle(resultOf(failure), nowMs)
    if (attempt === this.chosen) return this.breakOff(kindOfAttemptFailure(failure.kind), failure.detail)
    const condition = retryConditionOfFailure(failure.kind)
    this.attemptEnded(kindOfAttemptFailure(failure.kind), condition, failure.isUnprocessed, failure.detail, nowMs)
  }

  /** An attempt is over without an answer: another takes its place, or the request fails. */
  private attemptEnded(
    kind: FailureKind,
    condition: RetryCondition,
    isUnprocessed: boolean,
    detail: string,
    nowMs: number,
  ): void {
    this.error = detail
    if (isAnyInFlight(this.last) || this.retry(condition, isUnprocessed, nowMs)) return
    // Servers of gRPC alone close a connection that does not begin as HTTP/2 does (RFC 9113 §3.4).
    this.fail(condition === 'broken-connection' && this.isGrpcOverHttp1 ? 'not-grpc' : kind, detail)
  }

  // The client.

  onData(bytes: Uint8Array): void {
    if (this.phase >= Phase.complete) return
    this.activityMs = this.core.nowMs()
    if (this.isUpgraded) this.body.bytes += bytes.length
    else this.body.add(bytes)
    const { requestBodyBytesMax } = this.route.config
    if (requestBodyBytesMax > 0 && this.body.bytes > requestBodyBytesMax && !this.isUpgraded) return this.refuseBody()
    writeToAll(this.last, bytes)
    this.mirror?.write(bytes)
    this.updateBodyFlow()
  }

  onEnd(trailers: Fields | undefined): void {
    if (this.phase >= Phase.complete) return
    this.requestEndMs = this.core.nowMs()
    this.activityMs = this.requestEndMs
    const passed = this.plan.trailersFor(trailers)
    this.body.end(passed)
    endAll(this.last, passed)
    this.mirror?.end(passed)
    if (this.isUpgraded) this.clientLeft()
    this.schedule(this.requestEndMs)
  }

  private clientLeft(): void {
    this.hasClientLeft = true
    const { chosen } = this
    if (!this.hasServerLeft || chosen === undefined || chosen.isOver) return
    chosen.settle('success', chosen.headMs)
    this.phase = Phase.complete
  }

  onDrain(): void {
    if (!this.isResponsePaused) return
    this.isResponsePaused = false
    this.activityMs = this.core.nowMs()
    const { chosen } = this
    if (chosen === undefined || chosen.isOver) return
    chosen.call!.resume()
    this.schedule(this.activityMs)
  }

  onAborted(reason: string): void {
    if (this.phase === Phase.over) return
    if (this.status === 0) this.status = 499
    this.error = reason
    this.over(true)
  }

  onFinished(): void {
    if (this.phase !== Phase.over) this.over(false)
  }

  // Deadlines.

  onDeadline(nowMs: number): void {
    if (this.phase === Phase.over) return
    if (this.requestDeadlineMs <= nowMs && this.phase < Phase.complete) this.onRequestDeadline(nowMs)
    else if (this.phase === Phase.waiting) this.onWaitingDeadline(nowMs)
    else if (this.idleDeadlineMs() <= nowMs) this.onIdle()
    if (this.wheelSlot < 0) this.schedule(nowMs)
  }

  private onRequestDeadline(nowMs: number): void {
    // A deadline that the client chose says nothing about the endpoint.
    const isOfClient = this.startMs + this.plan.grpcTimeoutMs <= nowMs
    cancelAll(this.last, isOfClient ? 'cancelled' : 'failure', this.core.nowMs())
    const error = isOfClient ? 'the deadline of the client has passed' : 'the time for the request is over'
    if (this.phase === Phase.waiting) this.fail('response-timeout', error)
    else this.breakOff('response-timeout', error)
  }

  private onWaitingDeadline(nowMs: number): void {
    if (!this.body.hasEnded && !this.isBodyPaused && this.bodyIdleDeadlineMs() <= nowMs) {
      return this.fail('client-timeout', 'nothing of the body came')
    }
    const isStuck = this.isBodyPaused && this.bodyIdleDeadlineMs() <= nowMs
    const held = firstHeld(this.last)
    if (held?.held !== undefined) {
      if (held.heldUntilMs <= nowMs) this.release(held, held.held)
      return
    }
    let hasTimedOut = false
    for (let attempt = this.last; attempt !== undefined; attempt = attempt.previous) {
      if (attempt.isOver || !(this.attemptDeadlineMs(attempt) <= nowMs || (isStuck && attempt.isFull))) continue
      attempt.cancel('failure', nowMs)
      hasTimedOut = true
    }
    if (hasTimedOut) this.attemptEnded('response-timeout', 'timeout', false, 'the attempt took too long', nowMs)
    else if (this.hedgeDeadlineMs() <= nowMs) this.hedge(nowMs)
  }

  private onIdle(): void {
    if (this.isUpgraded) {
      this.error = 'the upgraded connection was idle'
      cancelAll(this.last, 'cancelled', this.core.nowMs())
      this.responder.abort()
      this.over(false)
    } else this.breakOff('response-timeout', 'nothing of the response came')
  }
}
