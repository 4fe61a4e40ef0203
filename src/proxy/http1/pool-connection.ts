/**
 * One connection to an endpoint: sends one request at a time and reads its response (RFC 9112), strictly. Made by
 * `Http1Pool`, driven by the transport's events and by its call.
 *
 * - I1  `call` is set from `start` until its response is complete, failed or given up.
 * - I2  A connection is released for another request only when the request was sent whole, the response said where it
 *       ends, nothing follows it, and both sides let it live. In any doubt it is closed.
 * - I3  The receiver is called last: by then this connection may have begun another request.
 * - I4  `removed` is told to the pool once.
 * - I5  `keepsRead` is false only while all of the present read that was handed on is spent (`TurnFlusher.spent`): proof,
 *       and not the receiver's word, that its memory can be used again.
 */
import { asBuffer } from '../../base/index.ts'
import { type CloseReason, type Connection, type ConnectionHandler, resetConnection } from '../../runtime/index.ts'
import { type AttemptFailure, connectFailureKind, type Fields, type ResponseReceiver } from '../http/index.ts'
import { type BodySink, ChunkedDecoder, lineEndRefusal } from './chunked-decoder.ts'
import { incomplete } from './head-end.ts'
import type { Http1Pool } from './pool.ts'
import { type Refusal, refusals } from './refusal.ts'
import { writeRequestHead } from './request-encoder.ts'
import { chunkedEndText } from './response-encoder.ts'
import { type ParsedResponseHead, parseResponseHead, responseHeadBytesMax } from './response-head.ts'
import { TurnOutput } from './turn-output.ts'
import type { Http1Call } from './upstream-call.ts'

/** Interim responses before the final one. */
const informationalMax = 32
/** Larger heads are not remembered. */
const rememberedHeadBytesMax = 4 << 10

const Phase = { idle: 0, head: 1, length: 2, chunked: 3, untilClose: 4, upgraded: 5, closed: 6 }

export class PoolConnection implements ConnectionHandler, BodySink {
  /** Of the pool's sweeps. */
  idleSinceTick = 0
  private readonly pool: Http1Pool
  private readonly connection: Connection
  private readonly output: TurnOutput
  private phase = Phase.idle
  private call: Http1Call | undefined
  private isOpen = false
  private isRemoved = false
  private isPaused = false
  private requests = 0
  /** `output.writes` when the request began. */
  private writesBefore = 0
  private requestEnded = false
  /** Octets of a request's body of known length yet to send. */
  private requestRemaining = 0
  private informationals = 0
  /** The beginning of a head. */
  private input: Buffer | undefined
  private head: ParsedResponseHead | undefined
  private responseRemaining = 0
  private chunked: ChunkedDecoder | undefined
  private serverEnded = false
  private keepsRead = false

  constructor(pool: Http1Pool, connection: Connection) {
    this.pool = pool
    this.connection = connection
    this.output = new TurnOutput(connection, pool.flusher)
  }

  get wantsBody(): boolean {
    return this.phase === Phase.chunked
  }

  // The request.

  start(call: Http1Call): void {
    const { request } = call
    this.call = call
    this.phase = Phase.head
    this.requests++
    this.informationals = 0
    this.writesBefore = this.output.writes
    this.requestEnded = request.bodyLength === 0
    this.requestRemaining = request.bodyLength === 'unknown' ? 0 : request.bodyLength
    writeRequestHead(this.output, request)
    call.begin(this)
  }

  /** Sends a piece of the body, not empty. False: enough is queued. */
  writeBody(bytes: Uint8Array): boolean {
    const { output } = this
    if (this.phase === Phase.upgraded) output.append(bytes)
    else if (!this.requestEnded) {
      if (this.call!.request.bodyLength === 'unknown') output.appendChunk(bytes)
      else {
        const piece = bytes.length <= this.requestRemaining ? bytes : bytes.subarray(0, this.requestRemaining)
        this.requestRemaining -= piece.length
        if (piece.length > 0) output.append(piece)
      }
    }
    return !output.isBlocked
  }

  endBody(trailers: Fields | undefined): void {
    if (this.phase === Phase.upgraded) {
      this.output.flush()
      this.connection.end()
      this.requestEnded = true
      if (this.serverEnded) this.leaveUpgraded()
      return
    }
    if (this.requestEnded) return
    // A shorter body than announced is never complete: the connection cannot be used on, see I2.
    if (this.requestRemaining > 0) return
    this.requestEnded = true
    if (this.call!.request.bodyLength === 'unknown') this.output.appendText(chunkedEndText(trailers))
    this.output.flush()
  }

