/**
 * One client's HTTP/2 connection (RFC 9113), server side: the transport's events in, frames out once a turn.
 * `FrameDispatcher` reads frames, `BodySender` sends bodies; this file owns their lives: start, flush, errors,
 * shutdown.
 *
 * I1. No input makes a method of this class throw: a peer's error ends in RST_STREAM or in GOAWAY and a close.
 * I2. Frames written in a turn leave in that turn, by one write of the transport (one for each 64 KiB).
 * I3. Output for a peer that does not read is bounded: bodies wait in their streams once the transport is full,
 *     reading stops at half of `outputBytesMax`, and past it the connection closes.
 * I4. Output that makes no progress ends: the connection when the transport takes nothing, the stream when its peer
 *     gives a complete response no window. A stream that is still written to may wait as long as its peer likes.
 * I5. When the connection is gone every open stream's receiver has heard `onReset`, then the handler `onClosed`.
 */
import type { Clock, CloseReason, Connection, ConnectionHandler, Scheduler, Timer } from '../../runtime/index.ts'
import { BodySender } from './body-sender.ts'
import { FrameDispatcher } from './frame-dispatcher.ts'
import { FrameReader } from './frame-reader.ts'
import { FrameWriter } from './frame-writer.ts'
import { type FieldPair, HpackEncoder } from './hpack-encoder.ts'
import type { Http2Stream, StreamOwner, StreamReceiver } from './http2-stream.ts'
import type { MemoryHolder, MemoryLedger } from './memory-ledger.ts'
import { type Http2Options, http2OptionsDefault, type KeepAlive } from './options.ts'
import type { OutputArena } from './output-arena.ts'
import { PingEnforcement } from './ping-enforcement.ts'
import {
  clientPreface,
  framePayloadBytesDefault,
  Http2ErrorCode,
  initialWindowBytesDefault,
  Setting,
  streamIdMax,
} from './protocol.ts'
import { StreamTable } from './stream-table.ts'

/** The layer above, for one connection. */
export interface Http2Handler {
  /** A request. `stream.head` is complete and valid; `endStream` says that it has no body. */
  onStream(stream: Http2Stream, endStream: boolean): StreamReceiver
  /**
   * A request whose header list passes `headerListBytesMax`; `stream.head` is empty. It may be answered. Without this
   * its stream is reset.
   */
  onHeadTooLarge?(stream: Http2Stream, endStream: boolean): StreamReceiver
  /** The turn's frames are about to leave: the last chance to write more of them. */
  beforeFlush?(): void
  /** They are handed to the transport. */
  onFlushed?(): void
  /** The connection is gone. The last call. */
  onClosed(): void
}

/** What a connection is made of. */
export interface Http2ServerConnectionInit {
  readonly connection: Connection
  readonly scheduler: Scheduler
  readonly clock: Clock
  readonly arena: OutputArena
  readonly options?: Partial<Http2Options>
  /** The bound on what this connection and others hold together. */
  readonly ledger?: MemoryLedger
  /** Fields that every response carries: kept in the peer's header table. */
  readonly memorableFields?: readonly FieldPair[]
  readonly handler: (connection: Http2ServerConnection) => Http2Handler
}

/** After GOAWAY the peer gets this long to close, so that it reads the reason. */
const lingerMs = 1_000
/** With less in its streams a connection is not worth the ledger's count at every read. */
const streamBytesNotedMin = 256 << 10
/** See `stopRequest`. */
const stopDelayMs = 20
const unstoppedMax = 100
/** A draining connection whose peer does not answer the shutdown's PING names its last stream after this. */
const shutdownPingTimeoutMs = 1_000
const shutdownPing = Buffer.from('shutdown', 'latin1')
const keepAlivePing = Buffer.from('alive?\r\n', 'latin1')

