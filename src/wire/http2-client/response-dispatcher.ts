/**
 * Reads a server's frames: checks each against RFC 9113, keeps receive windows and stream states, and hands responses
 * to their receivers. One method a frame type.
 *
 * I1. A method returns false exactly when the connection was failed: nothing more is read then.
 * I2. Every DATA frame is taken from `window`, also one that is ignored or refused: the server counts it as well.
 * I3. Frames on closed streams are ignored: those that this side reset are still being answered, and no distinction is
 *     kept. Their windows and header blocks count all the same.
 */
import {
  Flag,
  FramePayload,
  type FrameSink,
  FrameType,
  HeadDecoder,
  HeaderBlock,
  Http2ErrorCode,
  RateLimit,
  ReceiveWindow,
  readPeerSettings,
  windowBytesMax,
} from '../http2/index.ts'
import type { ClientStream } from './client-stream.ts'
import type { Http2ClientConnection } from './http2-client-connection.ts'
import { type ResponseHead, responseHeadOf } from './response-head.ts'

/** Of a GOAWAY's debug data, shown to people. */
const debugBytesShown = 200

export class ResponseDispatcher implements FrameSink {
  private readonly owner: Http2ClientConnection
  private readonly heads: HeadDecoder<ResponseHead>
  private readonly block: HeaderBlock
  private readonly nuisances: RateLimit
  /** DATA frames that this side had written when the peer last sent a PING. */
  private dataFramesAtPing = 0
  private isSettled = false
  private readonly window: ReceiveWindow
  /** Of the current DATA or HEADERS frame. */
  private readonly payload = new FramePayload()

  constructor(owner: Http2ClientConnection) {
    const options = owner.options
    this.owner = owner
    this.heads = new HeadDecoder(options.headerListBytesMax, responseHeadOf)
    this.block = new HeaderBlock(options.headerBlockBytesMax, options.continuationFramesMax)
    const nowMs = owner.clock.monotonicMs()
    this.nuisances = new RateLimit(options.nuisanceFramesBurst, options.nuisanceFramesPerSecond, nowMs)
    this.window = new ReceiveWindow(options.connectionReceiveWindowBytes)
  }

  onFrameTooLarge(_type: number, _streamId: number): void {
    // What is no HTTP/2 at all mostly ends up here.
    this.fail(Http2ErrorCode.frameSizeError, this.isSettled ? 'frame too large' : 'the server does not speak HTTP/2')
  }

  onFrame(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): boolean {
    if (this.block.isOpen && (type !== FrameType.continuation || streamId !== this.block.streamId)) {
      return this.protocolError('expected CONTINUATION')
    }
    if (!this.isSettled && (type !== FrameType.settings || (flags & Flag.ack) !== 0)) {
      return this.protocolError('expected SETTINGS')
    }
    switch (type) {
      case FrameType.data:
        return this.onData(flags, streamId, bytes, start, end)
      case FrameType.headers:
        return this.onHeaders(flags, streamId, bytes, start, end)
      case FrameType.continuation:
        return this.onContinuation(flags, bytes, start, end)
      case FrameType.rstStream:
        return this.onRstStream(streamId, bytes, start, end)
      case FrameType.settings:
        return this.onSettings(flags, streamId, bytes, start, end)
      case FrameType.pushPromise:
        return this.protocolError('push is turned off')
      case FrameType.ping:
        return this.onPing(flags, streamId, bytes, start, end)
      case FrameType.goAway:
        return this.onGoAway(streamId, bytes, start, end)
      case FrameType.windowUpdate:
        return this.onWindowUpdate(streamId, bytes, start, end)
      default:
        // PRIORITY means nothing to a client; unknown frame types are ignored (§5.5).
        return this.nuisance()
    }
  }

  // DATA, §6.1

  private onData(flags: number, streamId: number, bytes: Buffer, start: number, end: number): boolean {
    const frameBytes = end - start
    if (!this.takeConnectionWindow(frameBytes)) return this.fail(Http2ErrorCode.flowControlError, 'window exceeded')
    if (!this.payload.strip(flags, bytes, start, end)) return this.protocolError('padding too long')
    const stream = this.owner.streams.get(streamId)
    if (stream === undefined) return this.absent(streamId, 'DATA')
    if (!stream.hasHead) return this.streamError(stream, Http2ErrorCode.protocolError, 'DATA before HEADERS')
    stream.receiveWindow -= frameBytes
    if (stream.receiveWindow < 0) return this.streamError(stream, Http2ErrorCode.flowControlError, 'window exceeded')
    const bodyBytes = this.payload.byteLength
    const endStream = (flags & Flag.endStream) !== 0
    if (bodyBytes === 0 && !endStream && !this.nuisance()) return false
    if (frameBytes !== bodyBytes) stream.consumed(frameBytes - bodyBytes)
    if (endStream) this.remoteEnded(stream)
    stream.receiver.onData(bytes, this.payload.start, this.payload.end, endStream)
    if (endStream) this.owner.streamGone()
    return true
  }

