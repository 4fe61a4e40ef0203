/**
 * Reads a client's frames: checks each against RFC 9113, keeps receive windows and stream states, and hands requests
 * to the handler. One method a frame type.
 *
 * I1. A method returns false exactly when the connection was failed: nothing more is read then.
 * I2. Every DATA frame is taken from `window`, also one that is ignored or refused: the client counts it as well.
 */
import { FramePayload } from './frame-payload.ts'
import type { FrameSink } from './frame-reader.ts'
import { HeadDecoder } from './head-decoder.ts'
import { HeaderBlock } from './header-block.ts'
import type { Http2ServerConnection } from './http2-server-connection.ts'
import { Http2Stream } from './http2-stream.ts'
import { readPeerSettings } from './peer-settings.ts'
import { Flag, FrameType, Http2ErrorCode, windowBytesMax } from './protocol.ts'
import { RateLimit } from './rate-limit.ts'
import { ReceiveWindow } from './receive-window.ts'
import { areTrailersValid, RequestHead, requestHeadOf } from './request-head.ts'

const noBytes: Buffer = Buffer.alloc(0)
/** Of requests whose header list passed the bound. */
const emptyHead = new RequestHead({ method: '', path: '', scheme: '', authority: '' }, -1, [])

export class FrameDispatcher implements FrameSink {
  /** The client's first SETTINGS has arrived. */
  isSettled = false
  /** Frames and whole header blocks seen; stands still while one of them is unfinished. */
  unitsSeen = 0

  private readonly owner: Http2ServerConnection
  private readonly heads: HeadDecoder<RequestHead>
  private readonly block: HeaderBlock
  private readonly resets: RateLimit
  private readonly nuisances: RateLimit
  /** DATA frames that this side had written when the peer last sent a PING. */
  private dataFramesAtPing = 0
  private readonly window: ReceiveWindow
  /** Of the current DATA or HEADERS frame. */
  private readonly payload = new FramePayload()

  constructor(owner: Http2ServerConnection) {
    const options = owner.options
    const nowMs = owner.clock.monotonicMs()
    this.owner = owner
    this.heads = new HeadDecoder(options.headerListBytesMax, requestHeadOf)
    this.block = new HeaderBlock(options.headerBlockBytesMax, options.continuationFramesMax)
    this.resets = new RateLimit(options.resetsBurst, options.resetsPerSecond, nowMs)
    this.nuisances = new RateLimit(options.nuisanceFramesBurst, options.nuisanceFramesPerSecond, nowMs)
    this.window = new ReceiveWindow(options.connectionReceiveWindowBytes)
  }

  get isMidHeaderBlock(): boolean {
    return this.block.isOpen
  }

  /** Memory of the unfinished header block. */
  get bufferedBytes(): number {
    return this.block.bytes
  }

  onFrameTooLarge(_type: number, _streamId: number): void {
    this.owner.fail(Http2ErrorCode.frameSizeError, 'frame too large')
  }

  onFrame(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): boolean {
    if (this.block.isOpen && (type !== FrameType.continuation || streamId !== this.block.streamId)) {
      return this.protocolError('expected CONTINUATION')
    }
    if (!this.isSettled && (type !== FrameType.settings || (flags & Flag.ack) !== 0)) {
      return this.protocolError('expected SETTINGS')
    }
    const isFine = this.dispatch(type, flags, streamId, bytes, start, end)
    if (!this.block.isOpen) this.unitsSeen++
    return isFine
  }

