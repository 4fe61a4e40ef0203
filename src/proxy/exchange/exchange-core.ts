/** What the exchanges of a listener share: time, chance, counters, the log. */
import type { Clock, Random, Scheduler } from '../../runtime/index.ts'
import { type AccessLog, imfFixdate, TextOfSecond } from '../access-log/index.ts'
import { type BufferLedger, bufferLedgerOf } from '../http/index.ts'
import type { ProxyMetrics } from '../metrics/index.ts'
import type { FailureKind } from './answers.ts'
import { EndpointChooser } from './choose-endpoint.ts'
import type { ActiveRoute } from './compiled-listener.ts'
import type { ExchangeState } from './exchange-state.ts'
import type { MirrorHost } from './mirror.ts'
import type { ProxyUpstream } from './proxy-upstream.ts'
import type { RequestPlan } from './request-plan.ts'
import { TimingWheel } from './timing-wheel.ts'
import { TurnClock } from './turn-clock.ts'

export interface CoreInit {
  readonly clock: Clock
  readonly scheduler: Scheduler
  readonly random: Random
  readonly metrics: ProxyMetrics
  readonly accessLog: AccessLog | undefined
}

export class ExchangeCore implements MirrorHost {
  readonly random: Random
  readonly ledger: BufferLedger
  readonly wheel: TimingWheel
  readonly chooser = new EndpointChooser()
  /** Exchanges under way. */
  active = 0
  /** Mirrors under way. */
  mirrors = 0
  private readonly clock: Clock
  private readonly turns: TurnClock
  private readonly metrics: ProxyMetrics
  private readonly accessLog: AccessLog | undefined
  private readonly dates = new TextOfSecond(imfFixdate)

  constructor(init: CoreInit) {
    this.clock = init.clock
    this.turns = new TurnClock(init.clock, init.scheduler)
    this.random = init.random
    this.ledger = bufferLedgerOf(init.scheduler)
    this.metrics = init.metrics
    this.accessLog = init.accessLog
    this.wheel = new TimingWheel(init.clock, init.scheduler)
  }

  /** The same for all of one turn ({@link TurnClock}). */
  nowMs(): number {
    return this.turns.nowMs()
  }

  /** For a `date` field. */
  date(): string {
    return this.dates.at(this.clock.wallMs())
  }

  /** 0: the request may pass. */
  rateLimitWaitMs(route: ActiveRoute, plan: RequestPlan, nowMs: number): number {
    const { key } = route.config.rateLimit!
    const value = key.type === 'client-ip' ? plan.clientAddress : plan.head.get(key.name)
    // Who does not send the field is limited by address, so that leaving it out gains nothing.
    return route.limiter!.take(value ?? plan.clientAddress, nowMs)
  }

  begun(plan: RequestPlan): void {
    this.active++
    plan.listener.counters.active++
    if (plan.route !== undefined) plan.route.counters.active++
  }

  ended(
    exchange: ExchangeState,
    plan: RequestPlan,
    upstream: ProxyUpstream | undefined,
    bytesIn: number,
    isAborted: boolean,
  ): void {
    const { status, durationMs, bodyBytesSent, failure } = exchange
    this.active--
    plan.listener.counters.active--
    plan.listener.counters.add(status, durationMs, bytesIn, bodyBytesSent, isAborted)
    if (plan.route !== undefined) {
      plan.route.counters.active--
      plan.route.counters.add(status, durationMs, bytesIn, bodyBytesSent, isAborted)
    }
    if (upstream !== undefined) {
      this.metrics.upstream(upstream.name).add(status, durationMs, bytesIn, bodyBytesSent, isAborted)
    }
    if (failure !== '') this.countFailure(failure, plan, upstream)
    this.accessLog?.log(exchange)
  }

  private countFailure(failure: FailureKind, plan: RequestPlan, upstream: ProxyUpstream | undefined): void {
    plan.listener.counters.fail(failure)
    plan.route?.counters.fail(failure)
    if (upstream !== undefined) this.metrics.upstream(upstream.name).fail(failure)
  }

  countRetry(plan: RequestPlan): void {
    plan.listener.counters.retries++
    plan.route!.counters.retries++
  }

  countHedge(plan: RequestPlan): void {
    plan.listener.counters.hedges++
    plan.route!.counters.hedges++
  }

  countRateLimited(plan: RequestPlan): void {
    plan.listener.counters.rateLimited++
    plan.route!.counters.rateLimited++
  }

  countAborted(plan: RequestPlan): void {
    plan.listener.counters.aborted++
    plan.route!.counters.aborted++
  }

  mirrorBegun(): void {
    this.mirrors++
    this.metrics.mirrored++
  }

  mirrorEnded(): void {
    this.mirrors--
  }

  mirrorDropped(): void {
    this.metrics.mirrorsDropped++
  }
}