  private takeConnectionWindow(frameBytes: number): boolean {
    const credit = this.window.take(frameBytes)
    if (credit > 0) {
      this.owner.writer.windowUpdate(0, credit)
      this.owner.scheduleFlush()
    }
    return credit >= 0
  }

  // HEADERS and CONTINUATION, §6.2 and §6.10

  private onHeaders(flags: number, streamId: number, bytes: Buffer, start: number, end: number): boolean {
    if (!this.payload.strip(flags, bytes, start, end)) return this.protocolError('padding too long')
    if ((flags & Flag.priority) !== 0) {
      if (!this.payload.stripPriority()) return this.fail(Http2ErrorCode.frameSizeError, 'HEADERS too short')
    }
    const endStream = (flags & Flag.endStream) !== 0
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
    const head = this.heads.decode(bytes, start, end)
    if (head === 'malformed') return this.fail(Http2ErrorCode.compressionError, 'malformed header block')
    const stream = this.owner.streams.get(id)
    if (stream === undefined) return this.absent(id, 'HEADERS')
    if (head === 'invalid') return this.streamError(stream, Http2ErrorCode.protocolError, 'malformed response')
    if (head === 'too-large') return this.streamError(stream, Http2ErrorCode.enhanceYourCalm, 'header list too large')
    if (stream.hasHead) return this.onTrailers(stream, head, endStream)
    if (head.status === 0) return this.streamError(stream, Http2ErrorCode.protocolError, 'response without status')
    if (head.status < 200) {
      if (endStream) return this.streamError(stream, Http2ErrorCode.protocolError, 'informational response at the end')
      if (!this.nuisance()) return false
      stream.receiver.onInformational?.(head)
      return true
    }
    stream.hasHead = true
    if (endStream) this.remoteEnded(stream)
    stream.receiver.onHead(head, endStream)
    if (endStream) this.owner.streamGone()
    return true
  }

  private onTrailers(stream: ClientStream, head: ResponseHead, endStream: boolean): boolean {
    if (!endStream || head.status !== 0) {
      return this.streamError(stream, Http2ErrorCode.protocolError, 'malformed trailers')
    }
    this.remoteEnded(stream)
    stream.receiver.onTrailers(head)
    this.owner.streamGone()
    return true
  }

  /** The response is complete. A request that is not is given up: nobody will read the rest (§8.1). */
  private remoteEnded(stream: ClientStream): void {
    this.owner.closeStream(stream, stream.isLocalClosed ? undefined : Http2ErrorCode.noError)
  }

  // RST_STREAM, §6.4

  private onRstStream(streamId: number, bytes: Buffer, start: number, end: number): boolean {
    if (end - start !== 4) return this.fail(Http2ErrorCode.frameSizeError, 'RST_STREAM of a wrong size')
    const stream = this.owner.streams.get(streamId)
    if (stream === undefined) return this.absent(streamId, 'RST_STREAM')
    const code = bytes.readUInt32BE(start) as Http2ErrorCode
    const processed = code !== Http2ErrorCode.refusedStream || stream.hasHead
    this.owner.streams.delete(streamId)
    stream.abort({ by: 'server', code, processed, reason: `the server reset the stream with ${nameOf(code)}` })
    this.owner.streamGone()
    return true
  }

  // SETTINGS, §6.5

  private onSettings(flags: number, streamId: number, bytes: Buffer, start: number, end: number): boolean {
    if (streamId !== 0) return this.protocolError('SETTINGS on a stream')
    if ((flags & Flag.ack) !== 0) {
      if (start !== end) return this.fail(Http2ErrorCode.frameSizeError, 'SETTINGS acknowledgement with a payload')
      return this.nuisance()
    }
    if ((end - start) % 6 !== 0) return this.fail(Http2ErrorCode.frameSizeError, 'SETTINGS of a wrong size')
    const settings = readPeerSettings(bytes, start, end)
    if (typeof settings === 'number') return this.fail(settings, 'invalid setting')
    const owner = this.owner
    if (settings.headerTableBytes !== undefined) owner.encoder.setPeerTableBytes(settings.headerTableBytes)
    if (settings.frameBytesMax !== undefined) owner.sender.setPeerFrameBytesMax(settings.frameBytesMax)
    if (settings.concurrentStreamsMax !== undefined) owner.concurrentStreamsMax = settings.concurrentStreamsMax
    if (settings.initialWindowBytes !== undefined && !this.changeInitialWindow(settings.initialWindowBytes)) {
      return this.fail(Http2ErrorCode.flowControlError, 'window too large')
    }
    owner.writer.settingsAck()
    // A change of window visits every stream: the more there are, the dearer the frame.
    if (!this.reply() || !this.nuisance(1 + owner.streams.size / 1000)) return false
    if (this.isSettled) owner.streamGone()
    this.isSettled = true
    owner.settled()
    return true
  }

