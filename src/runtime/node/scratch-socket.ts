/**
 * TCP sockets that read into one buffer of the process and hand on copies of what came, and that write past the stream
 * while it has nothing to write.
 *
 * Left to itself Node takes 64 KiB from the allocator for every read and gives most of it back: under load that costs a
 * process more than everything else it does with small messages.
 *
 * I1. What is in `scratch` is copied before the event loop goes on: the next read, of any socket, overwrites it.
 * I2. Memory is taken back only of the read that is being handed on, while it is, and once: what lies elsewhere, as a join
 *     of two reads does, may share memory with others, and of an earlier read nobody knows any more who keeps a view.
 * I3. Bytes leave in the order of the writes: past the stream only while it holds none; what the kernel does not take at
 *     once (`pendingBytes`) waits in libuv's queue, behind which the stream's own writes and its end line up.
 */
import * as net from 'node:net'
import { getSystemErrorName } from 'node:util'
import { below, handleOf, type StreamHandle, type WriteRequest } from './below-stream.ts'

/** Larger than what mostly waits in a socket's receive buffer, so that a large message takes one read. */
const scratch = Buffer.allocUnsafeSlow(256 << 10)

/** Reads of at least this size get memory of their own, which can be given back. */
const ownMemoryBytesMin = 8 << 10
/** The read that is being handed on; see I2. */
let handedOn: Buffer | undefined
/** Memory given back, the last at the end: it is warm, and the next large read goes there. */
const spare: Buffer[] = []
const spareMax = 8
/** Own memory is as large as this or a multiple, so that reads of about the same size can use each other's. */
const ownMemoryStep = 4 << 10
/** A read is not put into memory more than so many times its size: whoever keeps a view of it keeps all. */
const ownMemoryWaste = 4

/** For the next write that the kernel takes at once. */
let spareRequest: WriteRequest | undefined
/** What Node itself does with a read. */
let readByStream: StreamHandle['onread'] | undefined

/** Who takes what a socket reads. */
export interface ScratchReader {
  /** Small pieces may share memory with others: whoever keeps one for long keeps up to 8 KiB (`Buffer.poolSize`). */
  readonly packsReads: boolean
  received(bytes: Buffer): void
  /** What a write past the stream had left is written. */
  wrotePending(): void
}

interface OwnedHandle extends StreamHandle {
  owner?: ScratchSocket
}

export class ScratchSocket extends net.Socket {
  /** Set before the first event. */
  reader: ScratchReader | undefined = undefined
  /** Of the last write past the stream: not 0 until the kernel has taken all of it. */
  pendingBytes = 0
  private handle: OwnedHandle | undefined = undefined

  constructor(options: net.SocketConstructorOpts) {
    super({ ...options, onread: { buffer: scratch, callback: receive } })
  }

  /** To be called once it is open, and has its reader. */
  opened(): void {
    const handle: OwnedHandle | undefined = handleOf(this)
    if (below === undefined || handle === undefined || handle.onread === readPastStream) return
    readByStream ??= handle.onread
    handle.owner = this
    handle.onread = readPastStream
    this.handle = handle
  }

  /** Writes past the stream. False: nothing was done, the stream has to write it. */
  writePast(bytes: Uint8Array): boolean {
    const { handle } = this
    if (handle === undefined || this.pendingBytes > 0 || this.writableLength > 0) return false
    const { WriteWrap, streamBaseState, kLastWriteWasAsync } = below!
    const request = spareRequest ?? new WriteWrap()
    spareRequest = undefined
    const status = handle.writeBuffer(request, bytes)
    if (status < 0) this.destroy(failedWrite(status))
    else if (streamBaseState[kLastWriteWasAsync] === 0) spareRequest = request
    else {
      this.pendingBytes = bytes.length
      request.buffer = bytes
      request.oncomplete = (status) => this.wrote(status)
    }
    return true
  }

  private wrote(status: number): void {
    this.pendingBytes = 0
    if (this.destroyed) return
    if (status < 0) this.destroy(failedWrite(status))
    else this.reader?.wrotePending()
  }
}

function failedWrite(status: number): Error {
  const code = getSystemErrorName(status)
  return Object.assign(new Error(`write ${code}`), { code, errno: status, syscall: 'write' })
}

/** Instead of `receive`: Node takes this away when the socket is destroyed. */
function readPastStream(this: OwnedHandle, buffer: unknown): void {
  const length = below!.streamBaseState[below!.kReadBytesOrError]!
  const reader = this.owner?.reader
  if (length > 0 && reader !== undefined) handOn(reader, length)
  else readByStream!.call(this, buffer)
}

function receive(this: unknown, length: number): boolean {
  const { reader } = this as ScratchSocket
  if (reader !== undefined) handOn(reader, length)
  return true
}

function handOn(reader: ScratchReader, length: number): void {
  const bytes = reader.packsReads ? memoryFor(length) : Buffer.allocUnsafeSlow(length)
  scratch.copy(bytes, 0, 0, length)
  handedOn = bytes
  reader.received(bytes)
  handedOn = undefined
}

function memoryFor(length: number): Buffer {
  if (length < ownMemoryBytesMin) return Buffer.allocUnsafe(length)
  const last = spare[spare.length - 1]
  if (last !== undefined && last.length >= length && last.length <= length * ownMemoryWaste) {
    spare.length--
    return last.subarray(0, length)
  }
  return Buffer.allocUnsafeSlow(Math.ceil(length / ownMemoryStep) * ownMemoryStep).subarray(0, length)
}

/** Takes back the memory of a whole read of which nobody keeps a view, within the call that hands it on (I2). */
export function giveBackRead(bytes: Uint8Array): void {
  if (bytes !== handedOn) return
  handedOn = undefined
  const { buffer, byteOffset, byteLength } = bytes
  const isOwn = byteOffset === 0 && byteLength >= ownMemoryBytesMin && buffer.byteLength % ownMemoryStep === 0
  if (isOwn && spare.length < spareMax) spare.push(Buffer.from(buffer as ArrayBuffer))
}

/**
 * A socket in the place of `accepted`, which has just been accepted and of which nothing was read. `net.Server` can make
 * no other sockets than its own; where Node does not show what is below them, `accepted` itself goes on.
 */
export function scratchSocketOf(accepted: net.Socket, options: net.SocketConstructorOpts): net.Socket {
  const inner = accepted as unknown as { _handle?: unknown }
  const handle = inner._handle
  if (typeof handle !== 'object' || handle === null) return accepted
  inner._handle = null
  // Only takes it off the server's count: what it stood on goes on below the new one.
  accepted.destroy()
  return new ScratchSocket({ ...options, handle } as net.SocketConstructorOpts)
}
