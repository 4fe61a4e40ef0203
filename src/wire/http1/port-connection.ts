/**
 * A connection accepted on a port that serves two protocols: waits for the first bytes to tell which, then passes
 * everything on.
 *
 * I1. Until `served` is set, `held` are the bytes received, a proper prefix of HTTP/2's client preface.
 */
import type { CloseReason, Connection, ConnectionHandler, Timer } from '../../runtime/index.ts'
import { clientPreface, type ServedConnection } from '../http2/index.ts'
import type { PortServer } from './port-server.ts'

export class PortConnection implements ConnectionHandler {
  private readonly connection: Connection
  private readonly server: PortServer
  private served: ServedConnection | undefined
  private held: Uint8Array = new Uint8Array(0)
  private timer: Timer | undefined
  private isGone = false

  constructor(connection: Connection, server: PortServer) {
    this.connection = connection
    this.server = server
    this.timer = server.scheduler.setTimer(server.options.sniffTimeoutMs, () => connection.destroy())
  }

  onData(bytes: Uint8Array): void {
    if (this.served !== undefined) this.served.onData(bytes)
    else this.sniff(bytes)
  }

  onEnd(): void {
    if (this.served !== undefined) this.served.onEnd?.()
    else this.connection.destroy()
  }

  onDrain(): void {
    this.served?.onDrain?.()
  }

  onClose(reason: CloseReason): void {
    if (this.isGone) return
    this.isGone = true
    this.timer?.cancel()
    this.served?.onClose(reason)
    this.server.connectionClosed(this)
  }

  shutdown(drainMs: number): void {
    if (this.served === undefined) this.connection.destroy()
    else this.served.shutdown(drainMs)
  }

  destroy(): void {
    this.connection.destroy()
  }

  private sniff(bytes: Uint8Array): void {
    const first = this.held.length === 0 ? bytes : Buffer.concat([this.held, bytes])
    const length = Math.min(first.length, clientPreface.length)
    let isHttp2 = true
    for (let i = 0; i < length && isHttp2; i++) isHttp2 = first[i] === clientPreface[i]
    if (isHttp2 && length < clientPreface.length) {
      this.held = first
      return
    }
    this.timer?.cancel()
    this.timer = undefined
    this.held = new Uint8Array(0)
    this.served = (isHttp2 ? this.server.http2 : this.server.http1).accept(this.connection, new Uint8Array(0))
    this.served.onData(first)
  }
}
