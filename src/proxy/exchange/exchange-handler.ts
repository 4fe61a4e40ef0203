/** The engine between downstream and upstream protocols: what a listener's connections hand their requests to. */
import type { Clock, Random, Scheduler } from '../../runtime/index.ts'
import type { AccessLog, AccessRecord } from '../access-log/index.ts'
import type { HttpListenerConfig } from '../config/index.ts'
import { newRequestId } from '../forwarded/index.ts'
import type { ClientInfo, RequestConsumer, RequestHandler, RequestHead, Responder } from '../http/index.ts'
import { RateLimits } from '../limits/index.ts'
import type { ProxyMetrics } from '../metrics/index.ts'
import { type CompiledListener, compileListener } from './compiled-listener.ts'
import { Exchange } from './exchange.ts'
import { ExchangeCore } from './exchange-core.ts'
import type { ProxyUpstream } from './proxy-upstream.ts'
import { RequestPlan } from './request-plan.ts'

/** What a listener serves now. */
export interface ExchangeConfig {
  readonly listener: HttpListenerConfig
  /** At least those that the routes name. */
  readonly upstreams: ReadonlyMap<string, ProxyUpstream>
}

export interface ExchangeHandlerInit extends ExchangeConfig {
  readonly clock: Clock
  readonly scheduler: Scheduler
  readonly random: Random
  readonly metrics: ProxyMetrics
  /** Undefined: nothing is logged. */
  readonly accessLog?: AccessLog | undefined
  /** One for all listeners of a worker; undefined: limits of this listener alone, in this process. */
  readonly limits?: RateLimits | undefined
}

export interface ExchangeHandler extends RequestHandler {
  /**
   * Requests that begin from now on go by `config`; those under way end by the old one.
   *
   * @throws RangeError when a route names an upstream that is not there; then the old one stays.
   */
  reconfigure(config: ExchangeConfig): void
  /** Requests under way. */
  readonly active: number
}

/**
 * Makes the handler of one listener.
 *
 * @throws RangeError when a route names an upstream that is not there, or a trusted network is malformed.
 */
export function createExchangeHandler(init: ExchangeHandlerInit): ExchangeHandler {
  return new ListenerHandler(init)
}

class ListenerHandler implements ExchangeHandler {
  private readonly core: ExchangeCore
  private readonly metrics: ProxyMetrics
  private readonly accessLog: AccessLog | undefined
  private readonly limits: RateLimits
  private listener: CompiledListener

  constructor(init: ExchangeHandlerInit) {
    this.metrics = init.metrics
    this.accessLog = init.accessLog
    this.limits = init.limits ?? new RateLimits()
    this.core = new ExchangeCore({ ...init, accessLog: init.accessLog })
    this.listener = this.compile(init)
  }

  get active(): number {
    return this.core.active
  }

  reconfigure(config: ExchangeConfig): void {
    this.listener = this.compile(config)
  }

  onRequest(head: RequestHead, responder: Responder): RequestConsumer {
    const { memo } = head
    const { client } = responder
    let plan: RequestPlan
    if (memo instanceof RequestPlan && memo.isFor(this.listener, client)) plan = memo
    else {
      plan = new RequestPlan(this.listener, client, head)
      head.memo = plan
    }
    const exchange = new Exchange(this.core, plan, head, responder, this.core.nowMs())
    exchange.start()
    return exchange
  }

  onRefused(client: ClientInfo, status: number, reason: string): void {
    this.metrics.refused++
    this.listener.counters.count(status, 0)
    this.listener.counters.fail('refused')
    this.accessLog?.log(refusedRecord(client, status, reason, this.core.random))
  }

  private compile({ listener, upstreams }: ExchangeConfig): CompiledListener {
    return compileListener({ config: listener, upstreams, limits: this.limits, metrics: this.metrics })
  }
}

function refusedRecord(client: ClientInfo, status: number, reason: string, random: Random): AccessRecord {
  return {
    head: undefined,
    client,
    clientAddress: client.address,
    status,
    bodyBytesSent: 0,
    durationMs: 0,
    upstreamAddress: '',
    upstreamDurationMs: -1,
    attempts: 0,
    routeName: '',
    requestId: newRequestId(random),
    failure: 'refused',
    error: reason,
    logCache: { front: undefined, middle: undefined, back: undefined },
  }
}
