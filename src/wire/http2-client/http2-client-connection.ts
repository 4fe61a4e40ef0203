/**
 * One HTTP/2 connection to a server (RFC 9113): the transport's events in, frames out once a turn. `ResponseDispatcher`
 * reads frames, `BodySender` sends bodies; this file owns their lives: start, flush, keep-alive, errors, the end.
 *
 * I1. No input makes a method of this class throw: a server's error ends in RST_STREAM or in GOAWAY and a close.
 * I2. Frames written in a turn leave in that turn, by one write of the transport (one for each 64 KiB).
 * I3. No stream is opened before the server's SETTINGS, beyond the streams it allows, after its GOAWAY, or while the
 *     transport is full: the owner asks `canOpen` and hears `onCanOpen`.
 * I4. While `isAwaiting`, something was sent since `awaitingSinceMs` and nothing heard since; a timer is armed that
 *     sends a PING and finds a dead link. It stays so when the request is given up: a silent link is found even by
 *     requests with short deadlines.
 * I5. When the connection is lost every open stream's receiver has heard `onFailed`, then the handler `onClosed`, once.
 */
import type { Clock, CloseReason, Connection, ConnectionHandler, Scheduler, Timer } from '../../runtime/index.ts'
import {
  BodySender,
  clientPreface,
  type FieldPair,
  FrameReader,
  FrameWriter,
  framePayloadBytesDefault,
  type HeaderSource,
  HpackEncoder,
  Http2ErrorCode,
  initialWindowBytesDefault,
  type OutputArena,
  Setting,
  streamIdMax,
} from '../http2/index.ts'
import { ClientStream, type ClientStreamOwner, type ResponseReceiver, type StreamFailure } from './client-stream.ts'
import { type Http2ClientOptions, http2ClientOptionsDefault } from './options.ts'
import { ResponseDispatcher } from './response-dispatcher.ts'

/** The layer above, for one connection. */
export interface Http2ClientHandler {
  /** The server's SETTINGS have arrived: requests may be sent. */
  onReady(): void
  /** A stream has ended or the transport drained: `canOpen` may be true again. */
  onCanOpen(): void
  /** No more streams can be opened, for the server said GOAWAY or the ids are used up; those that are open go on. */
  onDraining(reason: string, code: Http2ErrorCode): void
  /** The connection is gone. The last call. `cause` is what the transport said, when it was the transport that ended. */
  onClosed(reason: string, cause?: CloseReason): void
  /** The turn's frames are about to leave: the last chance to write more of them. */
  beforeFlush?(): void
}

/** What a connection is made of. */
export interface Http2ClientConnectionInit {
  /** Just made; this class becomes its handler. */
  readonly connection: Connection
  readonly scheduler: Scheduler
  readonly clock: Clock
  readonly arena: OutputArena
  readonly options?: Partial<Http2ClientOptions>
  /** Fields that every request carries: kept in the server's header table. Together at most 4,096 by RFC 7541 §4.1. */
  readonly memorableFields?: readonly FieldPair[]
  readonly handler: Http2ClientHandler
}

/** After this side's end the server gets this long to close, so that it reads the reason. */
const lingerMs = 1_000
const keepAlivePing = Buffer.from('alive?\r\n', 'latin1')

export class Http2ClientConnection implements ConnectionHandler, ClientStreamOwner {
  readonly clock: Clock
  readonly options: Http2ClientOptions
  readonly writer: FrameWriter
  readonly sender: BodySender
  readonly encoder: HpackEncoder
  readonly streams = new Map<number, ClientStream>()
  readonly streamReceiveWindowBytes: number
  /** The server's SETTINGS_INITIAL_WINDOW_SIZE: the send window of new streams. */
  peerInitialWindowBytes = initialWindowBytesDefault
  /** The server's SETTINGS_MAX_CONCURRENT_STREAMS. */
  concurrentStreamsMax = Number.POSITIVE_INFINITY
  /** The id of the next stream: ids below it are used. */
  nextId = 1

  private readonly connection: Connection
  private readonly scheduler: Scheduler
  private readonly handler: Http2ClientHandler
  private readonly reader: FrameReader
  /** `draining`: opens no streams; `closing`: reads and writes nothing more, the transport is about to close. */
  private state: 'starting' | 'ready' | 'draining' | 'closing' = 'starting'
  private flushScheduled = false
  /** Control replies written while the transport was full. */
  private blockedReplies = 0
  // See I4.
  private isAwaiting = false
  private awaitingSinceMs = 0
  private pingSent = false
  private silenceTimer: Timer | undefined
  private lingerTimer: Timer | undefined