export class Http2ServerConnection implements ConnectionHandler, StreamOwner, MemoryHolder {
  readonly connection: Connection
  readonly clock: Clock
  readonly options: Http2Options
  readonly writer: FrameWriter
  readonly sender: BodySender
  readonly encoder: HpackEncoder
  readonly streams: StreamTable
  readonly handler: Http2Handler
  readonly pings: PingEnforcement | undefined
  readonly streamReceiveWindowBytes: number
  /** The peer's SETTINGS_INITIAL_WINDOW_SIZE: the send window of new streams. */
  peerInitialWindowBytes = initialWindowBytesDefault
  bytesReceived = 0
  streamBytesHeld = 0
  /** What the layer above holds of unfinished requests. */
  requestBytesHeld = 0
  /** What it has prepared of answers that are not sent yet. */
  answerBytesHeld = 0

  private readonly ledger: MemoryLedger | undefined
  private readonly scheduler: Scheduler
  private readonly dispatcher: FrameDispatcher
  private readonly reader: FrameReader
  private prefaceBytes = 0
  private flushScheduled = false
  private isPaused = false
  /** Control replies written while the transport was full. */
  private blockedReplies = 0
  /** `open`; `draining` after the first GOAWAY of a shutdown; `closing` once nothing more is read or begun; `gone`. */
  private state: 'open' | 'draining' | 'closing' | 'gone' = 'open'
  private inputEnded = false
  private sentFinalGoAway = false
  /** The last stream id of the final GOAWAY; a later GOAWAY must not name a higher one (§6.8). */
  private lastIdAnnounced = streamIdMax
  private readonly timers = new Set<Timer>()
  private frameTimerArmed = false
  private stallTimerArmed = false
  /** Streams whose response was complete before their request, until the peer is told to stop sending that. */
  private readonly unstopped: number[] = []
  private stopTimerArmed = false

  constructor(init: Http2ServerConnectionInit) {
    this.connection = init.connection
    this.scheduler = init.scheduler
    this.ledger = init.ledger
    this.clock = init.clock
    const options: Http2Options = { ...http2OptionsDefault, ...init.options }
    this.options = options
    this.writer = new FrameWriter(init.connection, init.arena)
    this.sender = new BodySender(this.writer)
    this.encoder = new HpackEncoder(init.memorableFields ?? [])
    this.streams = new StreamTable(options.rememberedResetsMax)
    this.streamReceiveWindowBytes = options.streamReceiveWindowBytes
    this.pings = options.pingPolicy === undefined ? undefined : new PingEnforcement(options.pingPolicy)
    this.dispatcher = new FrameDispatcher(this)
    this.reader = new FrameReader(this.dispatcher, options.frameBytesMax)
    this.handler = init.handler(this)
    this.sendPreface()
    this.setTimer(options.prefaceTimeoutMs, () => {
      if (!this.dispatcher.isSettled) this.destroy()
    })
    if (options.keepAlive !== undefined) this.keepAlive(options.keepAlive)
  }

  /** Streams open now. */
  get openStreams(): number {
    return this.streams.open.size
  }

  /** Whether new streams are begun: not while closing, nor after the final GOAWAY of a shutdown. */
  get acceptsStreams(): boolean {
    return !this.sentFinalGoAway && this.state !== 'closing' && this.state !== 'gone'
  }

  /** All that is held for the peer, in either direction. */
  get heldBytes(): number {
    if (this.state === 'gone') return 0
    const input = this.reader.bufferedBytes + this.dispatcher.bufferedBytes + this.requestBytesHeld
    const output = this.answerBytesHeld + this.sender.queuedBytes + this.connection.queuedBytes
    return input + this.streamBytesHeld + output
  }

  onData(bytes: Uint8Array): void {
    this.bytesReceived += bytes.length
    if (this.state === 'closing' || this.state === 'gone') return
    if (this.prefaceBytes < clientPreface.length) {
      this.readPreface(bytes)
      return
    }
    this.reader.push(bytes)
    if (this.streamBytesHeld > streamBytesNotedMin && !this.noteHeld()) return
    this.watchUnfinishedFrame()
  }

