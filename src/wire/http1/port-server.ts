import type { Address, Connection, Listener, Logger, Network, Scheduler } from '../../runtime/index.ts'
import type { ProtocolServer } from '../http2/index.ts'
import { PortConnection } from './port-connection.ts'

/** The bounds of a port. */
export interface PortOptions {
  /** Connections open at once, of both protocols. One more is closed at once. */
  readonly connectionsMax: number
  /** A connection must say what it speaks within this time. */
  readonly sniffTimeoutMs: number
}

export const portOptionsDefault: PortOptions = { connectionsMax: 20_000, sniffTimeoutMs: 10_000 }

/** What a {@link PortServer} is made of. */
export interface PortServerInit {
  readonly network: Network
  readonly scheduler: Scheduler
  readonly logger: Logger
  readonly http1: ProtocolServer
  /** HTTP/2 with prior knowledge: what gRPC clients speak. */
  readonly http2: ProtocolServer
  readonly options?: Partial<PortOptions>
}

/** One listening port that serves HTTP/1.1 and HTTP/2, told apart by the client's first bytes. */
export class PortServer {
  readonly scheduler: Scheduler
  readonly options: PortOptions
  readonly http1: ProtocolServer
  readonly http2: ProtocolServer
  connectionsAccepted = 0
  /** Connections closed at once because there were too many. */
  connectionsRefused = 0

  private readonly network: Network
  private readonly logger: Logger
  private readonly connections = new Set<PortConnection>()
  private listener: Listener | undefined
  private isClosing = false
  private whenEmpty: (() => void) | undefined

  constructor(init: PortServerInit) {
    this.network = init.network
    this.scheduler = init.scheduler
    this.logger = init.logger
    this.http1 = init.http1
    this.http2 = init.http2
    this.options = { ...portOptionsDefault, ...init.options }
  }

  get connectionsOpen(): number {
    return this.connections.size
  }

  /** Listens; resolves with the address in use. Rejects with a `ListenError`. */
  async listen(address: Address): Promise<Address> {
    this.listener = await this.network.listen(address, (connection) => this.accept(connection))
    return this.listener.address
  }

  /** Stops accepting, lets what is in flight finish for at most `drainMs`, closes. Resolves when all is closed. */
  async close(options: { readonly drainMs: number }): Promise<void> {
    this.isClosing = true
    await this.listener?.close()
    if (this.connections.size === 0) return
    const empty = new Promise<void>((resolve) => {
      this.whenEmpty = resolve
    })
    const timer = this.scheduler.setTimer(options.drainMs, () => {
      for (const connection of this.connections) connection.destroy()
    })
    for (const connection of [...this.connections]) connection.shutdown(options.drainMs)
    await empty
    timer.cancel()
  }

  connectionClosed(connection: PortConnection): void {
    this.connections.delete(connection)
    if (this.connections.size === 0) this.whenEmpty?.()
  }

  private accept(connection: Connection): void {
    if (this.isClosing || this.connections.size >= this.options.connectionsMax) {
      connection.setHandler({ onData() {}, onClose() {} })
      connection.destroy()
      this.connectionsRefused++
      if (!this.isClosing && this.connectionsRefused % 1000 === 1) {
        this.logger.warn('too many connections', { connectionsMax: this.options.connectionsMax })
      }
      return
    }
    const accepted = new PortConnection(connection, this)
    this.connections.add(accepted)
    this.connectionsAccepted++
    connection.setHandler(accepted)
  }
}
