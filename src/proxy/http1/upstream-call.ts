/**
 * One attempt at an endpoint, as its caller holds it. Outlives the connection's interest in it: once over it does nothing,
 * so a caller that is late reaches no later request on the same connection.
 *
 * - I1  `connection` is set from when a connection took the call until the call is over.
 * - I2  What is written before that waits in `early`, in order.
 */
import { PieceGatherer } from '../../base/index.ts'
import type { Fields, OutgoingRequest, ResponseReceiver, UpstreamCall } from '../http/index.ts'
import type { Http1Pool } from './pool.ts'
import type { PoolConnection } from './pool-connection.ts'

/** A body that waits for a connection: past this much its sender is told to stop. */
const earlyBytesMax = 256 << 10

export class Http1Call implements UpstreamCall {
  readonly request: OutgoingRequest
  readonly receiver: ResponseReceiver
  /** A `write` returned false, and the caller was not told to go on. */
  needsDrain = false
  private readonly pool: Http1Pool
  private connection: PoolConnection | undefined
  private isOver = false
  private early: Uint8Array[] | undefined
  private earlyGatherer: PieceGatherer | undefined
  private earlyBytes = 0
  private earlyEnd = false
  private earlyTrailers: Fields | undefined

  constructor(pool: Http1Pool, request: OutgoingRequest, receiver: ResponseReceiver) {
    this.pool = pool
    this.request = request
    this.receiver = receiver
  }

  write(bytes: Uint8Array): boolean {
    if (this.isOver || bytes.length === 0) return true
    if (this.connection !== undefined) {
      if (this.connection.writeBody(bytes)) return true
      this.needsDrain = true
      return false
    }
    this.early ??= []
    this.earlyGatherer ??= new PieceGatherer()
    this.earlyGatherer.append(this.early, bytes)
    this.earlyBytes += bytes.length
    this.pool.flusher.ledger.add(bytes.length)
    this.pool.flusher.ledger.grown()
    if (this.earlyBytes <= earlyBytesMax) return true
    this.needsDrain = true
    return false
  }

  end(trailers?: Fields): void {
    if (this.isOver) return
    if (this.connection !== undefined) this.connection.endBody(trailers)
    else {
      this.earlyEnd = true
      this.earlyTrailers = trailers
    }
  }

  pause(): void {
    this.connection?.pauseResponse()
  }

  resume(): void {
    this.connection?.resumeResponse()
  }

  abort(): void {
    if (this.isOver) return
    const { connection } = this
    this.finish()
    if (connection === undefined) this.pool.forget(this)
    else connection.abandon()
  }

  /** `connection` has taken the call and sent its head. */
  begin(connection: PoolConnection): void {
    this.connection = connection
    const { early } = this
    this.forgetEarly()
    if (early !== undefined) for (const bytes of early) connection.writeBody(bytes)
    if (this.earlyEnd) connection.endBody(this.earlyTrailers)
  }

  /** Nothing is told to the receiver, and nothing taken from the caller, any more. */
  finish(): void {
    this.isOver = true
    this.connection = undefined
    this.forgetEarly()
  }

  private forgetEarly(): void {
    if (this.early === undefined) return
    this.early = undefined
    this.pool.flusher.ledger.add(-this.earlyBytes)
    this.earlyBytes = 0
  }
}