  private dispatch(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): boolean {
    switch (type) {
      case FrameType.data:
        return this.onData(flags, streamId, bytes, start, end)
      case FrameType.headers:
        return this.onHeaders(flags, streamId, bytes, start, end)
      case FrameType.continuation:
        return this.onContinuation(flags, bytes, start, end)
      case FrameType.priority:
        return this.onPriority(streamId, bytes, start, end)
      case FrameType.rstStream:
        return this.onRstStream(streamId, start, end)
      case FrameType.settings:
        return this.onSettings(flags, streamId, bytes, start, end)
      case FrameType.pushPromise:
        return this.protocolError('a client cannot push')
      case FrameType.ping:
        return this.onPing(flags, streamId, bytes, start, end)
      case FrameType.goAway:
        if (streamId !== 0) return this.protocolError('GOAWAY on a stream')
        return end - start >= 8 || this.fail(Http2ErrorCode.frameSizeError, 'GOAWAY too short')
      case FrameType.windowUpdate:
        return this.onWindowUpdate(streamId, bytes, start, end)
      default:
        // RFC 9113 §5.5: unknown frame types are ignored.
        return this.nuisance()
    }
  }

  // DATA, §6.1

  private onData(flags: number, streamId: number, bytes: Buffer, start: number, end: number): boolean {
    if (streamId === 0) return this.protocolError('DATA on the connection')
    const frameBytes = end - start
    if (!this.takeConnectionWindow(frameBytes)) return this.fail(Http2ErrorCode.flowControlError, 'window exceeded')
    if (!this.payload.strip(flags, bytes, start, end)) return this.protocolError('padding too long')
    const stream = this.owner.streams.open.get(streamId)
    if (stream === undefined) return this.onDataWithoutStream(streamId)
    if (stream.isRemoteClosed) return this.streamError(streamId, Http2ErrorCode.streamClosed)
    stream.receiveWindow -= frameBytes
    if (stream.receiveWindow < 0) return this.streamError(streamId, Http2ErrorCode.flowControlError)
    const bodyBytes = this.payload.byteLength
    const endStream = (flags & Flag.endStream) !== 0
    if (bodyBytes === 0 && !endStream && !this.nuisance()) return false
    if (frameBytes !== bodyBytes) stream.consumed(frameBytes - bodyBytes)
    return this.deliver(stream, bytes, this.payload.start, this.payload.end, endStream)
  }

  private deliver(stream: Http2Stream, bytes: Buffer, start: number, end: number, endStream: boolean): boolean {
    stream.receivedBytes += end - start
    const announced = stream.head.contentLength
    if (announced !== -1 && (stream.receivedBytes > announced || (endStream && stream.receivedBytes < announced))) {
      return this.streamError(stream.id, Http2ErrorCode.protocolError)
    }
    if (endStream) stream.isRemoteClosed = true
    stream.receiver!.onData(bytes, start, end, endStream)
    return true
  }

  private onDataWithoutStream(streamId: number): boolean {
    switch (this.owner.streams.absent(streamId)) {
      case 'idle':
        return this.protocolError('DATA on an idle stream')
      case 'reset-here':
        return true
      default:
        return this.streamError(streamId, Http2ErrorCode.streamClosed)
    }
  }

  private takeConnectionWindow(frameBytes: number): boolean {
    const credit = this.window.take(frameBytes)
    if (credit > 0) {
      this.owner.writer.windowUpdate(0, credit)
      this.owner.flushSoon()
    }
    return credit >= 0
  }

  // HEADERS and CONTINUATION, §6.2 and §6.10

  private onHeaders(flags: number, streamId: number, bytes: Buffer, start: number, end: number): boolean {
    if ((streamId & 1) === 0) return this.protocolError('HEADERS on a stream that is not a client’s')
    if (!this.payload.strip(flags, bytes, start, end)) return this.protocolError('padding too long')
    let selfDependent = false
    if ((flags & Flag.priority) !== 0) {
      const priorityAt = this.payload.start
      if (!this.payload.stripPriority()) return this.fail(Http2ErrorCode.frameSizeError, 'HEADERS too short')
      selfDependent = dependencyAt(bytes, priorityAt) === streamId
    }
    const endStream = (flags & Flag.endStream) !== 0
    if (selfDependent) {
      // The block must still be decoded; §5.3.1 of RFC 7540 makes this an error of the stream.
      if ((flags & Flag.endHeaders) === 0) return this.protocolError('a stream cannot depend on itself')
      if (streamId > this.owner.streams.lastId) this.owner.streams.use(streamId)
      return (
        this.discardBlock(bytes, this.payload.start, this.payload.end) &&
        this.streamError(streamId, Http2ErrorCode.protocolError)
      )
    }
    if ((flags & Flag.endHeaders) !== 0) {
      return this.onHeaderBlock(streamId, endStream, bytes, this.payload.start, this.payload.end)
    }
    this.block.open(streamId, endStream, bytes.subarray(this.payload.start, this.payload.end))
    return true
  }

