/**
 * One request of an HTTP/2 client and its response: the handler's view of a stream. Made by `DownstreamConnection`.
 *
 * I1. `held` is the last piece of the response, when nothing waits before it in the stream's queue. It leaves with the
 *     end of the response, or at the end of the turn: so a small body and its end are one frame.
 * I2. While paused, arriving pieces wait in `waiting`, in order, and their bytes are not credited to the client: at
 *     most a stream's window of them. Once some wait, later ones queue behind them.
 * I3. After `isOver` the consumer hears nothing.
 */
import { PieceGatherer } from '../../base/index.ts'
import {
  EncodedBlock,
  type HeaderField,
  Http2ErrorCode,
  type Http2Stream,
  type StreamReceiver,
} from '../../wire/http2/index.ts'
import {
  type ClientInfo,
  type Fields,
  pressedQueueBytes,
  type RequestConsumer,
  type RequestHead,
  type Responder,
  type ResponseHead,
} from '../http/index.ts'
import type { DownstreamConnection } from './downstream-connection.ts'
import { fieldListOf } from './field-list.ts'
import { isBodiless } from './response-translation.ts'

export class ServerExchange implements Responder, StreamReceiver {
  readonly isUpgraded = false
  bytesSent = 0
  consumer: RequestConsumer | undefined = undefined
  /** See I3. */
  isOver = false

  private readonly connection: DownstreamConnection
  private readonly stream: Http2Stream
  private readonly isHead: boolean
  /** A request whose length is 0 is complete at its head: its end is not told. */
  private readonly tellsEnd: boolean
  private headSent = false
  /** The whole response was given. */
  private isEnded = false
  private held: Uint8Array | undefined = undefined
  private isPaused = false
  private waiting: Uint8Array[] | undefined = undefined
  private waitingGatherer: PieceGatherer | undefined = undefined
  private endWaits = false
  private uncreditedBytes = 0
  private trailers: Fields | undefined = undefined
  // At the last look of `isQuiet`.
  private receivedSeen = -1
  private takenSeen = -1
  private quietLooks = 0

  constructor(connection: DownstreamConnection, stream: Http2Stream, head: RequestHead) {
    this.connection = connection
    this.stream = stream
    this.isHead = head.method === 'HEAD'
    this.tellsEnd = head.bodyLength !== 0
  }

  get client(): ClientInfo {
    return this.connection.client
  }

  // The response

  sendInformational(status: number, fields: Fields): void {
    if (this.isOver || this.headSent || status < 100 || status === 101 || status > 199) return
    this.stream.sendInformational(this.connection.headBlock(status, fields, 'unknown'))
  }

  sendHead(head: ResponseHead, end: boolean): void {
    if (this.isOver || this.headSent) return
    this.headSent = true
    const { status, bodyLength } = head
    const bodiless = isBodiless(this.isHead ? 'HEAD' : '', status)
    const isWhole = end || bodiless
    // The end of the stream says already that a body is empty; a HEAD's and a 304's length tell of another message.
    const isTold = bodiless ? status !== 204 && (this.isHead || bodyLength !== 0) : !end
    const block = this.connection.headBlock(status, head.fields, isTold ? bodyLength : 'unknown')
    this.bytesSent += block.encode().length
    this.stream.sendHeaders(block, isWhole)
    if (isWhole) this.ended()
  }

  sendData(bytes: Uint8Array): boolean {
    if (this.isOver || this.isEnded || !this.headSent || bytes.length === 0) return true
    this.bytesSent += bytes.length
    const held = this.held
    if (held !== undefined) {
      this.held = undefined
      return this.send([held, bytes])
    }
    if (this.stream.queuedBytes > 0) return this.send([bytes])
    this.held = bytes
    this.connection.hold(this)
    return true
  }

  sendEnd(trailers?: Fields): void {
    if (this.isOver || this.isEnded || !this.headSent) return
    const block = trailers === undefined || trailers.length === 0 ? undefined : this.trailerBlock(trailers)
    const held = this.held
    this.held = undefined
    this.isEnded = true
    if (held !== undefined) {
      const writer = this.stream.beginDirect(held.length)
      if (writer !== undefined) {
        writer.dataHeader(this.stream.id, held.length, block === undefined)
        writer.bytes(held)
        if (block === undefined) {
          this.stream.endDirect()
          this.connection.finished(this)
          return
        }
      } else {
        this.send([held])
      }
    }
    // `onSent` follows, maybe inside.
    this.stream.end(block)
  }

  abort(): void {
    if (this.isOver) return
    this.isOver = true
    this.held = undefined
    this.stream.reset(Http2ErrorCode.internalError)
    this.forgetWaiting()
  }