  /** The peer sends no more: finish what it asked for whole, give up the rest, then close. */
  onEnd(): void {
    this.inputEnded = true
    for (const stream of [...this.streams.open.values()]) {
      if (stream.isRemoteClosed) continue
      this.streams.open.delete(stream.id)
      stream.abort(Http2ErrorCode.cancel)
    }
    this.closeWhenIdle()
    this.flushSoon()
  }

  onDrain(): void {
    this.writer.unblock()
    this.blockedReplies = 0
    if (this.isPaused) {
      this.isPaused = false
      this.connection.resume()
    }
    this.flushSoon()
  }

  onClose(_reason: CloseReason): void {
    if (this.state === 'gone') return
    this.state = 'gone'
    this.reader.stop()
    for (const timer of this.timers) timer.cancel()
    this.timers.clear()
    this.ledger?.forget(this)
    this.abortStreams(Http2ErrorCode.cancel)
    this.handler.onClosed()
  }

  /**
   * Closes gracefully: streams already begun finish, new ones are refused (RFC 9113 §6.8). Whatever is left after
   * `drainMs` is cut off; `Infinity` cuts nothing off.
   */
  shutdown(drainMs: number): void {
    if (this.state === 'draining' && drainMs !== Number.POSITIVE_INFINITY) this.setTimer(drainMs, () => this.destroy())
    if (this.state !== 'open') return
    this.state = 'draining'
    this.writer.goAway(streamIdMax, Http2ErrorCode.noError, '')
    this.writer.ping(shutdownPing, false)
    this.flushSoon()
    this.setTimer(Math.min(shutdownPingTimeoutMs, drainMs), () => this.sendFinalGoAway())
    if (drainMs !== Number.POSITIVE_INFINITY) this.setTimer(drainMs, () => this.destroy())
  }

  /** Ends the connection for a peer's error: GOAWAY with `code`, then close. */
  fail(code: Http2ErrorCode, debugText: string): void {
    if (this.state === 'closing' || this.state === 'gone') return
    this.writer.goAway(Math.min(this.streams.lastId, this.lastIdAnnounced), code, debugText)
    this.beginClosing(code)
  }

  relinquish(): void {
    this.fail(Http2ErrorCode.enhanceYourCalm, 'too much waits for this connection')
    if (this.connection.queuedBytes > 0) this.destroy()
  }

  /** Counts an answer in the making. False when the connection has too much of them, or is gone. */
  claimAnswer(byteLength: number): boolean {
    if (this.sender.queuedBytes + this.answerBytesHeld + byteLength > this.answerBytesMax) return false
    this.answerBytesHeld += byteLength
    if (this.noteHeld()) return true
    this.answerBytesHeld -= byteLength
    return false
  }

  private get answerBytesMax(): number {
    return 4 * this.options.queuedBodyBytesMax
  }

  /** `heldBytes` has grown. Returns false when that ended the connection. */
  noteHeld(): boolean {
    this.ledger?.note(this)
    return this.state === 'open' || this.state === 'draining'
  }

  destroy(): void {
    if (this.state === 'gone') return
    this.state = 'closing'
    this.reader.stop()
    this.connection.destroy()
  }

  /** A timer that dies with the connection. */
  setTimer(delayMs: number, callback: () => void): void {
    if (this.state === 'gone') return
    const timer = this.scheduler.setTimer(delayMs, () => {
      this.timers.delete(timer)
      callback()
    })
    this.timers.add(timer)
  }

  scheduleFlush(): void {
    this.pings?.sent()
    if (!this.flushScheduled) this.flushSoon()
  }

  /** As `scheduleFlush`, for frames that are neither headers nor data. */
  flushSoon(): void {
    if (this.flushScheduled) return
    this.flushScheduled = true
    this.scheduler.endOfTurn(this.flushTurn)
  }

  /** Counts a reply to a control frame; false when a peer that does not read has asked for too many. */
  countReply(): boolean {
    this.flushSoon()
    return !this.writer.isBlocked || ++this.blockedReplies <= this.options.queuedControlFramesMax
  }