  pauseResponse(): void {
    this.isPaused = true
    this.connection.pause()
  }

  resumeResponse(): void {
    if (!this.isPaused) return
    this.isPaused = false
    this.connection.resume()
  }

  /** The call is given up by its owner. */
  abandon(): void {
    this.call = undefined
    this.close()
  }

  /** Idle: the end of the last request may have been on its way still. */
  recount(): void {
    this.output.recount()
  }

  close(): void {
    if (this.phase === Phase.closed) return
    const isUpgraded = this.phase === Phase.upgraded
    this.phase = Phase.closed
    this.output.close()
    this.input = undefined
    this.chunked = undefined
    // Only its end says to the endpoint whether all of an upgraded stream was sent.
    if (isUpgraded) resetConnection(this.connection)
    else this.connection.destroy()
    this.leavePool()
  }

  // The transport's events.

  onOpen(): void {
    this.isOpen = true
  }

  onDrain(): void {
    this.output.drained()
    const { call } = this
    if (call?.needsDrain) {
      call.needsDrain = false
      call.receiver.onDrain()
    }
  }

  onData(bytes: Uint8Array): void {
    const { call, input } = this
    if (this.phase === Phase.upgraded) call?.receiver.onData(bytes)
    // Nobody asked: such octets could pass for the answer to the next request (RFC 9112 §11.1, response splitting).
    else if (call === undefined) this.close()
    else if (input === undefined) {
      this.keepsRead = false
      this.read(asBuffer(bytes))
      if (!this.keepsRead && this.input === undefined) this.connection.giveBack?.(bytes)
    } else {
      this.input = undefined
      this.read(Buffer.concat([input, bytes]))
    }
  }

  onEnd(): void {
    switch (this.phase) {
      case Phase.closed:
        return
      case Phase.idle:
        this.close()
        return
      case Phase.untilClose:
        this.complete(false, undefined)
        return
      case Phase.upgraded: {
        this.serverEnded = true
        const { call } = this
        if (this.requestEnded) this.leaveUpgraded()
        call?.receiver.onEnd(undefined)
        return
      }
      default:
        this.failClosed('the endpoint ended the connection')
    }
  }

  onClose(reason: CloseReason): void {
    if (this.phase === Phase.closed) return
    const { closeDetail } = this.connection
    const detail = closeDetail ?? reason
    if (this.phase === Phase.idle) this.close()
    else if (!this.isOpen) this.fail(connectFailureKind(reason, closeDetail, this.pool.isTls), true, detail)
    else this.failClosed(`the connection to the endpoint broke: ${detail}`)
  }

  // The response.

  private read(input: Buffer): void {
    let at = 0
    while (at < input.length) {
      switch (this.phase) {
        case Phase.head:
          at = this.readHead(input, at)
          if (at === incomplete) return
          break
        case Phase.length:
          at = this.readLength(input, at)
          break
        case Phase.chunked:
          at = this.readChunked(input, at)
          break
        case Phase.untilClose:
        case Phase.upgraded:
          this.handOn(this.call!.receiver, at === 0 ? input : input.subarray(at))
          return
        default:
          return
      }
    }
  }

  /** Reads a head and passes it on. Returns where it ends, or `incomplete`, also after a failure. */
  private readHead(input: Buffer, start: number): number {
    const { pool } = this
    const last = pool.lastHeadBytes
    if (last !== undefined && input.length - start >= last.length) {
      const end = start + last.length
      if (last.compare(input, start, end) === 0) {
        this.takeHead(pool.lastHead!, input, end)
        return end
      }
    }
    const end = input.indexOf('\r\n\r\n', start, 'latin1')
    if (end === -1) return this.waitForHead(input, start)
    if (end - start > responseHeadBytesMax) return this.failMalformed(refusals.headTooLarge)
    const head = parseResponseHead(input, start, end + 2)
    if ('reason' in head) return this.failMalformed(head)
    if (end - start <= rememberedHeadBytesMax) {
      pool.lastHead = head
      pool.lastHeadBytes = Buffer.from(input.subarray(start, end + 4))
    }
    this.takeHead(head, input, end + 4)
    return end + 4
  }

  private waitForHead(input: Buffer, start: number): number {
    if (input.length - start > responseHeadBytesMax) return this.failMalformed(refusals.headTooLarge)
    const beginning = input.latin1Slice(start, Math.min(input.length, start + httpName.length))
    if (!httpName.startsWith(beginning)) return this.failMalformed(refusals.invalidStatusLine)
    const refusal = lineEndRefusal(input, start)
    if (refusal !== undefined) return this.failMalformed(refusal)
    this.input = start === 0 ? input : input.subarray(start)
    return incomplete
  }