  /** §6.9.2: the difference applies to every open stream. */
  private changeInitialWindow(bytes: number): boolean {
    const owner = this.owner
    const difference = bytes - owner.peerInitialWindowBytes
    owner.peerInitialWindowBytes = bytes
    for (const stream of owner.streams.values()) {
      stream.sendWindow += difference
      if (stream.sendWindow > windowBytesMax) return false
      if (stream.queuedBytes > 0) owner.sender.ready(stream)
    }
    owner.scheduleFlush()
    return true
  }

  // PING, §6.7

  private onPing(flags: number, streamId: number, bytes: Buffer, start: number, end: number): boolean {
    if (streamId !== 0) return this.protocolError('PING on a stream')
    if (end - start !== 8) return this.fail(Http2ErrorCode.frameSizeError, 'PING of a wrong size')
    if ((flags & Flag.ack) !== 0) return this.nuisance()
    this.owner.writer.ping(bytes.subarray(start, end), true)
    return this.reply() && (this.probesBandwidth() || this.nuisance())
  }

  /** grpc-go measures the bandwidth with one PING after DATA that it got: no nuisance, however many requests a second. */
  private probesBandwidth(): boolean {
    const { dataFrames } = this.owner.writer
    if (dataFrames === this.dataFramesAtPing) return false
    this.dataFramesAtPing = dataFrames
    return true
  }

  // GOAWAY, §6.8

  private onGoAway(streamId: number, bytes: Buffer, start: number, end: number): boolean {
    if (streamId !== 0) return this.protocolError('GOAWAY on a stream')
    if (end - start < 8) return this.fail(Http2ErrorCode.frameSizeError, 'GOAWAY too short')
    const code = bytes.readUInt32BE(start + 4) as Http2ErrorCode
    const debugText = bytes.latin1Slice(start + 8, Math.min(end, start + 8 + debugBytesShown))
    const reason = `the server said GOAWAY with ${nameOf(code)}${debugText === '' ? '' : ` (${printable(debugText)})`}`
    this.owner.onGoAway(bytes.readUInt32BE(start) & windowBytesMax, code, reason)
    return this.nuisance()
  }

  // WINDOW_UPDATE, §6.9

  private onWindowUpdate(streamId: number, bytes: Buffer, start: number, end: number): boolean {
    if (end - start !== 4) return this.fail(Http2ErrorCode.frameSizeError, 'WINDOW_UPDATE of a wrong size')
    const increment = bytes.readUInt32BE(start) & windowBytesMax
    const { sender, streams } = this.owner
    if (streamId === 0) {
      if (increment === 0) return this.protocolError('empty WINDOW_UPDATE')
      sender.window += increment
      if (sender.window > windowBytesMax) return this.fail(Http2ErrorCode.flowControlError, 'window too large')
      if (sender.hasReady) this.owner.scheduleFlush()
      return true
    }
    const stream = streams.get(streamId)
    if (stream === undefined) return this.absent(streamId, 'WINDOW_UPDATE')
    if (increment === 0) return this.streamError(stream, Http2ErrorCode.protocolError, 'empty WINDOW_UPDATE')
    stream.sendWindow += increment
    if (stream.sendWindow > windowBytesMax) {
      return this.streamError(stream, Http2ErrorCode.flowControlError, 'window too large')
    }
    if (stream.queuedBytes > 0) {
      sender.ready(stream)
      this.owner.scheduleFlush()
    }
    return true
  }

  // Refusals

  /** A frame on a stream that is not open: closed (I3), or never opened, which is the server's error (§5.1). */
  private absent(streamId: number, what: string): boolean {
    if ((streamId & 1) === 1 && streamId < this.owner.nextId) return true
    return this.protocolError(streamId === 0 ? `${what} on the connection` : `${what} on an idle stream`)
  }

  private fail(code: Http2ErrorCode, reason: string): false {
    this.owner.fail(code, reason)
    return false
  }

  private protocolError(reason: string): false {
    return this.fail(Http2ErrorCode.protocolError, reason)
  }

  /** §5.4.2: resets one stream. */
  private streamError(stream: ClientStream, code: Http2ErrorCode, reason: string): boolean {
    this.owner.streams.delete(stream.id)
    this.owner.writer.rstStream(stream.id, code)
    stream.abort({ by: 'local', code, processed: true, reason })
    this.owner.streamGone()
    return this.reply()
  }

  private nuisance(cost = 1): boolean {
    if (this.nuisances.take(this.owner.clock.monotonicMs(), cost)) return true
    return this.fail(Http2ErrorCode.enhanceYourCalm, 'too many control frames')
  }

  private reply(): boolean {
    return this.owner.countReply() || this.fail(Http2ErrorCode.enhanceYourCalm, 'too many replies waiting')
  }
}

const codeNames = new Map<number, string>(
  Object.entries(Http2ErrorCode).map(([name, code]) => [code, name.replace(/[A-Z]/g, '_$&').toUpperCase()]),
)

function nameOf(code: number): string {
  return codeNames.get(code) ?? `error ${code}`
}

function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '.')
}
