/**
 * A connection to an HTTP listener: finds out which version it speaks, then passes everything on.
 *
 * I1. Until `served` is set, `held` are the bytes received: a proper prefix of HTTP/2's client preface (RFC 9113 §3.4).
 */
import type { CloseReason, Connection, ConnectionHandler, Timer } from '../../runtime/index.ts'
import { clientPreface, type ServedConnection } from '../../wire/http2/index.ts'
import type { ClientInfo, DownstreamProtocol } from '../http/index.ts'
import type { HttpService } from './http-service.ts'

const noBytes = new Uint8Array(0)
/** A client that connected just before a drain gets this long to send its first bytes: it could not know. */
const firstBytesMs = 1_000

export class HttpConnection implements ConnectionHandler {
  private readonly connection: Connection
  private readonly client: ClientInfo
  private readonly service: HttpService
  private served: ServedConnection | undefined
  private held: Uint8Array = noBytes
  private timer: Timer | undefined
  /** Set when a drain began before the first bytes came. */
  private drainMs: number | undefined

  /** `protocol`: known already, by ALPN or because there is only one. Undefined: the first bytes tell. */
  constructor(
    connection: Connection,
    client: ClientInfo,
    service: HttpService,
    protocol: DownstreamProtocol | undefined,
  ) {
    this.connection = connection
    this.client = client
    this.service = service
    connection.setHandler(this)
    if (protocol !== undefined) this.served = protocol.accept(connection, client, noBytes)
    else this.timer = service.scheduler.setTimer(service.headTimeoutMs, () => connection.destroy())
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
    this.timer?.cancel()
    this.served?.onClose(reason)
    this.service.closed(this)
  }

  shutdown(drainMs: number): void {
    if (this.served !== undefined) this.served.shutdown(drainMs)
    else if (this.drainMs === undefined) {
      this.drainMs = drainMs
      this.timer?.cancel()
      this.timer = this.service.scheduler.setTimer(Math.min(firstBytesMs, drainMs), () => this.connection.destroy())
    }
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
    this.held = noBytes
    const { http1, http2 } = this.service
    this.served = (isHttp2 ? http2 : http1).accept(this.connection, this.client, noBytes)
    this.served.onData(first)
    if (this.drainMs !== undefined) this.served.shutdown(this.drainMs)
  }
}