  private onContinuation(flags: number, bytes: Buffer, start: number, end: number): boolean {
    if (!this.block.isOpen) return this.protocolError('unexpected CONTINUATION')
    if (!this.block.append(bytes.subarray(start, end))) {
      return this.fail(Http2ErrorCode.enhanceYourCalm, 'header block too large')
    }
    if ((flags & Flag.endHeaders) === 0) return true
    const { streamId, endStream } = this.block
    const block = this.block.close()
    return this.onHeaderBlock(streamId, endStream, block, 0, block.length)
  }

  private onHeaderBlock(id: number, endStream: boolean, bytes: Buffer, start: number, end: number): boolean {
    const streams = this.owner.streams
    if (id <= streams.lastId) return this.onLaterHeaderBlock(id, endStream, bytes, start, end)
    const head = this.heads.decode(bytes, start, end)
    if (head === 'malformed') return this.fail(Http2ErrorCode.compressionError, 'malformed header block')
    streams.use(id)
    if (!this.owner.acceptsStreams) {
      // §6.8: ignored; the final GOAWAY told the peer.
      streams.rememberReset(id)
      return true
    }
    if (head === 'invalid') return this.streamError(id, Http2ErrorCode.protocolError)
    if (head === 'too-large' && this.owner.handler.onHeadTooLarge === undefined) {
      return this.streamError(id, Http2ErrorCode.enhanceYourCalm)
    }
    const { concurrentStreamsMax, queuedBodyBytesMax } = this.owner.options
    if (streams.open.size >= concurrentStreamsMax || this.owner.sender.queuedBytes > queuedBodyBytesMax) {
      this.owner.sendReset(id, Http2ErrorCode.refusedStream)
      return this.nuisance()
    }
    return head === 'too-large' ? this.openHeadless(id, endStream) : this.openStream(id, endStream, head)
  }

  /** A request whose list was dropped for its size. */
  private openHeadless(id: number, endStream: boolean): boolean {
    const stream = new Http2Stream(this.owner, id, emptyHead, endStream, this.owner.peerInitialWindowBytes)
    this.owner.streams.open.set(id, stream)
    stream.receiver = this.owner.handler.onHeadTooLarge!(stream, endStream)
    return this.takeReset()
  }

  private openStream(id: number, endStream: boolean, head: RequestHead): boolean {
    if (endStream && head.contentLength > 0) return this.streamError(id, Http2ErrorCode.protocolError)
    const stream = new Http2Stream(this.owner, id, head, endStream, this.owner.peerInitialWindowBytes)
    this.owner.streams.open.set(id, stream)
    stream.receiver = this.owner.handler.onStream(stream, endStream)
    return true
  }

  /** A header block on an id that is not new: trailers, or an error. */
  private onLaterHeaderBlock(id: number, endStream: boolean, bytes: Buffer, start: number, end: number): boolean {
    if (!this.discardBlock(bytes, start, end)) return false
    const stream = this.owner.streams.open.get(id)
    if (stream === undefined) {
      switch (this.owner.streams.absent(id)) {
        case 'reset-here':
          return true
        case 'closed':
          return this.fail(Http2ErrorCode.streamClosed, 'HEADERS on a closed stream')
        default:
          return this.protocolError('stream ids must rise')
      }
    }
    if (stream.isRemoteClosed) return this.streamError(id, Http2ErrorCode.streamClosed)
    if (!endStream || !areTrailersValid(this.heads.hpack.fields)) {
      return this.streamError(id, Http2ErrorCode.protocolError)
    }
    stream.receiver!.onTrailers?.(this.heads.hpack.fields)
    return this.deliver(stream, noBytes, 0, 0, true)
  }

