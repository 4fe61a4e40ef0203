/**
 * Writes frames into output buffers and hands a turn's worth of them to the transport in one write (one for each
 * 64 KiB, when there is more).
 *
 * I1. `[start, offset)` of `buffer` is written and not yet handed over.
 * I2. `isBlocked` from a `write` that returned false until `unblock`.
 */
import type { Connection } from '../../runtime/index.ts'
import type { OutputArena, OutputBuffer } from './output-arena.ts'
import { Flag, FrameType, frameHeaderBytes } from './protocol.ts'

const noBuffer: Buffer = Buffer.alloc(0)

export class FrameWriter {
  /** The transport asked to stop. Control frames and small responses are still accepted; bodies wait. */
  isBlocked = false
  /** Everything handed to the transport so far. */
  bytesWritten = 0
  /** DATA frames written so far. */
  dataFrames = 0

  private readonly connection: Connection
  private readonly arena: OutputArena
  private borrowed: OutputBuffer | undefined
  private buffer: Buffer = noBuffer
  private start = 0
  private offset = 0

  constructor(connection: Connection, arena: OutputArena) {
    this.connection = connection
    this.arena = arena
  }

  get unflushedBytes(): number {
    return this.offset - this.start
  }

  unblock(): void {
    this.isBlocked = false
  }

  /** Makes room for `byteLength` contiguous bytes. The frame methods below do so themselves. */
  reserve(byteLength: number): void {
    if (this.buffer.length - this.offset >= byteLength) return
    this.flush()
    this.borrowed = this.arena.borrow(byteLength)
    this.buffer = this.borrowed.bytes
    this.start = this.borrowed.offset
    this.offset = this.start
  }

  /** Hands what is written to the transport. */
  flush(): void {
    const borrowed = this.borrowed
    if (borrowed === undefined) return
    const end = this.offset
    if (end > this.start) {
      this.bytesWritten += end - this.start
      if (!this.connection.write(this.buffer.subarray(this.start, end))) this.isBlocked = true
    }
    borrowed.offset = end
    this.arena.giveBack(borrowed)
    this.borrowed = undefined
    this.buffer = noBuffer
    this.start = 0
    this.offset = 0
  }

  /** Needs `frameHeaderBytes` reserved. */
  private frameHeader(byteLength: number, type: number, flags: number, streamId: number): void {
    const buffer = this.buffer
    const at = this.offset
    buffer[at] = byteLength >>> 16
    buffer[at + 1] = byteLength >>> 8
    buffer[at + 2] = byteLength
    buffer[at + 3] = type
    buffer[at + 4] = flags
    buffer[at + 5] = streamId >>> 24
    buffer[at + 6] = streamId >>> 16
    buffer[at + 7] = streamId >>> 8
    buffer[at + 8] = streamId
    this.offset = at + frameHeaderBytes
  }

  uint32(value: number): void {
    const buffer = this.buffer
    const at = this.offset
    buffer[at] = value >>> 24
    buffer[at + 1] = value >>> 16
    buffer[at + 2] = value >>> 8
    buffer[at + 3] = value
    this.offset = at + 4
  }

  byte(value: number): void {
    this.buffer[this.offset++] = value
  }

  /** Needs room reserved. */
  bytes(source: Uint8Array): void {
    const length = source.length
    if (length <= 32) {
      const buffer = this.buffer
      const at = this.offset
      for (let i = 0; i < length; i++) buffer[at + i] = source[i]!
    } else {
      this.buffer.set(source, this.offset)
    }
    this.offset += length
  }

  /** HEADERS, with CONTINUATION frames when the block is larger than one frame may be. */
  headers(streamId: number, block: Uint8Array, endStream: boolean, frameBytesMax: number): void {
    const streamFlag = endStream ? Flag.endStream : 0
    if (block.length <= frameBytesMax) {
      this.reserve(frameHeaderBytes + block.length)
      this.frameHeader(block.length, FrameType.headers, Flag.endHeaders | streamFlag, streamId)
      this.bytes(block)
      return
    }
    for (let at = 0; at < block.length; at += frameBytesMax) {
      const piece = block.subarray(at, at + frameBytesMax)
      const endFlag = at + frameBytesMax >= block.length ? Flag.endHeaders : 0
      this.reserve(frameHeaderBytes + piece.length)
      if (at === 0) this.frameHeader(piece.length, FrameType.headers, endFlag | streamFlag, streamId)
      else this.frameHeader(piece.length, FrameType.continuation, endFlag, streamId)
      this.bytes(piece)
    }
  }

  /** The header of a DATA frame and room for its payload, which the caller adds with `byte`, `uint32` and `bytes`. */
  dataHeader(streamId: number, byteLength: number, endStream: boolean): void {
    this.dataFrames++
    this.reserve(frameHeaderBytes + byteLength)
    this.frameHeader(byteLength, FrameType.data, endStream ? Flag.endStream : 0, streamId)
  }

  rstStream(streamId: number, code: number): void {
    this.reserve(frameHeaderBytes + 4)
    this.frameHeader(4, FrameType.rstStream, 0, streamId)
    this.uint32(code)
  }

  windowUpdate(streamId: number, increment: number): void {
    this.reserve(frameHeaderBytes + 4)
    this.frameHeader(4, FrameType.windowUpdate, 0, streamId)
    this.uint32(increment)
  }

  settings(pairs: readonly (readonly [id: number, value: number])[]): void {
    this.reserve(frameHeaderBytes + 6 * pairs.length)
    this.frameHeader(6 * pairs.length, FrameType.settings, 0, 0)
    for (const [id, value] of pairs) {
      this.byte(id >>> 8)
      this.byte(id)
      this.uint32(value)
    }
  }

  settingsAck(): void {
    this.reserve(frameHeaderBytes)
    this.frameHeader(0, FrameType.settings, Flag.ack, 0)
  }

  ping(payload: Uint8Array, ack: boolean): void {
    this.reserve(frameHeaderBytes + 8)
    this.frameHeader(8, FrameType.ping, ack ? Flag.ack : 0, 0)
    this.bytes(payload)
  }

  goAway(lastStreamId: number, code: number, debugText: string): void {
    const debug = Buffer.from(debugText, 'latin1')
    this.reserve(frameHeaderBytes + 8 + debug.length)
    this.frameHeader(8 + debug.length, FrameType.goAway, 0, 0)
    this.uint32(lastStreamId)
    this.uint32(code)
    this.bytes(debug)
  }
}