  streamEnded(stream: Http2Stream, resetCode: Http2ErrorCode | undefined): void {
    stream.markClosed()
    this.streams.open.delete(stream.id)
    if (resetCode !== undefined) this.sendReset(stream.id, resetCode)
    else if (!stream.isRemoteClosed) this.stopRequest(stream.id)
    this.streamGone()
  }

  /**
   * RFC 9113 §8.1: the response is complete before the request, and NO_ERROR tells the peer to stop sending it. A moment
   * after the response: there are clients (curl 7.88) that drop a response when both come at once.
   */
  private stopRequest(streamId: number): void {
    this.streams.rememberReset(streamId)
    this.unstopped.push(streamId)
    if (this.unstopped.length >= unstoppedMax) this.sendStops()
    else if (!this.stopTimerArmed) {
      this.stopTimerArmed = true
      this.setTimer(stopDelayMs, () => {
        this.stopTimerArmed = false
        this.sendStops()
      })
    }
  }

  private sendStops(): void {
    for (const id of this.unstopped.splice(0)) {
      // Unless it has given up the request itself.
      if (this.streams.absent(id) === 'reset-here') this.sendReset(id, Http2ErrorCode.noError)
    }
  }

  /** Who sends no more opens no window either: what waits for one waits for ever. */
  private giveUpStarved(): void {
    for (const stream of [...this.streams.open.values()]) {
      if (stream.queuedBytes === 0 || (stream.sendWindow > 0 && this.sender.window > 0)) continue
      this.streams.open.delete(stream.id)
      stream.abort(Http2ErrorCode.cancel)
    }
    this.closeWhenIdle()
  }

  /** A stream has left the table. */
  streamGone(): void {
    if (this.state !== 'open' || this.inputEnded) this.closeWhenIdle()
  }

  sendReset(streamId: number, code: Http2ErrorCode): void {
    this.streams.rememberReset(streamId)
    this.writer.rstStream(streamId, code)
    if (!this.countReply()) this.fail(Http2ErrorCode.enhanceYourCalm, 'too many resets')
  }

  /** The answer to the PING of a shutdown: the peer has seen the first GOAWAY. */
  onPingAck(): void {
    if (this.state === 'draining') this.sendFinalGoAway()
  }

  private sendFinalGoAway(): void {
    if (this.sentFinalGoAway || this.state !== 'draining') return
    this.sentFinalGoAway = true
    this.lastIdAnnounced = this.streams.lastId
    this.writer.goAway(this.lastIdAnnounced, Http2ErrorCode.noError, '')
    this.closeWhenIdle()
    this.flushSoon()
  }

  private closeWhenIdle(): void {
    if (this.streams.open.size > 0) return
    if (this.inputEnded || this.sentFinalGoAway) this.beginClosing(Http2ErrorCode.noError)
  }

  private beginClosing(code: number): void {
    if (this.state === 'closing' || this.state === 'gone') return
    this.state = 'closing'
    this.reader.stop()
    this.abortStreams(code)
    this.writer.flush()
    this.connection.end()
    if (this.isPaused) this.connection.resume()
    this.setTimer(lingerMs, () => this.connection.destroy())
  }

  private abortStreams(code: number): void {
    const open = [...this.streams.open.values()]
    this.streams.open.clear()
    for (const stream of open) stream.abort(code)
  }

  private sendPreface(): void {
    const options = this.options
    const settings: (readonly [number, number])[] = [
      [Setting.maxConcurrentStreams, options.concurrentStreamsMax],
      [Setting.initialWindowSize, options.streamReceiveWindowBytes],
      [Setting.maxHeaderListSize, options.headerListBytesMax],
    ]
    if (options.frameBytesMax !== framePayloadBytesDefault) settings.push([Setting.maxFrameSize, options.frameBytesMax])
    this.writer.settings(settings)
    const increment = options.connectionReceiveWindowBytes - initialWindowBytesDefault
    if (increment > 0) this.writer.windowUpdate(0, increment)
    this.flushSoon()
  }