  constructor(init: Http2ClientConnectionInit) {
    this.connection = init.connection
    this.scheduler = init.scheduler
    this.clock = init.clock
    this.handler = init.handler
    const options: Http2ClientOptions = { ...http2ClientOptionsDefault, ...init.options }
    this.options = options
    this.writer = new FrameWriter(init.connection, init.arena)
    this.sender = new BodySender(this.writer)
    this.encoder = new HpackEncoder(init.memorableFields ?? [])
    this.streamReceiveWindowBytes = options.streamReceiveWindowBytes
    this.reader = new FrameReader(new ResponseDispatcher(this), framePayloadBytesDefault)
    init.connection.setHandler(this)
    this.sendPreface()
  }

  /** See I3. */
  get canOpen(): boolean {
    return (
      this.state === 'ready' &&
      this.nextId <= streamIdMax &&
      this.streams.size < this.concurrentStreamsMax &&
      !this.writer.isBlocked &&
      this.sender.queuedBytes < this.options.queuedBodyBytesMax
    )
  }

  /** Whether `canOpen` is false for the server's bound on streams alone. */
  get isFull(): boolean {
    return this.streams.size >= this.concurrentStreamsMax
  }

  /** Sends the head of a request; with `isWhole` it has no body. Only while `canOpen`. A template is of `encoder`. */
  open(source: HeaderSource, receiver: ResponseReceiver, isWhole = false): ClientStream {
    const id = this.nextId
    this.nextId = id + 2
    const stream = new ClientStream(this, id, receiver, this.peerInitialWindowBytes, isWhole)
    this.streams.set(id, stream)
    this.writer.headers(id, source.encode(), isWhole, this.sender.frameBytesMax)
    this.scheduleFlush()
    if (!this.isAwaiting) this.await()
    // Not here: nobody is called back inside `open`.
    if (this.nextId > streamIdMax) this.scheduler.endOfTurn(() => this.drain('its stream ids are used up'))
    return stream
  }

  onData(bytes: Uint8Array): void {
    if (this.state === 'closing') return
    this.reader.push(bytes)
    this.isAwaiting = this.streams.size > 0
    if (this.isAwaiting) this.awaitingSinceMs = this.clock.monotonicMs()
    if (this.pingSent) this.pingAnswered()
  }

  /** The server sends no more, so nothing open can be answered. */
  onEnd(): void {
    this.lose('the server closed the connection')
    this.endTransport()
  }

  onDrain(): void {
    this.writer.unblock()
    this.blockedReplies = 0
    this.scheduleFlush()
    this.handler.onCanOpen()
  }

  onClose(reason: CloseReason): void {
    this.lingerTimer?.cancel()
    const detail = this.connection.closeDetail
    this.lose(detail === undefined ? closeTexts[reason] : `${closeTexts[reason]} (${detail})`, reason)
  }

  /** Opens no more streams, and closes once those that are open have ended; when none is, at once. */
  retire(reason: string): void {
    if (this.state === 'starting') this.close(reason)
    else this.drain(reason)
  }

  /**
   * A request on this connection was given up: sends a PING when nothing was heard for `quietMs`, so that a dead link is
   * found sooner than by silence alone.
   */
  suspect(quietMs: number): void {
    if (!this.isAwaiting || this.pingSent || this.state === 'closing') return
    if (this.clock.monotonicMs() - this.awaitingSinceMs < quietMs) return
    this.silenceTimer?.cancel()
    this.sendPing()
  }

  /** Ends the connection in good order: GOAWAY. What is open fails. */
  close(reason: string): void {
    this.fail(Http2ErrorCode.noError, reason)
  }

  /** Ends the connection for the server's error: GOAWAY with `code`, then close. What is open fails. */
  fail(code: Http2ErrorCode, reason: string): void {
    if (this.state === 'closing') return
    if (this.state === 'starting' && code === Http2ErrorCode.noError) {
      this.connection.destroy()
    } else {
      // A client's GOAWAY names the last stream of the server's, which never opens any.
      this.writer.goAway(0, code, reason)
      this.writer.flush()
      this.endTransport()
    }
    this.lose(reason)
  }

  // What follows is for streams and the dispatcher.

  scheduleFlush(): void {
    if (this.flushScheduled) return
    this.flushScheduled = true
    this.scheduler.endOfTurn(this.flushTurn)
  }

  /** Counts a reply to a control frame; false when a server that does not read has asked for too many. */
  countReply(): boolean {
    this.scheduleFlush()
    return !this.writer.isBlocked || ++this.blockedReplies <= this.options.queuedControlFramesMax
  }

  settled(): void {
    if (this.state !== 'starting') return
    this.state = 'ready'
    this.handler.onReady()
  }

  resetStream(stream: ClientStream, code: Http2ErrorCode): void {
    this.closeStream(stream, code)
    this.streamGone()
  }

