/**
 * One attempt at an endpoint: a request on its way to a stream, and the response. Made by `Http2Pool`.
 *
 * I1. Until `stream` is set the call is among the pool's pending ones (or given up), and what is written waits in `early`.
 * I2. `held` is the last piece of the request's body, when nothing waits before it in the stream's queue. It leaves with
 *     the request's end, or at the end of the turn: so a small body and its end are one frame.
 * I3. After `isOver` the receiver hears nothing.
 * I4. While paused, what arrives is handed on all the same, and not credited to the server: at most a window of it.
 * I5. `countedBytes` of its request's body are counted in the ledger: what waits here, or in the stream's queue at the last
 *     look; none once it is over.
 */
import { PieceGatherer } from '../../base/index.ts'
import { EncodedBlock, Http2ErrorCode, streamHighWaterBytes } from '../../wire/http2/index.ts'
import type {
  ClientStream,
  StreamFailure,
  ResponseHead as WireResponseHead,
  ResponseReceiver as WireResponseReceiver,
} from '../../wire/http2-client/index.ts'
import type { AttemptFailure, Fields, OutgoingRequest, ResponseReceiver, UpstreamCall } from '../http/index.ts'
import type { Http2Pool } from './pool.ts'
import type { PoolConnection } from './pool-connection.ts'
import { isBodiless, translateFields, translateResponse } from './response-translation.ts'

export class ClientCall implements UpstreamCall, WireResponseReceiver {
  readonly request: OutgoingRequest
  /** See I3. */
  isOver = false

  private readonly pool: Http2Pool
  private readonly receiver: ResponseReceiver
  private connection: PoolConnection | undefined = undefined
  private stream: ClientStream | undefined = undefined
  private early: Uint8Array[] | undefined = undefined
  private earlyGatherer: PieceGatherer | undefined = undefined
  private earlyBytes = 0
  private earlyEnd = false
  private earlyTrailers: Fields | undefined = undefined
  private countedBytes = 0
  private held: Uint8Array | undefined = undefined
  private hasHead = false
  private isPaused = false
  private uncreditedBytes = 0
  /** Of the response's body, as announced; -1: not announced. */
  private expectedBytes = -1
  private receivedBytes = 0

  constructor(pool: Http2Pool, request: OutgoingRequest, receiver: ResponseReceiver) {
    this.pool = pool
    this.request = request
    this.receiver = receiver
  }

  // The request

  /** Begins on `connection`, which can open a stream. */
  start(connection: PoolConnection): void {
    this.connection = connection
    this.stream = connection.open(this)
    const early = this.early
    if (early !== undefined) {
      this.early = undefined
      this.counted(this.stream.send(...early))
    }
    if (this.earlyEnd) this.stream.end(this.trailerBlock(this.earlyTrailers))
  }

  write(bytes: Uint8Array): boolean {
    if (this.isOver || bytes.length === 0) return true
    const stream = this.stream
    if (stream === undefined) return this.writeEarly(bytes)
    const held = this.held
    if (held !== undefined) {
      this.held = undefined
      return this.counted(stream.send(held, bytes))
    }
    if (stream.queuedBytes > 0) return this.counted(stream.send(bytes))
    this.held = bytes
    this.connection!.hold(this)
    return true
  }

  end(trailers?: Fields): void {
    if (this.isOver) return
    const stream = this.stream
    if (stream === undefined) {
      this.earlyEnd = true
      this.earlyTrailers = trailers
      return
    }
    const block = this.trailerBlock(trailers)
    const held = this.held
    this.held = undefined
    if (held !== undefined) {
      const writer = block === undefined ? stream.beginWhole(held.length) : undefined
      if (writer !== undefined) {
        writer.bytes(held)
        return
      }
      stream.send(held)
    }
    stream.end(block)
  }

  abort(): void {
    if (this.isOver) return
    this.isOver = true
    this.held = undefined
    this.early = undefined
    this.count(0)
    if (this.stream === undefined) {
      this.pool.forget(this)
      return
    }
    this.stream.reset(Http2ErrorCode.cancel)
    this.connection!.gaveUp()
  }

  /** The turn ends: see I2. */
  releaseHeld(): void {
    const held = this.held
    if (held === undefined || this.isOver) return
    this.held = undefined
    this.counted(this.stream!.send(held))
  }

  onDrain(): void {
    if (this.isOver) return
    this.counted(true)
    this.receiver.onDrain()
  }

