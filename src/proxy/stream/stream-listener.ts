/**
 * The sessions of one layer 4 listener. Owned by the worker, which hands it accepted connections.
 *
 * I1. A session is in `sessions` from its accept until both of its connections are closed.
 * I2. One timer sweeps all sessions; it is set while there are any.
 */

import type { Clock, Connection, ConnectionOrigin, Network, Scheduler, Timer } from '../../runtime/index.ts'
import type { Upstream } from '../../traffic/upstream/index.ts'
import type { TcpListenerConfig, TlsPassthroughListenerConfig } from '../config/index.ts'
import { type BufferLedger, bufferLedgerOf } from '../http/index.ts'
import { NameRoutes } from './name-routes.ts'
import { StreamSession } from './stream-session.ts'

/** Where a session goes: an upstream, and the network on which its endpoints are reached (TCP, or TLS). */
export interface StreamTarget {
  readonly upstream: Upstream
  readonly network: Network
}

export interface StreamListenerInit {
  readonly clock: Clock
  readonly scheduler: Scheduler
  /** Undefined when no upstream has that name. */
  targetOf(name: string): StreamTarget | undefined
  /** A connection was closed without having been forwarded. */
  onRefused(reason: string, origin: ConnectionOrigin): void
}

/** Sums since the listener began; `bytes` count what was handed on. */
export interface StreamCounters {
  accepted: number
  /** Sessions that reached an endpoint. */
  opened: number
  refused: number
  connectFailures: number
  idleTimeouts: number
  bytesFromClients: number
  bytesToClients: number
}

export type StreamConfig = TcpListenerConfig | TlsPassthroughListenerConfig

/** A session that is idle is noticed this much of its time late, at most. */
const sweepsPerTimeout = 4
const sweepMsMin = 20
const sweepMsMax = 5_000
/** A ClientHello must be complete in this time. */
const helloTimeoutMsDefault = 10_000

export class StreamListener {
  readonly counters: StreamCounters = {
    accepted: 0,
    opened: 0,
    refused: 0,
    connectFailures: 0,
    idleTimeouts: 0,
    bytesFromClients: 0,
    bytesToClients: 0,
  }
  readonly clock: Clock
  readonly scheduler: Scheduler
  readonly ledger: BufferLedger
  readonly helloTimeoutMs = helloTimeoutMsDefault
  /** Undefined: plain TCP, all to `upstreamName`. */
  routes: NameRoutes | undefined
  upstreamName = ''
  sendProxyProtocol: 0 | 1 | 2 = 0
  private readonly init: StreamListenerInit
  private readonly sessions = new Set<StreamSession>()
  private config: StreamConfig
  private sweepTimer: Timer | undefined
  private drainTimer: Timer | undefined
  private whenEmpty: (() => void)[] = []

  constructor(config: StreamConfig, init: StreamListenerInit) {
    this.clock = init.clock
    this.scheduler = init.scheduler
    this.ledger = bufferLedgerOf(init.scheduler)
    this.init = init
    this.config = config
    this.reconfigure(config)
  }

  get connections(): number {
    return this.sessions.size
  }

  /** For sessions that begin from now on, and the idle time of all. */
  reconfigure(config: StreamConfig): void {
    this.config = config
    this.sendProxyProtocol = config.sendProxyProtocol
    this.routes = config.protocol === 'tls-passthrough' ? new NameRoutes(config) : undefined
    this.upstreamName = config.protocol === 'tcp' ? config.upstream : ''
  }

  accept(connection: Connection, origin: ConnectionOrigin): void {
    const session = new StreamSession(connection, origin, this)
    this.counters.accepted++
    this.sessions.add(session)
    connection.setHandler(session)
    session.start()
    this.armSweep()
  }

  targetOf(name: string): StreamTarget | undefined {
    return this.init.targetOf(name)
  }

  refused(reason: string, origin: ConnectionOrigin): void {
    this.counters.refused++
    this.init.onRefused(reason, origin)
  }

  ended(session: StreamSession): void {
    this.sessions.delete(session)
    if (this.sessions.size > 0) return
    this.sweepTimer?.cancel()
    this.sweepTimer = undefined
    this.drainTimer?.cancel()
    this.drainTimer = undefined
    for (const resolve of this.whenEmpty.splice(0)) resolve()
  }

  /** Lets the sessions end by themselves for at most `timeoutMs`, then ends them. Resolves when none is left. */
  drain(timeoutMs: number): Promise<void> {
    if (this.sessions.size === 0) return Promise.resolve()
    this.drainTimer?.cancel()
    this.drainTimer = this.scheduler.setTimer(timeoutMs, () => this.destroyAll())
    return new Promise((resolve) => this.whenEmpty.push(resolve))
  }

  destroyAll(): void {
    for (const session of [...this.sessions]) session.destroy()
  }

  private armSweep(): void {
    if (this.sweepTimer !== undefined) return
    const everyMs = Math.min(Math.max(this.config.idleTimeoutMs / sweepsPerTimeout, sweepMsMin), sweepMsMax)
    this.sweepTimer = this.scheduler.setTimer(everyMs, () => {
      this.sweepTimer = undefined
      this.sweep(Math.ceil(this.config.idleTimeoutMs / everyMs))
      if (this.sessions.size > 0) this.armSweep()
    })
  }

  private sweep(idleSweepsMax: number): void {
    for (const session of this.sessions) {
      session.recount()
      if (session.isFlushing) session.resetIfFlushed()
      if (++session.idleSweeps > idleSweepsMax) {
        this.counters.idleTimeouts++
        session.destroy()
      }
    }
  }
}