  /** The turn ends: see I1. */
  releaseHeld(): void {
    const held = this.held
    if (held === undefined || this.isOver) return
    this.held = undefined
    this.send([held])
  }

  onDrain(): void {
    if (!this.isOver && !this.isEnded) this.consumer?.onDrain()
  }

  onSent(): void {
    if (!this.isOver) this.connection.finished(this)
  }

  private send(pieces: readonly Uint8Array[]): boolean {
    this.connection.watchBodies()
    const { ledger } = this.connection
    if (!ledger.isPressed) return this.stream.send(pieces)
    if (this.stream.send(pieces, pressedQueueBytes)) return true
    ledger.earlyPauses++
    return false
  }

  private ended(): void {
    this.isEnded = true
    this.connection.finished(this)
  }

  private trailerBlock(trailers: Fields): EncodedBlock {
    const block = new EncodedBlock(this.connection.trailerBytes(trailers))
    this.bytesSent += block.encode().length
    return block
  }

  // The request

  pause(): void {
    this.isPaused = true
  }

  resume(): void {
    if (!this.isPaused || this.isOver) return
    this.isPaused = false
    if (this.waiting !== undefined) this.connection.later(this.deliverWaiting)
    else this.credit(0)
  }

  onTrailers(fields: readonly HeaderField[]): void {
    this.trailers = fieldListOf(fields)
  }

  onData(bytes: Buffer, start: number, end: number, endStream: boolean): void {
    if (this.isOver) return
    if (this.isPaused || this.waiting !== undefined) {
      this.waiting ??= []
      if (end > start) {
        this.waitingGatherer ??= new PieceGatherer()
        this.waitingGatherer.append(this.waiting, bytes.subarray(start, end))
        this.connection.countWaiting(end - start)
      }
      if (endStream) this.endWaits = true
      return
    }
    if (end > start) {
      this.consumer!.onData(bytes.subarray(start, end))
      this.credit(end - start)
    }
    if (endStream) this.tellEnd()
  }

  onReset(code: number): void {
    this.lost(code === Http2ErrorCode.cancel ? 'the client went away' : 'the client broke the protocol')
  }

  /** The response is lost. */
  lost(reason: string): void {
    if (this.isOver) return
    this.isOver = true
    this.held = undefined
    this.forgetWaiting()
    this.consumer?.onAborted(reason)
  }

  /** The response has left. */
  finish(): void {
    if (this.isOver) return
    this.isOver = true
    this.forgetWaiting()
    this.consumer?.onFinished()
  }

  /** Its body makes no progress. */
  expire(reason: string): void {
    this.stream.reset(Http2ErrorCode.cancel)
    this.lost(reason)
  }

  /** How many looks in a row have seen a body stand still for the client's sake; `undefined` when it need not move. */
  quietFor(): number | undefined {
    const awaitsRequest = !this.stream.isRemoteClosed && !this.headSent && !this.isPaused
    const queued = this.stream.queuedBytes
    if (this.isOver || this.stream.isClosed || (!awaitsRequest && queued === 0)) {
      this.quietLooks = 0
      return undefined
    }
    const received = this.stream.receivedBytes
    const taken = this.bytesSent - queued
    const moved = received !== this.receivedSeen || taken !== this.takenSeen
    this.receivedSeen = received
    this.takenSeen = taken
    this.quietLooks = moved ? 0 : this.quietLooks + 1
    return this.quietLooks
  }

  private readonly deliverWaiting = (): void => {
    const waiting = this.waiting
    if (waiting === undefined || this.isOver) return
    let next = 0
    while (next < waiting.length && !this.isPaused && !this.isOver) {
      const piece = waiting[next++]!
      this.connection.countWaiting(-piece.length)
      this.consumer!.onData(piece)
      this.credit(piece.length)
    }
    if (this.isOver) return
    if (next < waiting.length || (this.isPaused && this.endWaits)) {
      this.waiting = waiting.slice(next)
      return
    }
    this.waiting = undefined
    if (!this.endWaits) return
    this.endWaits = false
    this.tellEnd()
  }

  /** `byteLength` more bytes are delivered; the client may send as many more unless it is to wait. */
  private credit(byteLength: number): void {
    this.uncreditedBytes += byteLength
    if (this.isPaused || this.uncreditedBytes === 0) return
    this.stream.consumed(this.uncreditedBytes)
    this.uncreditedBytes = 0
  }

  private tellEnd(): void {
    if (this.tellsEnd && !this.isOver) this.consumer!.onEnd(this.trailers)
  }

  private forgetWaiting(): void {
    if (this.waiting === undefined) return
    for (const piece of this.waiting) this.connection.countWaiting(-piece.length)
    this.waiting = undefined
  }
}