  /** `wantsMore`; what waits in the stream's queue may be another amount now. */
  private counted(wantsMore: boolean): boolean {
    const { queuedBytes } = this.stream!
    if (queuedBytes !== this.countedBytes && !this.isOver) this.count(queuedBytes)
    return wantsMore
  }

  private count(bytes: number): void {
    if (bytes === this.countedBytes) return
    const { ledger } = this.pool
    ledger.add(bytes - this.countedBytes)
    this.countedBytes = bytes
    ledger.grown()
  }

  private writeEarly(bytes: Uint8Array): boolean {
    this.early ??= []
    this.earlyGatherer ??= new PieceGatherer()
    this.earlyGatherer.append(this.early, bytes)
    this.earlyBytes += bytes.length
    this.count(this.earlyBytes)
    // Once the stream takes them it says that they are too many, and `onDrain` follows.
    return this.earlyBytes <= streamHighWaterBytes
  }

  private trailerBlock(trailers: Fields | undefined): EncodedBlock | undefined {
    return trailers === undefined || trailers.length === 0
      ? undefined
      : new EncodedBlock(this.pool.trailerBytes(trailers))
  }

  // The response

  pause(): void {
    this.isPaused = true
  }

  resume(): void {
    this.isPaused = false
    if (!this.isOver) this.credit(0)
  }

  onInformational(head: WireResponseHead): void {
    if (this.isOver) return
    // RFC 9113 §8.6: HTTP/2 switches no protocols.
    if (head.status === 101) this.breakOff('101 in HTTP/2')
    else this.receiver.onInformational(head.status, translateFields(head))
  }

  onHead(wire: WireResponseHead, endStream: boolean): void {
    if (this.isOver) return
    const bodiless = isBodiless(this.request.method, wire.status)
    const head = translateResponse(wire, endStream, bodiless)
    if (head === undefined) return this.breakOff('lengths that contradict one another')
    if (bodiless) this.expectedBytes = 0
    else if (head.bodyLength !== 'unknown') this.expectedBytes = head.bodyLength
    if (endStream && this.expectedBytes > 0) return this.breakOff('a body shorter than announced')
    this.hasHead = true
    if (endStream) {
      this.isOver = true
      this.count(0)
    }
    this.receiver.onHead(head, endStream)
  }

  onData(bytes: Buffer, start: number, end: number, endStream: boolean): void {
    if (this.isOver) return
    const byteLength = end - start
    this.receivedBytes += byteLength
    const expected = this.expectedBytes
    if (expected !== -1 && (this.receivedBytes > expected || (endStream && this.receivedBytes < expected))) {
      this.breakOff('a body of another length than announced')
      return
    }
    if (byteLength > 0) {
      this.receiver.onData(bytes.subarray(start, end))
      if (this.isOver) return
      if (!endStream) this.credit(byteLength)
    }
    if (endStream) this.finish(undefined)
  }

  onTrailers(trailers: WireResponseHead): void {
    if (this.isOver) return
    if (this.expectedBytes !== -1 && this.receivedBytes < this.expectedBytes) {
      this.breakOff('a body shorter than announced')
      return
    }
    this.finish(translateFields(trailers))
  }

  onFailed(failure: StreamFailure): void {
    const kind = this.hasHead
      ? 'broken-response'
      : failure.by === 'local'
        ? 'malformed-response'
        : 'closed-before-response'
    this.fail({ kind, isUnprocessed: !failure.processed, detail: failure.reason })
  }

  fail(failure: AttemptFailure): void {
    if (this.isOver) return
    this.isOver = true
    this.held = undefined
    this.early = undefined
    this.count(0)
    this.receiver.onFailed(failure)
  }

  private finish(trailers: Fields | undefined): void {
    this.isOver = true
    this.held = undefined
    this.count(0)
    this.receiver.onEnd(trailers)
  }

  /** The response contradicts itself. */
  private breakOff(what: string): void {
    this.stream!.reset(Http2ErrorCode.protocolError)
    const kind = this.hasHead ? 'broken-response' : 'malformed-response'
    this.fail({ kind, isUnprocessed: false, detail: `the server sent ${what}` })
  }

  private credit(byteLength: number): void {
    this.uncreditedBytes += byteLength
    if (this.isPaused || this.uncreditedBytes === 0) return
    this.stream?.consumed(this.uncreditedBytes)
    this.uncreditedBytes = 0
  }
}
