/**
 * HTTP/2 connections to one endpoint, shared by the requests of a worker: one, and more while the server's bound on
 * streams is reached. Owned by the worker's view of the endpoint.
 *
 * I1. A call is in `pending`, or on a connection, or over.
 * I2. While anything is pending, a connection is being made, or one that is usable will say `onCanOpen`, or all have
 *     reached a bound; at most one is being made at a time.
 * I3. `usable` are the connections that are ready and take new requests; `open` all that are not closed.
 */
import type { CloseReason } from '../../runtime/index.ts'
import { HeaderBlockWriter, OutputArena } from '../../wire/http2/index.ts'
import {
  type AttemptFailure,
  type BufferLedger,
  bufferLedgerOf,
  type CreatePool,
  connectFailureKind,
  type EndpointPool,
  type Fields,
  type OutgoingRequest,
  type PoolInit,
  type ResponseReceiver,
  type UpstreamCall,
} from '../http/index.ts'
import { ClientCall } from './client-call.ts'
import { FieldBlocks } from './field-blocks.ts'
import { PoolConnection } from './pool-connection.ts'

/**
 * Makes the pool of an endpoint that speaks HTTP/2: by prior knowledge over TCP, by ALPN where `network` is TLS.
 *
 * Requests wait for a connection, at most `circuit.pendingMax` of them; one more fails with `overflow`. Windows: 256 KiB
 * a stream, 16 MiB a connection. A request that the server refused (REFUSED_STREAM), or that lies beyond its GOAWAY, or
 * that never left, fails with `isUnprocessed`. gRPC requests get `te: trailers`.
 */
export const createHttp2Pool: CreatePool = (init) => new Http2Pool(init)

export class Http2Pool implements EndpointPool {
  readonly init: PoolInit
  readonly ledger: BufferLedger
  readonly arena = new OutputArena()
  readonly writer = new HeaderBlockWriter()
  readonly blocks = new FieldBlocks(this.writer, true)
  private readonly open = new Set<PoolConnection>()
  private readonly usable: PoolConnection[] = []
  private readonly pending = new Set<ClientCall>()
  private isDraining = false

  constructor(init: PoolInit) {
    this.init = init
    this.ledger = bufferLedgerOf(init.scheduler)
  }

  get connections(): number {
    return this.open.size
  }

  get idleConnections(): number {
    let count = 0
    for (const connection of this.open) if (connection.isReady && connection.isIdle) count++
    return count
  }

  send(request: OutgoingRequest, receiver: ResponseReceiver): UpstreamCall {
    const call = new ClientCall(this, request, receiver)
    const connection = this.pending.size === 0 ? this.free() : undefined
    if (connection !== undefined) {
      call.start(connection)
    } else if (this.pending.size >= this.init.config.settings.circuit.pendingMax) {
      const detail = `${this.pending.size} requests wait for a connection to ${this.address} already`
      this.failLater(call, { kind: 'overflow', isUnprocessed: true, detail })
    } else {
      this.pending.add(call)
      this.connectIfNeeded()
    }
    return call
  }

  drain(): void {
    this.isDraining = true
    if (this.pending.size > 0) return
    for (const connection of [...this.open]) connection.retire()
  }

  // For connections and calls

  /** Gives pending calls what is free. */
  serve(): void {
    for (const call of this.pending) {
      const connection = this.free()
      if (connection === undefined) break
      this.pending.delete(call)
      call.start(connection)
    }
    if (this.pending.size > 0) this.connectIfNeeded()
    else if (this.isDraining) this.drain()
  }

  /** A stream of `connection` has ended, or its transport takes more. */
  onFree(connection: PoolConnection): void {
    if (this.pending.size > 0) this.serve()
    else if (connection.isIdle && connection.isReady) this.keepOrClose(connection)
  }

  forget(call: ClientCall): void {
    this.pending.delete(call)
  }

  /** It takes no more requests. */
  leave(connection: PoolConnection): void {
    const at = this.usable.indexOf(connection)
    if (at !== -1) this.usable.splice(at, 1)
    if (this.pending.size > 0) this.connectIfNeeded()
  }

  becameReady(connection: PoolConnection): void {
    this.usable.push(connection)
  }

  onClosed(connection: PoolConnection, reason: string, cause: CloseReason | undefined): void {
    this.open.delete(connection)
    if (!connection.isReady && this.usable.length === 0) {
      const kind = this.connectFailureKind(connection, cause)
      this.failPending({ kind, isUnprocessed: true, detail: `cannot connect to ${this.address}: ${reason}` })
    }
    this.leave(connection)
  }

  /** Trailers of a request: a head went before them, which announced the empty table. */
  trailerBytes(fields: Fields): Uint8Array {
    this.writer.begin()
    this.blocks.write(fields)
    return this.writer.copyFrom(0)
  }

  /** A transport that was open and then lost its peer, or its patience, has not told of a `cause` that says why. */
  private connectFailureKind(connection: PoolConnection, cause: CloseReason | undefined): AttemptFailure['kind'] {
    if (connection.isTimedOut) return 'connect-timeout'
    const isTls = this.init.config.tls !== undefined
    if (cause === undefined || (!isTls && cause !== 'refused' && cause !== 'unreachable')) return 'connect-protocol'
    return connectFailureKind(cause, connection.closeDetail, isTls)
  }

  private get address(): string {
    return `${this.init.host}:${this.init.port}`
  }

  private free(): PoolConnection | undefined {
    for (const connection of this.usable) if (connection.http2.canOpen) return connection
    return undefined
  }

  /** See I2. */
  private connectIfNeeded(): void {
    for (const connection of this.open) if (!connection.isReady) return
    for (const { http2 } of this.usable) if (!http2.isFull || http2.concurrentStreamsMax === 0) return
    if (this.open.size >= this.init.config.settings.circuit.connectionsMax) return
    this.open.add(new PoolConnection(this))
  }

  private keepOrClose(connection: PoolConnection): void {
    if (this.isDraining || this.idleConnections > this.init.config.idleConnectionsMax) connection.retire()
  }

  private failPending(failure: AttemptFailure): void {
    const calls = [...this.pending]
    this.pending.clear()
    for (const call of calls) call.fail(failure)
  }

  private failLater(call: ClientCall, failure: AttemptFailure): void {
    this.init.scheduler.endOfTurn(() => call.fail(failure))
  }
}