  /** Takes a stream out of the table; `streamGone` follows once its receiver knows. */
  closeStream(stream: ClientStream, resetCode: Http2ErrorCode | undefined): void {
    stream.markClosed()
    this.streams.delete(stream.id)
    if (resetCode === undefined || this.state === 'closing') return
    this.writer.rstStream(stream.id, resetCode)
    this.scheduleFlush()
  }

  /** A stream has left the table. */
  streamGone(): void {
    if (this.state === 'draining' && this.streams.size === 0) this.close('all requests are answered')
    else if (this.state === 'ready') this.handler.onCanOpen()
  }

  /** GOAWAY (§6.8): streams above `lastStreamId` were not and will not be acted upon. */
  onGoAway(lastStreamId: number, code: Http2ErrorCode, reason: string): void {
    this.drain(reason, code)
    for (const stream of [...this.streams.values()]) {
      if (stream.id <= lastStreamId) continue
      this.streams.delete(stream.id)
      // Whoever began to answer has acted, whatever it says now.
      stream.abort({ by: 'connection', code, processed: stream.hasHead, reason })
    }
    if (this.streams.size === 0) this.streamGone()
  }

  private drain(reason: string, code: Http2ErrorCode = Http2ErrorCode.noError): void {
    if (this.state !== 'ready') return
    this.state = 'draining'
    this.handler.onDraining(reason, code)
    this.streamGone()
  }

  private lose(reason: string, cause?: CloseReason): void {
    if (this.state === 'closing') return
    this.state = 'closing'
    this.reader.stop()
    this.silenceTimer?.cancel()
    const open = [...this.streams.values()]
    this.streams.clear()
    for (const stream of open) {
      const failure: StreamFailure = { by: 'connection', code: Http2ErrorCode.cancel, processed: true, reason }
      stream.abort(failure)
    }
    this.handler.onClosed(reason, cause)
  }

  private endTransport(): void {
    this.connection.end()
    this.lingerTimer ??= this.scheduler.setTimer(lingerMs, () => this.connection.destroy())
  }

  private sendPreface(): void {
    const options = this.options
    this.writer.reserve(clientPreface.length)
    this.writer.bytes(clientPreface)
    this.writer.settings([
      [Setting.enablePush, 0],
      [Setting.initialWindowSize, options.streamReceiveWindowBytes],
      [Setting.maxHeaderListSize, options.headerListBytesMax],
    ])
    this.writer.windowUpdate(0, options.connectionReceiveWindowBytes - initialWindowBytesDefault)
    this.scheduleFlush()
  }

  /** Something is sent, and what is heard next will be a sign of life. */
  private await(): void {
    this.isAwaiting = true
    this.awaitingSinceMs = this.clock.monotonicMs()
    if (this.silenceTimer === undefined) this.armSilenceTimer(this.options.keepAliveTimeMs)
  }

  /** Something was heard after a PING: the next one is due in its own time. */
  private pingAnswered(): void {
    this.pingSent = false
    this.silenceTimer?.cancel()
    this.silenceTimer = undefined
    if (this.isAwaiting) this.armSilenceTimer(this.options.keepAliveTimeMs)
  }

  private armSilenceTimer(delayMs: number): void {
    this.silenceTimer = this.scheduler.setTimer(delayMs, this.onSilence)
  }

  private readonly onSilence = (): void => {
    this.silenceTimer = undefined
    if (this.state === 'closing' || !this.isAwaiting) return
    const { keepAliveTimeMs, keepAliveTimeoutMs } = this.options
    if (this.pingSent) {
      this.lose(`nothing was heard for ${keepAliveTimeoutMs} ms after a ping`)
      this.connection.destroy()
      return
    }
    const quietMs = this.clock.monotonicMs() - this.awaitingSinceMs
    if (quietMs < keepAliveTimeMs) {
      this.armSilenceTimer(keepAliveTimeMs - quietMs)
      return
    }
    this.sendPing()
  }

  private sendPing(): void {
    this.pingSent = true
    this.writer.ping(keepAlivePing, false)
    this.scheduleFlush()
    this.armSilenceTimer(this.options.keepAliveTimeoutMs)
  }

  private readonly flushTurn = (): void => {
    if (this.state === 'closing') return
    // Still scheduled: what is written in here leaves with the rest.
    this.handler.beforeFlush?.()
    this.flushScheduled = false
    if (this.sender.hasReady && !this.writer.isBlocked) this.sender.pump()
    this.writer.flush()
  }
}

const closeTexts: Readonly<Record<CloseReason, string>> = {
  ended: 'the server closed the connection',
  reset: 'the connection was reset',
  refused: 'the connection was refused',
  unreachable: 'the address cannot be reached',
  local: 'the connection was closed here',
}