  /** Decodes a block only to keep the header table in step; its fields stay in `heads.hpack.fields`. */
  private discardBlock(bytes: Buffer, start: number, end: number): boolean {
    const result = this.heads.hpack.decode(bytes, start, end, this.owner.options.headerListBytesMax)
    return result !== 'malformed' || this.fail(Http2ErrorCode.compressionError, 'malformed header block')
  }

  // PRIORITY, §6.3: checked, then ignored

  private onPriority(streamId: number, bytes: Buffer, start: number, end: number): boolean {
    if (streamId === 0) return this.protocolError('PRIORITY on the connection')
    if (end - start !== 5) return this.streamError(streamId, Http2ErrorCode.frameSizeError)
    if (dependencyAt(bytes, start) === streamId) return this.streamError(streamId, Http2ErrorCode.protocolError)
    return this.nuisance()
  }

  // RST_STREAM, §6.4

  private onRstStream(streamId: number, start: number, end: number): boolean {
    if (streamId === 0) return this.protocolError('RST_STREAM on the connection')
    if (end - start !== 4) return this.fail(Http2ErrorCode.frameSizeError, 'RST_STREAM of a wrong size')
    const streams = this.owner.streams
    const stream = streams.open.get(streamId)
    if (stream === undefined) {
      if (streams.absent(streamId) === 'idle') return this.protocolError('RST_STREAM on an idle stream')
      streams.forgetReset(streamId)
      return this.nuisance()
    }
    streams.open.delete(streamId)
    stream.abort(Http2ErrorCode.cancel)
    this.owner.streamGone()
    return stream.hasResponded || this.takeReset()
  }

  // SETTINGS, §6.5

  private onSettings(flags: number, streamId: number, bytes: Buffer, start: number, end: number): boolean {
    if (streamId !== 0) return this.protocolError('SETTINGS on a stream')
    if ((flags & Flag.ack) !== 0) {
      return start === end || this.fail(Http2ErrorCode.frameSizeError, 'SETTINGS acknowledgement with a payload')
    }
    if ((end - start) % 6 !== 0) return this.fail(Http2ErrorCode.frameSizeError, 'SETTINGS of a wrong size')
    const settings = readPeerSettings(bytes, start, end)
    if (typeof settings === 'number') return this.fail(settings, 'invalid setting')
    if (settings.headerTableBytes !== undefined) this.owner.encoder.setPeerTableBytes(settings.headerTableBytes)
    if (settings.frameBytesMax !== undefined) this.owner.sender.setPeerFrameBytesMax(settings.frameBytesMax)
    if (settings.initialWindowBytes !== undefined && !this.changeInitialWindow(settings.initialWindowBytes)) {
      return this.fail(Http2ErrorCode.flowControlError, 'window too large')
    }
    this.isSettled = true
    this.owner.writer.settingsAck()
    // A change of window visits every stream: the more there are, the dearer the frame.
    return this.reply() && this.nuisance(1 + this.owner.openStreams / 1000)
  }

  /** §6.9.2: the difference applies to every open stream. */
  private changeInitialWindow(bytes: number): boolean {
    const difference = bytes - this.owner.peerInitialWindowBytes
    this.owner.peerInitialWindowBytes = bytes
    if (difference === 0) return true
    for (const stream of this.owner.streams.open.values()) {
      stream.sendWindow += difference
      if (stream.sendWindow > windowBytesMax) return false
      if (stream.queuedBytes > 0) this.owner.sender.ready(stream)
    }
    this.owner.flushSoon()
    return true
  }

