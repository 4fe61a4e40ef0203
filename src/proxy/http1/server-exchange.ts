/**
 * One request's answer on a downstream connection: frames what the handler sends (RFC 9112 §6). Made for each request and
 * never used again, so that a handler that calls late reaches nobody.
 *
 * - I1  `state` only goes forward: waiting, sending (or upgraded), over. When it is over no call does anything.
 * - I2  With a known length exactly that many octets are sent: more are cut off, fewer end the connection.
 */
import type { ClientInfo, Fields, Responder, ResponseHead } from '../http/index.ts'
import type { ParsedRequestHead } from './request-head.ts'
import { chunkedEndText, HeadOption, interimHeadText, noLength, type ResponseEncoder } from './response-encoder.ts'
import type { TurnOutput } from './turn-output.ts'

/** What an exchange needs of its connection. */
export interface ExchangeConnection {
  readonly client: ClientInfo
  readonly output: TurnOutput
  readonly encoder: ResponseEncoder
  /** Whether the connection may serve another request after this one. */
  mayKeepAlive(exchange: ServerExchange): boolean
  informed(status: number): void
  upgraded(): void
  /** The handler ends its half of an upgraded connection. */
  upgradeEnded(): void
  responseEnded(exchange: ServerExchange): void
  /** Drops the connection. */
  /** `endsByClose`: without a reset the client would take what it has for the whole. */
  givenUp(endsByClose: boolean): void
  pauseBody(): void
  resumeBody(): void
}

const State = { waiting: 0, sending: 1, upgraded: 2, over: 3 }
const Framing = { none: 0, length: 1, chunked: 2, untilClose: 3 }

export class ServerExchange implements Responder {
  readonly head: ParsedRequestHead
  bytesSent = 0
  /** A 100 was sent. */
  isContinued = false
  /** Decided with the response's head. */
  keepsAlive = false
  /** A `sendData` returned false, and the handler was not told to go on. */
  needsDrain = false
  private readonly connection: ExchangeConnection
  private state = State.waiting
  private framing = Framing.none
  /** Octets of a body of known length yet to send. */
  private remainingBytes = 0

  constructor(connection: ExchangeConnection, head: ParsedRequestHead) {
    this.connection = connection
    this.head = head
  }

  get client(): ClientInfo {
    return this.connection.client
  }

  get isUpgraded(): boolean {
    return this.state === State.upgraded
  }

  /** Nothing but interim responses was sent. */
  get isUnanswered(): boolean {
    return this.state === State.waiting
  }

  get isOver(): boolean {
    return this.state === State.over
  }

  sendInformational(status: number, fields: Fields): void {
    // HTTP/1.0 knows no interim responses (RFC 9110 §15.2).
    if (this.state !== State.waiting || this.head.version === '1.0') return
    if (status === 100) this.isContinued = true
    const { output } = this.connection
    this.sendText(interimHeadText(status, fields, undefined))
    output.flush()
    this.connection.informed(status)
  }

  sendHead(head: ResponseHead, end: boolean): void {
    if (this.state !== State.waiting) return
    const { status } = head
    if (status === 101) {
      this.sendUpgrade(head.fields)
      return
    }
    this.state = State.sending
    const { connection } = this
    const length = this.frame(head, end)
    let options = 0
    if (this.framing === Framing.chunked) options |= HeadOption.chunked
    this.keepsAlive = this.framing !== Framing.untilClose && connection.mayKeepAlive(this)
    if (!this.keepsAlive) options |= HeadOption.close
    else if (this.head.version === '1.0') options |= HeadOption.keepAlive
    this.bytesSent += connection.encoder.write(connection.output, status, head.fields, length, options, end)
    if (end) this.finish()
  }

  sendData(bytes: Uint8Array): boolean {
    const { output } = this.connection
    if (this.state === State.upgraded) {
      this.bytesSent += bytes.length
      output.append(bytes)
    } else if (this.state === State.sending && bytes.length > 0) this.sendBody(bytes)
    else return true
    if (output.isBlocked) this.needsDrain = true
    return !output.isBlocked
  }

  sendEnd(trailers?: Fields): void {
    if (this.state === State.upgraded) {
      this.connection.upgradeEnded()
      return
    }
    if (this.state === State.waiting) {
      this.abort()
      return
    }
    if (this.state !== State.sending) return
    if (this.framing === Framing.chunked) this.sendText(chunkedEndText(trailers))
    this.finish()
  }

  abort(): void {
    if (this.state === State.over) return
    // Then the end of the connection is the end of the message (RFC 9112 §6.3).
    const endsByClose = this.state === State.upgraded || this.framing === Framing.untilClose
    this.state = State.over
    this.connection.givenUp(endsByClose)
  }

  pause(): void {
    if (this.state !== State.over) this.connection.pauseBody()
  }

  resume(): void {
    if (this.state !== State.over) this.connection.resumeBody()
  }

  /** The connection ended this exchange. */
  close(): void {
    this.state = State.over
  }

  /** Decides how the body is delimited; returns the length to announce. RFC 9112 §6.3, RFC 9110 §8.6. */
  private frame(head: ResponseHead, end: boolean): number {
    const { status, bodyLength } = head
    if (status === 204) return noLength
    if (status === 304 || this.head.method === 'HEAD') return bodyLength === 'unknown' ? noLength : bodyLength
    if (bodyLength === 'unknown' && !end) {
      this.framing = this.head.version === '1.1' ? Framing.chunked : Framing.untilClose
      return noLength
    }
    this.framing = Framing.length
    this.remainingBytes = bodyLength === 'unknown' ? 0 : bodyLength
    return this.remainingBytes
  }

  private sendBody(bytes: Uint8Array): void {
    const { output } = this.connection
    if (this.framing === Framing.length) {
      const piece = bytes.length <= this.remainingBytes ? bytes : bytes.subarray(0, this.remainingBytes)
      this.remainingBytes -= piece.length
      this.bytesSent += piece.length
      if (piece.length > 0) output.append(piece)
    } else if (this.framing === Framing.chunked) {
      this.bytesSent += output.appendChunk(bytes)
    } else if (this.framing === Framing.untilClose) {
      this.bytesSent += bytes.length
      output.append(bytes)
    }
  }

  private sendUpgrade(fields: Fields): void {
    // A 101 that nobody asked for would let both sides disagree on what follows.
    if (this.head.upgrade === undefined) {
      this.abort()
      return
    }
    this.state = State.upgraded
    this.sendText(interimHeadText(101, fields, this.head.upgrade))
    this.connection.output.flush()
    this.connection.upgraded()
  }

  private finish(): void {
    if (this.framing === Framing.length && this.remainingBytes > 0) {
      this.abort()
      return
    }
    this.state = State.over
    this.connection.responseEnded(this)
  }

  private sendText(text: string): void {
    this.bytesSent += text.length
    this.connection.output.appendText(text)
  }
}
