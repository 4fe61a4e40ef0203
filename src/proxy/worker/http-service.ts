/**
 * The HTTP side of one listener. Owned by the worker, which hands it accepted connections.
 *
 * I1. A connection is in `open` from its accept until it is closed.
 */
import type { Connection, ConnectionOrigin, Scheduler, Timer } from '../../runtime/index.ts'
import type { HttpListenerConfig } from '../config/index.ts'
import type { ClientInfo, DataPathRuntime, DownstreamProtocol, RequestHandler } from '../http/index.ts'
import { createHttp1Downstream } from '../http1/index.ts'
import { createHttp2Downstream } from '../http2/index.ts'
import { HttpConnection } from './http-connection.ts'
import type { ListenerService } from './service.ts'

export class HttpService implements ListenerService {
  readonly scheduler: Scheduler
  readonly http1: DownstreamProtocol
  readonly http2: DownstreamProtocol
  private config: HttpListenerConfig
  private readonly open = new Set<HttpConnection>()
  private drainTimer: Timer | undefined
  private whenEmpty: (() => void)[] = []

  constructor(config: HttpListenerConfig, handler: RequestHandler, { clock, scheduler }: DataPathRuntime) {
    this.config = config
    this.scheduler = scheduler
    const init = { clock, scheduler, handler, limits: config.limits }
    this.http1 = createHttp1Downstream(init)
    this.http2 = createHttp2Downstream(init)
  }

  get connections(): number {
    return this.open.size
  }

  get idleConnections(): number {
    return this.http1.idleConnections + this.http2.idleConnections
  }

  get headTimeoutMs(): number {
    return this.config.limits.headTimeoutMs
  }

  reconfigure(config: HttpListenerConfig): void {
    this.config = config
    this.http1.reconfigure(config.limits)
    this.http2.reconfigure(config.limits)
  }

  accept(connection: Connection, origin: ConnectionOrigin): void {
    const { tls } = origin
    const client: ClientInfo = {
      address: origin.remote.host,
      port: origin.remote.port,
      localPort: origin.local.port,
      tls: tls && {
        version: tls.version,
        cipher: tls.cipher,
        serverName: tls.serverName,
        clientCertificate: tls.clientCertificate,
      },
      listener: this.config.name,
    }
    this.open.add(new HttpConnection(connection, client, this, this.knownProtocol(tls?.alpnProtocol)))
  }

  closed(connection: HttpConnection): void {
    this.open.delete(connection)
    if (this.open.size > 0) return
    this.drainTimer?.cancel()
    this.drainTimer = undefined
    for (const resolve of this.whenEmpty.splice(0)) resolve()
  }

  drain(timeoutMs: number): Promise<void> {
    if (this.open.size === 0) return Promise.resolve()
    this.drainTimer?.cancel()
    this.drainTimer = this.scheduler.setTimer(timeoutMs, () => this.destroyAll())
    const empty = new Promise<void>((resolve) => this.whenEmpty.push(resolve))
    for (const connection of [...this.open]) connection.shutdown(timeoutMs)
    return empty
  }

  destroyAll(): void {
    for (const connection of [...this.open]) connection.destroy()
  }

  /** With TLS, ALPN decides, and HTTP/1.1 is what clients without it speak (RFC 7301 §3.1). */
  private knownProtocol(alpnProtocol: string | undefined): DownstreamProtocol | undefined {
    if (!this.config.http2) return this.http1
    if (alpnProtocol === undefined) return undefined
    return alpnProtocol === 'h2' ? this.http2 : this.http1
  }
}
