/**
 * What an exchange knows of its request, and what follows from that alone: its line in the log, and whether the request
 * may be sent again. The invariants E1 to E6 are those of `Exchange`.
 */
import { assertDefined } from '../../base/index.ts'
import type { AccessRecord, LogCache } from '../access-log/index.ts'
import type { RetryCondition } from '../config/index.ts'
import { newRequestId } from '../forwarded/index.ts'
import type { ClientInfo, RequestHead, Responder } from '../http/index.ts'
import type { FailureKind } from './answers.ts'
import type { Attempt } from './attempt.ts'
import type { ActiveRoute } from './compiled-listener.ts'
import type { ExchangeCore } from './exchange-core.ts'
import type { Mirror } from './mirror.ts'
import type { ProxyUpstream } from './proxy-upstream.ts'
import { RequestBody } from './request-body.ts'
import type { RequestPlan } from './request-plan.ts'
import type { WheelEntry } from './timing-wheel.ts'

export const Phase = { waiting: 0, responding: 1, complete: 2, over: 3 }
export const never = Number.POSITIVE_INFINITY

export abstract class ExchangeState implements WheelEntry, AccessRecord {
  readonly head: RequestHead
  status = 0
  bodyBytesSent = 0
  durationMs = 0
  attempts = 0
  error = ''
  failure: FailureKind | '' = ''
  deadlineMs = never
  wheelSlot = -1
  wheelNext: WheelEntry | undefined
  wheelPrevious: WheelEntry | undefined
  protected readonly core: ExchangeCore
  protected readonly plan: RequestPlan
  protected readonly responder: Responder
  protected readonly startMs: number
  protected phase = Phase.waiting
  protected isUpgraded = false
  /** Which halves of an upgraded connection have ended. With both the attempt is over, and the phase `complete`. */
  protected hasClientLeft = false
  protected hasServerLeft = false
  protected upstream: ProxyUpstream | undefined
  protected last: Attempt | undefined
  protected chosen: Attempt | undefined
  protected readonly body: RequestBody
  /** When the request was complete; meaningless before. */
  protected requestEndMs: number
  protected isBodyPaused = false
  /** The response's body is paused: the client does not take it. */
  protected isResponsePaused = false
  /** When something of the request or the response last came. */
  protected activityMs: number
  /** All attempts together end by then. */
  protected requestDeadlineMs = never
  protected mirror: Mirror | undefined
  /** When a hedge was refused last, by the budget or for want of an endpoint. */
  protected hedgeRefusedMs = 0
  /** As made for this request; empty until somebody asks for one that the client did not send. */
  private madeId = ''

  constructor(core: ExchangeCore, plan: RequestPlan, head: RequestHead, responder: Responder, nowMs: number) {
    this.core = core
    this.plan = plan
    this.head = head
    this.responder = responder
    this.startMs = nowMs
    this.requestEndMs = nowMs
    this.activityMs = nowMs
    const retry = plan.route?.config.retry
    const keptBytesMax = retry === undefined || retry.attemptsMax <= 1 ? 0 : retry.bufferedBodyBytesMax
    this.body = new RequestBody(head.bodyLength === 0, keptBytesMax, core.ledger)
    core.begun(plan)
  }

  // What the log reads.

  get client(): ClientInfo {
    return this.responder.client
  }

  get clientAddress(): string {
    return this.plan.clientAddress
  }

  /** What the client sent, or made at the first question. */
  get requestId(): string {
    const { requestId } = this.plan
    if (requestId !== '') return requestId
    if (this.madeId === '') this.madeId = newRequestId(this.core.random)
    return this.madeId
  }

  get routeName(): string {
    return this.plan.route?.config.name ?? ''
  }

  get upstreamAddress(): string {
    return (this.chosen ?? this.last)?.slot.address ?? ''
  }

  get upstreamDurationMs(): number {
    const attempt = this.chosen ?? this.last
    return attempt === undefined || attempt.headMs < 0 ? -1 : attempt.headMs - attempt.startMs
  }

  get logCache(): LogCache {
    return this.plan.logCache
  }

  /** A misconfiguration, which is to be told as such. */
  protected get isGrpcOverHttp1(): boolean {
    return this.plan.isGrpc && this.upstream?.config.protocol === 'http1'
  }

  protected get route(): ActiveRoute {
    return assertDefined(this.plan.route, 'a plan without refusal has a route')
  }

  // Whether the request may be sent again.

  /** Attempts are left, and another one could be given the whole body (E4). */
  protected mayAttempt(): boolean {
    return this.attempts < this.route.config.retry.attemptsMax && this.body.isWhole
  }

  /** Whether the route allows another attempt when one that may have been processed ended by `condition`. */
  protected mayRepeat(condition: RetryCondition | undefined): boolean {
    const { route } = this
    if (!this.mayAttempt() || !(this.plan.isIdempotent || route.config.retry.nonIdempotent)) return false
    return condition === undefined || route.retriesOn(condition)
  }

  // Deadlines, which `ExchangeDeadlines` knows.

  abstract onDeadline(nowMs: number): void
}