  /** `input` goes on at `end` with what follows the head. */
  private takeHead(head: ParsedResponseHead, input: Buffer, end: number): void {
    const { status, bodyLength } = head
    if (status < 200) {
      this.takeInformational(head)
      return
    }
    const call = this.call!
    this.head = head
    if (bodyLength === 0 || status === 204 || status === 304 || call.request.method === 'HEAD') {
      const { receiver } = call
      this.finish(end < input.length)
      receiver.onHead(head, true)
      return
    }
    if (head.isChunked) {
      this.phase = Phase.chunked
      this.chunked = new ChunkedDecoder()
    } else if (bodyLength === 'unknown') this.phase = Phase.untilClose
    else {
      this.phase = Phase.length
      this.responseRemaining = bodyLength
    }
    call.receiver.onHead(head, false)
  }

  private takeInformational(head: ParsedResponseHead): void {
    const { request, receiver } = this.call!
    if (head.status === 101) {
      // Only the protocol that was asked for (RFC 9110 §7.8).
      if (request.upgrade === undefined || head.upgrade?.toLowerCase() !== request.upgrade.toLowerCase()) {
        this.failMalformed(refusals.invalidStatusLine, '101 answers no upgrade that was asked for')
        return
      }
      this.phase = Phase.upgraded
      this.requestEnded = false
      receiver.onHead(head, false)
      return
    }
    if (++this.informationals > informationalMax) {
      this.failMalformed(refusals.invalidStatusLine, `more than ${informationalMax} interim responses`)
      return
    }
    receiver.onInformational(head.status, head.fields)
  }

  private readLength(input: Buffer, at: number): number {
    const call = this.call!
    const end = Math.min(input.length, at + this.responseRemaining)
    this.responseRemaining -= end - at
    const isLast = this.responseRemaining === 0
    this.handOn(call.receiver, at === 0 && end === input.length ? input : input.subarray(at, end))
    if (isLast && this.phase === Phase.length) this.complete(end < input.length, undefined)
    return end
  }

  private readChunked(input: Buffer, at: number): number {
    const chunked = this.chunked!
    const result = chunked.read(input, at, this)
    if (this.phase !== Phase.chunked) return input.length
    if (typeof result !== 'number') {
      this.fail('broken-response', false, result.reason)
      return input.length
    }
    if (chunked.isDone) this.complete(result < input.length, chunked.trailers)
    return result
  }

  onBody(bytes: Uint8Array): void {
    this.handOn(this.call!.receiver, bytes)
  }

  private handOn(receiver: ResponseReceiver, bytes: Uint8Array): void {
    const { flusher } = this.pool
    flusher.spent = undefined
    receiver.onData(bytes)
    if (flusher.spent !== bytes) this.keepsRead = true
  }

  private complete(hasSurplus: boolean, trailers: Fields | undefined): void {
    const { receiver } = this.call!
    this.finish(hasSurplus)
    receiver.onEnd(trailers)
  }

  /** The response is complete: releases or closes the connection (I2). */
  private finish(hasSurplus: boolean): void {
    const isKept =
      !hasSurplus &&
      this.requestEnded &&
      this.phase !== Phase.untilClose &&
      this.head!.keepAlive &&
      this.pool.keeps(this.requests)
    this.call!.finish()
    this.call = undefined
    this.head = undefined
    this.chunked = undefined
    if (!isKept) {
      this.close()
      return
    }
    this.resumeResponse()
    this.phase = Phase.idle
    this.pool.release(this)
  }

  // Failures.

  private failClosed(detail: string): void {
    if (this.phase !== Phase.head || this.input !== undefined || this.informationals > 0) {
      this.fail('broken-response', false, detail)
      return
    }
    this.fail('closed-before-response', this.output.writes === this.writesBefore, detail)
  }

  private failMalformed(refusal: Refusal, detail: string = refusal.reason): typeof incomplete {
    this.fail('malformed-response', false, detail)
    return incomplete
  }

  private fail(kind: AttemptFailure['kind'], isUnprocessed: boolean, detail: string): void {
    const { call } = this
    this.call = undefined
    this.close()
    call?.finish()
    call?.receiver.onFailed({ kind, isUnprocessed, detail })
  }

  private leaveUpgraded(): void {
    this.call?.finish()
    this.call = undefined
    // Both halves are ended: the transport closes by itself once all is sent.
    this.phase = Phase.closed
    this.output.close()
    this.leavePool()
  }

  private leavePool(): void {
    if (this.isRemoved) return
    this.isRemoved = true
    this.pool.removed(this)
  }
}

const httpName = 'HTTP/1.'
