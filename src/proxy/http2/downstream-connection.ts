/**
 * One client's HTTP/2 connection: hands its requests to the proxy's handler and keeps its time limits. Owned by
 * `Http2Downstream`; frames, flow control and defences are `Http2ServerConnection`'s.
 *
 * I1. `holding` are the exchanges that hold a piece for the end of this turn; a flush is scheduled while there are any.
 * I2. `done` are those whose response was written in this turn. They hear `onFinished` once it is handed over.
 */
import type {
  HeaderBlockWriter,
  Http2Handler,
  Http2ServerConnection,
  Http2Stream,
  StreamReceiver,
} from '../../wire/http2/index.ts'
import type { BodyLength, BufferLedger, ClientInfo, Fields } from '../http/index.ts'
import type { Http2Downstream } from './downstream.ts'
import { Refusal, type TranslationRules, translateRequest } from './request-translation.ts'
import { ServerExchange } from './server-exchange.ts'

/** Requests answered here: what still comes of them is dropped. */
const ignoringReceiver: StreamReceiver = {
  onData: () => {},
  onReset: () => {},
  onDrain: () => {},
}
const noFields: Fields = []
/** An idle connection is told to go, and gets this long to have its last request arrive. */
const idleGoodbyeMs = 5_000

export class DownstreamConnection implements Http2Handler {
  readonly client: ClientInfo
  readonly http2: Http2ServerConnection
  private readonly owner: Http2Downstream
  private rules: TranslationRules
  private holding: ServerExchange[] = []
  private done: ServerExchange[] = []
  private requests = 0
  private idleSinceMs: number
  private emptyTableIsAnnounced = false
  private isWatchingBodies = false

  constructor(owner: Http2Downstream, http2: Http2ServerConnection, client: ClientInfo) {
    this.owner = owner
    this.http2 = http2
    this.client = client
    this.rules = this.currentRules()
    this.idleSinceMs = http2.clock.monotonicMs()
    this.watchIdleness(owner.limits.idleTimeoutMs)
  }

  get ledger(): BufferLedger {
    return this.owner.ledger
  }

  get isIdle(): boolean {
    return this.http2.openStreams === 0
  }

  /** The limits have changed. */
  reconfigure(): void {
    this.rules = this.currentRules()
  }

  onStream(stream: Http2Stream, endStream: boolean): StreamReceiver {
    const head = translateRequest(stream.head, endStream, this.rules)
    if (head instanceof Refusal) return this.refuse(stream, head.status, head.reason)
    if (++this.requests === this.owner.limits.requestsPerConnectionMax) this.http2.shutdown(Number.POSITIVE_INFINITY)
    const exchange = new ServerExchange(this, stream, head)
    const consumer = this.owner.handler.onRequest(head, exchange)
    exchange.consumer = consumer
    // The connection may have ended under it, before the stream had a receiver.
    if (stream.isClosed && !this.done.includes(exchange)) exchange.lost('the connection was closed')
    else if (!endStream) this.watchBodies()
    return exchange
  }

  onHeadTooLarge(stream: Http2Stream, _endStream: boolean): StreamReceiver {
    return this.refuse(stream, 431, 'the header fields are too large')
  }

  onClosed(): void {
    const done = this.done
    this.done = []
    for (const exchange of done) exchange.lost('the connection was closed')
    this.owner.closed(this)
  }

  beforeFlush(): void {
    if (this.holding.length === 0) return
    const holding = this.holding
    this.holding = []
    for (const exchange of holding) exchange.releaseHeld()
  }

  onFlushed(): void {
    if (this.done.length === 0) return
    const done = this.done
    this.done = []
    for (const exchange of done) exchange.finish()
    if (this.http2.openStreams === 0) this.idleSinceMs = this.http2.clock.monotonicMs()
  }

  // For exchanges

  hold(exchange: ServerExchange): void {
    this.holding.push(exchange)
    this.http2.scheduleFlush()
  }

  finished(exchange: ServerExchange): void {
    this.done.push(exchange)
    this.http2.scheduleFlush()
  }

  later(callback: () => void): void {
    this.owner.scheduler.endOfTurn(callback)
  }

  /** Bytes of request bodies wait for the handler. */
  countWaiting(byteLength: number): void {
    this.http2.requestBytesHeld += byteLength
    if (byteLength > 0) this.http2.noteHeld()
  }

  /** The head of a response, to be sent at once. */
  headBlock(status: number, fields: Fields, bodyLength: BodyLength): HeaderBlockWriter {
    const writer = this.owner.writer
    writer.begin()
    if (!this.emptyTableIsAnnounced) {
      this.emptyTableIsAnnounced = true
      writer.announceEmptyTable()
    }
    writer.status(status)
    this.owner.blocks.write(fields)
    if (bodyLength !== 'unknown') writer.field('content-length', String(bodyLength))
    writer.finish()
    return writer
  }

  /** Trailers, to be sent whenever their turn comes: a head went before, so the table is announced. */
  trailerBytes(fields: Fields): Uint8Array {
    const writer = this.owner.writer
    writer.begin()
    this.owner.blocks.write(fields)
    return writer.copyFrom(0)
  }

  /**
   * A body is under way: one lazy timer looks whether bodies move. One that stood still at two looks in a row, that is
   * for one to one and a half times the limit, ends its exchange.
   */
  watchBodies(): void {
    if (this.isWatchingBodies) return
    this.isWatchingBodies = true
    this.http2.setTimer(this.owner.limits.bodyIdleTimeoutMs / 2, this.lookAtBodies)
  }

  private readonly lookAtBodies = (): void => {
    this.isWatchingBodies = false
    let goesOn = false
    for (const { receiver } of [...this.http2.streams.open.values()]) {
      if (!(receiver instanceof ServerExchange)) continue
      const looks = receiver.quietFor()
      if (looks === undefined) goesOn ||= !receiver.isOver
      else if (looks >= 2) receiver.expire('the client neither sent nor took any of a body in time')
      else goesOn = true
    }
    if (goesOn) this.watchBodies()
  }

  private watchIdleness(delayMs: number): void {
    this.http2.setTimer(delayMs, () => {
      const limitMs = this.owner.limits.idleTimeoutMs
      const idleMs = this.isIdle ? this.http2.clock.monotonicMs() - this.idleSinceMs : 0
      if (idleMs >= limitMs) this.http2.shutdown(idleGoodbyeMs)
      else this.watchIdleness(limitMs - idleMs)
    })
  }

  private refuse(stream: Http2Stream, status: number, reason: string): StreamReceiver {
    this.owner.handler.onRefused(this.client, status, reason)
    stream.sendHeaders(this.headBlock(status, status === 405 ? allowField : noFields, 0), true)
    return ignoringReceiver
  }

  private currentRules(): TranslationRules {
    return {
      scheme: this.client.tls === undefined ? 'http' : 'https',
      headerFieldsMax: this.owner.limits.headerFieldsMax,
    }
  }
}

/** RFC 9110 §15.5.6: which methods a 405 would have accepted. */
const allowField: Fields = ['allow', 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS']