  private readPreface(bytes: Uint8Array): void {
    let offset = 0
    while (this.prefaceBytes < clientPreface.length && offset < bytes.length) {
      if (bytes[offset++] !== clientPreface[this.prefaceBytes++]) {
        this.fail(Http2ErrorCode.protocolError, 'not an HTTP/2 preface')
        return
      }
    }
    if (offset < bytes.length) this.onData(bytes.subarray(offset))
  }

  /** Slow loris: one lazy timer finds a frame or a header block that made no progress between two firings. */
  private watchUnfinishedFrame(): void {
    if (!this.reader.isMidFrame && !this.dispatcher.isMidHeaderBlock) return
    if (!this.noteHeld() || this.frameTimerArmed) return
    this.frameTimerArmed = true
    const seen = this.dispatcher.unitsSeen
    this.setTimer(this.options.frameTimeoutMs, () => {
      this.frameTimerArmed = false
      const unfinished = this.reader.isMidFrame || this.dispatcher.isMidHeaderBlock
      if (unfinished && this.dispatcher.unitsSeen === seen && !this.isPaused) {
        this.fail(Http2ErrorCode.enhanceYourCalm, 'frame too slow')
      } else if (this.state === 'open' || this.state === 'draining') {
        this.watchUnfinishedFrame()
      }
    })
  }

  /** See I4: one lazy timer, armed while output waits, compares two moments. */
  private watchOutput(): void {
    if (this.stallTimerArmed) return
    this.stallTimerArmed = true
    const sentBytes = this.sender.sentBytes
    const takenBytes = this.writer.bytesWritten - this.connection.queuedBytes
    this.setTimer(this.options.sendTimeoutMs, () => {
      this.stallTimerArmed = false
      const queuedBytes = this.connection.queuedBytes
      if (queuedBytes > 0 && this.writer.bytesWritten - queuedBytes === takenBytes) {
        this.destroy()
        return
      }
      this.resetStalledStreams(this.sender.sentBytes === sentBytes)
      if (this.connection.queuedBytes > 0 || this.sender.queuedBytes > 0) this.watchOutput()
    })
  }

  /** With `allWait` nobody got anything: it is the connection's window that is shut. */
  private resetStalledStreams(allWait: boolean): void {
    for (const stream of [...this.streams.open.values()]) {
      if (!stream.isStalled() || !(allWait || stream.sendWindow <= 0)) continue
      stream.abort(Http2ErrorCode.cancel)
      this.streamEnded(stream, Http2ErrorCode.cancel)
    }
  }

  /** grpc/grpc doc/keepalive.md: any frame is a sign of life. */
  private keepAlive({ intervalMs, timeoutMs }: KeepAlive): void {
    const seen = this.bytesReceived
    this.setTimer(intervalMs, () => {
      if (this.bytesReceived !== seen) {
        this.keepAlive({ intervalMs, timeoutMs })
        return
      }
      this.writer.ping(keepAlivePing, false)
      this.flushSoon()
      this.setTimer(timeoutMs, () => {
        if (this.bytesReceived === seen) this.destroy()
        else this.keepAlive({ intervalMs, timeoutMs })
      })
    })
  }

  private readonly flushTurn = (): void => {
    if (this.state === 'gone') return
    // Still scheduled: what is written in here leaves with the rest.
    this.handler.beforeFlush?.()
    this.flushScheduled = false
    if (this.sender.hasReady && !this.writer.isBlocked && this.sender.pump()) this.pings?.sent()
    this.writer.flush()
    this.handler.onFlushed?.()
    if (this.inputEnded) this.giveUpStarved()
    const queued = this.connection.queuedBytes
    const waiting = queued + this.sender.queuedBytes
    if (waiting > 0) {
      this.watchOutput()
      if (!this.noteHeld()) return
    }
    if (queued > this.options.outputBytesMax || this.sender.queuedBytes > this.answerBytesMax) {
      this.destroy()
    } else if (queued > this.options.outputBytesMax / 2 && !this.isPaused && this.state !== 'closing') {
      this.isPaused = true
      this.connection.pause()
    }
  }
}