  // PING, §6.7

  private onPing(flags: number, streamId: number, bytes: Buffer, start: number, end: number): boolean {
    if (streamId !== 0) return this.protocolError('PING on a stream')
    if (end - start !== 8) return this.fail(Http2ErrorCode.frameSizeError, 'PING of a wrong size')
    if ((flags & Flag.ack) !== 0) {
      this.owner.onPingAck()
      return this.nuisance()
    }
    this.owner.writer.ping(bytes.subarray(start, end), true)
    const pings = this.owner.pings
    if (pings !== undefined && !pings.allows(this.owner.clock.monotonicMs(), this.owner.openStreams)) {
      return this.fail(Http2ErrorCode.enhanceYourCalm, 'too_many_pings')
    }
    return this.reply() && (this.probesBandwidth() || this.nuisance())
  }

  /** grpc-go measures the bandwidth with one PING after DATA that it got: no nuisance, however many requests a second. */
  private probesBandwidth(): boolean {
    const { dataFrames } = this.owner.writer
    if (dataFrames === this.dataFramesAtPing) return false
    this.dataFramesAtPing = dataFrames
    return true
  }

  // WINDOW_UPDATE, §6.9

  private onWindowUpdate(streamId: number, bytes: Buffer, start: number, end: number): boolean {
    if (end - start !== 4) return this.fail(Http2ErrorCode.frameSizeError, 'WINDOW_UPDATE of a wrong size')
    const increment = bytes.readUInt32BE(start) & windowBytesMax
    const sender = this.owner.sender
    if (streamId === 0) {
      if (increment === 0) return this.protocolError('empty WINDOW_UPDATE')
      sender.window += increment
      if (sender.window > windowBytesMax) return this.fail(Http2ErrorCode.flowControlError, 'window too large')
      if (sender.hasReady) this.owner.flushSoon()
      return true
    }
    const stream = this.owner.streams.open.get(streamId)
    if (stream === undefined) {
      return this.owner.streams.absent(streamId) !== 'idle' || this.protocolError('WINDOW_UPDATE on an idle stream')
    }
    if (increment === 0) return this.streamError(streamId, Http2ErrorCode.protocolError)
    stream.sendWindow += increment
    if (stream.sendWindow > windowBytesMax) return this.streamError(streamId, Http2ErrorCode.flowControlError)
    if (stream.queuedBytes > 0) {
      sender.ready(stream)
      this.owner.flushSoon()
    }
    return true
  }

  // Refusals

  private fail(code: Http2ErrorCode, debugText: string): false {
    this.owner.fail(code, debugText)
    return false
  }

  private protocolError(debugText: string): false {
    return this.fail(Http2ErrorCode.protocolError, debugText)
  }

  /** §5.4.2: resets one stream. Errors at a rate that makes them an attack end the connection. */
  private streamError(streamId: number, code: Http2ErrorCode): boolean {
    const stream = this.owner.streams.open.get(streamId)
    this.owner.streams.open.delete(streamId)
    this.owner.sendReset(streamId, code)
    stream?.abort(code)
    this.owner.streamGone()
    return this.takeReset()
  }

  /** Rapid reset (CVE-2023-44487): work begun and thrown away. */
  private takeReset(): boolean {
    if (this.resets.take(this.owner.clock.monotonicMs())) return true
    return this.fail(Http2ErrorCode.enhanceYourCalm, 'too many resets')
  }

  private nuisance(cost = 1): boolean {
    if (this.nuisances.take(this.owner.clock.monotonicMs(), cost)) return true
    return this.fail(Http2ErrorCode.enhanceYourCalm, 'too many control frames')
  }

  private reply(): boolean {
    return this.owner.countReply() || this.fail(Http2ErrorCode.enhanceYourCalm, 'too many replies waiting')
  }
}

function dependencyAt(bytes: Buffer, offset: number): number {
  return bytes.readUInt32BE(offset) & windowBytesMax
}
