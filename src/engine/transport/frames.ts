/**
 * Bytes between two nodes. The dialling side sends, the accepting side receives; each pair of nodes has one connection
 * in each direction.
 *
 * ```
 * stream  = hello frame*                         (dialler to acceptor)
 * hello   = "SYNODP" version:u16 cluster:u64 from:u64 to:u64 incarnation:u64 crc32c:u32        44 bytes
 * frame   = length:u32 crc32c:u32 message*       length and crc are of the messages
 * message = kind:u8 group:u32 length:u32 payload
 * refusal = code ": " text                       (acceptor to dialler, then close)
 * ```
 *
 * All integers are little-endian. One frame carries everything that one turn of the loop has for the peer.
 */
import { asBuffer, concatBytes, crc32c, utf8Bytes } from '../../base/index.ts'
import type { MemberId } from '../../core/index.ts'

export const helloBytes = 44
export const frameHeaderBytes = 8
export const messageHeaderBytes = 9
/** A frame longer than this is refused as damage. Larger than any batch of entries plus a snapshot chunk. */
export const frameBytesMax = 128 * 1024 * 1024

const magic = utf8Bytes('SYNODP')
const protocolVersion = 1

/**
 * Why a greeting is refused. `foreign`: wrong cluster or member. `replaced`: known under another disk. `unknown`: not a
 * member as far as this node has heard, which may change any moment. `removed`: no member any more, for good.
 */
export type RefusalCode = 'protocol' | 'foreign' | 'replaced' | 'unknown' | 'removed'

export interface PeerRefusal {
  readonly code: RefusalCode
  readonly message: string
}

export function encodeRefusal(refusal: PeerRefusal): Uint8Array {
  return utf8Bytes(`${refusal.code}: ${refusal.message}`)
}

export function decodeRefusal(text: string): PeerRefusal {
  const match = /^(protocol|foreign|replaced|unknown|removed): (.*)$/s.exec(text)
  return match === null ? { code: 'protocol', message: text } : { code: match[1] as RefusalCode, message: match[2]! }
}

export interface Hello {
  readonly clusterId: bigint
  readonly from: MemberId
  readonly to: MemberId
  /** Drawn when the sender's data directory was made: another one means another, empty disk. */
  readonly incarnation: bigint
}

export function encodeHello(hello: Hello): Uint8Array {
  const bytes = Buffer.alloc(helloBytes)
  bytes.set(magic, 0)
  bytes.writeUInt16LE(protocolVersion, 6)
  bytes.writeBigUInt64LE(hello.clusterId, 8)
  bytes.writeBigUInt64LE(hello.from, 16)
  bytes.writeBigUInt64LE(hello.to, 24)
  bytes.writeBigUInt64LE(hello.incarnation, 32)
  bytes.writeUInt32LE(crc32c(bytes.subarray(0, 40)), 40)
  return bytes
}

/** Returns the hello, or a sentence saying what is wrong with it. */
export function decodeHello(bytes: Uint8Array): Hello | string {
  const buffer = asBuffer(bytes)
  if (Buffer.compare(buffer.subarray(0, 6), magic) !== 0) return 'this port speaks the Synod peer protocol only'
  const version = buffer.readUInt16LE(6)
  if (version !== protocolVersion)
    return `peer protocol version ${version} is not known here (this node speaks ${protocolVersion})`
  if (crc32c(buffer.subarray(0, 40)) !== buffer.readUInt32LE(40)) return 'the greeting is damaged'
  return {
    clusterId: buffer.readBigUInt64LE(8),
    from: buffer.readBigUInt64LE(16),
    to: buffer.readBigUInt64LE(24),
    incarnation: buffer.readBigUInt64LE(32),
  }
}

/** A message to a peer, its payload in one or several pieces. */
export interface OutgoingMessage {
  readonly kind: number
  readonly group: number
  readonly payload: readonly Uint8Array[]
}

/** Joins messages into one frame: a single allocation, ready for a single write. */
export function encodeFrame(messages: readonly OutgoingMessage[]): Uint8Array {
  let length = 0
  for (const message of messages) {
    length += messageHeaderBytes
    for (const piece of message.payload) length += piece.length
  }
  const frame = Buffer.allocUnsafe(frameHeaderBytes + length)
  let offset = frameHeaderBytes
  for (const message of messages) {
    const header = offset
    offset += messageHeaderBytes
    for (const piece of message.payload) {
      frame.set(piece, offset)
      offset += piece.length
    }
    frame[header] = message.kind
    frame.writeUInt32LE(message.group, header + 1)
    frame.writeUInt32LE(offset - header - messageHeaderBytes, header + 5)
  }
  frame.writeUInt32LE(length, 0)
  frame.writeUInt32LE(crc32c(frame.subarray(frameHeaderBytes)), 4)
  return frame
}

export type MessageSink = (kind: number, group: number, payload: Uint8Array) => void

/** Calls `sink` for each message of a frame's body. Returns false when the body is malformed. */
export function decodeFrameBody(body: Uint8Array, sink: MessageSink): boolean {
  const buffer = asBuffer(body)
  let offset = 0
  while (offset < buffer.length) {
    if (offset + messageHeaderBytes > buffer.length) return false
    const kind = buffer[offset]!
    const group = buffer.readUInt32LE(offset + 1)
    const end = offset + messageHeaderBytes + buffer.readUInt32LE(offset + 5)
    if (end > buffer.length) return false
    sink(kind, group, buffer.subarray(offset + messageHeaderBytes, end))
    offset = end
  }
  return true
}

/** Cuts a received byte stream into pieces of known length, copying only what spans received chunks. */
export class StreamCutter {
  private chunks: Uint8Array[] = []
  private available = 0
  /** Bytes of `chunks[0]` already consumed. */
  private consumed = 0

  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return
    this.chunks.push(chunk)
    this.available += chunk.length
  }

  get availableBytes(): number {
    return this.available
  }

  /** The next `length` bytes, or undefined while fewer have arrived. */
  take(length: number): Buffer | undefined {
    if (this.available < length) return undefined
    this.available -= length
    const first = this.chunks[0]
    if (first === undefined) return Buffer.alloc(0)
    if (first.length - this.consumed >= length) {
      const piece = asBuffer(first).subarray(this.consumed, this.consumed + length)
      this.consumed += length
      if (this.consumed === first.length) this.dropFirst()
      return piece
    }
    const parts: Uint8Array[] = []
    let missing = length
    while (missing > 0) {
      const chunk = this.chunks[0]!
      const part = chunk.subarray(this.consumed, this.consumed + missing)
      parts.push(part)
      missing -= part.length
      this.consumed += part.length
      if (this.consumed === chunk.length) this.dropFirst()
    }
    return asBuffer(concatBytes(parts))
  }

  private dropFirst(): void {
    this.chunks.shift()
    this.consumed = 0
  }
}
