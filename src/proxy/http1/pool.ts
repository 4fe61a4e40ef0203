/**
 * Kept HTTP/1.1 connections to one endpoint. The one used last is used next, so that the number kept follows the load and
 * those too many grow idle and close.
 *
 * - I1  `connections` counts those connecting, busy and idle; at most `circuit.connectionsMax`.
 * - I2  A call waits in `pending` only while that many are open; at most `circuit.pendingMax` do.
 * - I3  `idle` is ordered by `idleSinceTick`: what is at the bottom has been idle longest.
 * - I4  A sweep is set exactly while connections are idle.
 */
import type { Scheduler } from '../../runtime/index.ts'
import type {
  AttemptFailure,
  EndpointPool,
  OutgoingRequest,
  PoolInit,
  ResponseReceiver,
  UpstreamCall,
} from '../http/index.ts'
import { PoolConnection } from './pool-connection.ts'
import type { ParsedResponseHead } from './response-head.ts'
import { flusherOf, type TurnFlusher } from './turn-output.ts'
import { Http1Call } from './upstream-call.ts'

const sweepMs = 1_000

/** Makes the HTTP/1.1 connections of one endpoint. The idle time is kept to about a second, never early. */
export function createHttp1Pool(init: PoolInit): EndpointPool {
  return new Http1Pool(init)
}

export class Http1Pool implements EndpointPool {
  connections = 0
  readonly scheduler: Scheduler
  readonly flusher: TurnFlusher
  /** The last head that a response here began with: the next often has the same octets. */
  lastHeadBytes: Buffer | undefined
  lastHead: ParsedResponseHead | undefined
  private readonly init: PoolInit
  private readonly idle: PoolConnection[] = []
  private readonly pending = new Set<Http1Call>()
  private readonly idleTicksMax: number
  private tick = 0
  private isSweeping = false
  private isDraining = false

  constructor(init: PoolInit) {
    this.init = init
    this.scheduler = init.scheduler
    this.flusher = flusherOf(init.scheduler)
    this.idleTicksMax = Math.ceil(init.config.idleTimeoutMs / sweepMs) + 1
  }

  get idleConnections(): number {
    return this.idle.length
  }

  get isTls(): boolean {
    return this.init.config.tls !== undefined
  }

  send(request: OutgoingRequest, receiver: ResponseReceiver): UpstreamCall {
    const call = new Http1Call(this, request, receiver)
    const kept = this.idle.pop()
    if (kept !== undefined) kept.start(call)
    else if (this.connections < this.init.config.settings.circuit.connectionsMax) this.connect(call)
    else this.enqueue(call)
    return call
  }

  drain(): void {
    this.isDraining = true
    for (const connection of this.idle.splice(0)) connection.close()
  }

  /** Whether a connection that served `requests` may serve more. */
  keeps(requests: number): boolean {
    const { requestsPerConnectionMax } = this.init.config
    return !this.isDraining && (requestsPerConnectionMax === 0 || requests < requestsPerConnectionMax)
  }

  /** `connection` is done with its call and fit for another. */
  release(connection: PoolConnection): void {
    const next = this.takePending()
    if (next !== undefined) connection.start(next)
    else if (this.idle.length >= this.init.config.idleConnectionsMax) connection.close()
    else {
      connection.idleSinceTick = this.tick
      this.idle.push(connection)
      if (!this.isSweeping) this.sweepLater()
    }
  }

  /** `connection` is of no use any more. Called once for each. */
  removed(connection: PoolConnection): void {
    this.connections--
    const index = this.idle.lastIndexOf(connection)
    if (index !== -1) this.idle.splice(index, 1)
    const next = this.takePending()
    if (next !== undefined) this.connect(next)
  }

  /** A waiting call was given up. */
  forget(call: Http1Call): void {
    this.pending.delete(call)
  }

  private connect(call: Http1Call): void {
    const { network, host, port, config } = this.init
    this.connections++
    const connection = network.connect({ host, port }, { timeoutMs: config.settings.connectTimeoutMs })
    const made = new PoolConnection(this, connection)
    connection.setHandler(made)
    made.start(call)
  }

  private enqueue(call: Http1Call): void {
    const { pendingMax } = this.init.config.settings.circuit
    if (this.pending.size < pendingMax) {
      this.pending.add(call)
      return
    }
    this.pending.add(call)
    this.scheduler.endOfTurn(() => this.overflow(call))
  }

  /** The caller may have given it up by now, and a connection may even have become free. */
  private overflow(call: Http1Call): void {
    if (!this.pending.delete(call)) return
    const { connectionsMax, pendingMax } = this.init.config.settings.circuit
    const failure: AttemptFailure = {
      kind: 'overflow',
      isUnprocessed: true,
      detail: `all ${connectionsMax} connections to the endpoint are busy and ${pendingMax} requests wait already`,
    }
    call.finish()
    call.receiver.onFailed(failure)
  }

  private takePending(): Http1Call | undefined {
    if (this.pending.size === 0) return undefined
    const [call] = this.pending
    this.pending.delete(call!)
    return call
  }

  private sweepLater(): void {
    this.isSweeping = true
    this.scheduler.setTimer(sweepMs, this.sweep)
  }

  private readonly sweep = (): void => {
    this.tick++
    let expired = 0
    while (expired < this.idle.length && this.tick - this.idle[expired]!.idleSinceTick >= this.idleTicksMax) expired++
    if (expired > 0) for (const connection of this.idle.splice(0, expired)) connection.close()
    for (const connection of this.idle) connection.recount()
    if (this.idle.length > 0) this.sweepLater()
    else this.isSweeping = false
  }
}
