/**
 * HTTP/1.1 and HTTP/1.0 towards clients: RFC 9112, read strictly. Owns the connections of one listener's configuration
 * and the one timer for all their time limits.
 *
 * - I1  `busyConnections` counts those with a request under way.
 * - I2  A sweep is set exactly while there are connections. Time limits count sweeps, so they are kept to about
 *       `sweepMs`, never early, and cost nothing for each request.
 */
import type { Connection, Scheduler } from '../../runtime/index.ts'
import type { ServedConnection } from '../../wire/http2/index.ts'
import type { HttpLimits } from '../config/index.ts'
import type { ClientInfo, DownstreamInit, DownstreamProtocol, RequestHandler } from '../http/index.ts'
import { DownstreamConnection } from './downstream-connection.ts'
import { ResponseEncoder } from './response-encoder.ts'
import { flusherOf, type TurnFlusher } from './turn-output.ts'

export const sweepMs = 250
/** At a shutdown a request may be on its way already: an idle connection is kept so long for it, and then closed. */
export const goodbyeMs = 500

/** Makes the HTTP/1 side of a listener. Time limits are kept to about a quarter of a second, never early. */
export function createHttp1Downstream(init: DownstreamInit): DownstreamProtocol {
  return new Http1Downstream(init)
}

export class Http1Downstream implements DownstreamProtocol {
  readonly handler: RequestHandler
  readonly scheduler: Scheduler
  readonly flusher: TurnFlusher
  readonly encoder = new ResponseEncoder()
  limits: HttpLimits
  busyConnections = 0
  /** Sweeps so far. */
  tick = 0
  private readonly open = new Set<DownstreamConnection>()
  private isSweeping = false

  constructor(init: DownstreamInit) {
    this.handler = init.handler
    this.scheduler = init.scheduler
    this.limits = init.limits
    this.flusher = flusherOf(init.scheduler)
  }

  get connections(): number {
    return this.open.size
  }

  get idleConnections(): number {
    return this.open.size - this.busyConnections
  }

  accept(connection: Connection, client: ClientInfo, firstBytes: Uint8Array): ServedConnection {
    const served = new DownstreamConnection(connection, client, this)
    this.open.add(served)
    if (!this.isSweeping) this.sweepLater()
    if (firstBytes.length > 0) served.onData(firstBytes)
    return served
  }

  reconfigure(limits: HttpLimits): void {
    this.limits = limits
  }

  idleMsMax(isDraining: boolean): number {
    const { idleTimeoutMs } = this.limits
    return isDraining ? Math.min(goodbyeMs, idleTimeoutMs) : idleTimeoutMs
  }

  closed(connection: DownstreamConnection): void {
    this.open.delete(connection)
    connection.output.close()
  }

  private sweepLater(): void {
    this.isSweeping = true
    this.scheduler.setTimer(sweepMs, this.sweep)
  }

  private readonly sweep = (): void => {
    this.tick++
    for (const connection of this.open) {
      connection.output.recount()
      connection.sweep()
    }
    if (this.open.size > 0) this.sweepLater()
    else this.isSweeping = false
  }
}

/** Sweeps that take at least `ms`, wherever between two sweeps the time begins. */
export function ticksOf(ms: number): number {
  return Math.ceil(ms / sweepMs) + 1
}
