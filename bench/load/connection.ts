// One HTTP/2 connection of the load generator: sends prepared requests and reports when each is answered. Cheap on
// purpose: it shares the machine with the servers that it measures.
//
// Invariants:
//   I1  `#windowBytes` is never negative: a request that does not fit the server's connection window waits.
//   I2  At most `#streamsMax` requests are open, the number that the server announced.
//   I3  All requests made in one turn leave in one write.
import { connect, type Socket } from 'node:net'
import { HeaderStatus } from './header-status.ts'
import { frame, frameHeaderBytes, type Template } from './request-frames.ts'

const windowMax = 0x7fffffff

/** In place of the time at which a request was sent, once it was answered. */
const answered = -1

/** Told of every answer: when its request was sent, grpc-status, and the bytes of its message. */
export type OnAnswer = (connection: Connection, sentAtMs: number, status: string, messageBytes: number) => void

/** A request that waits for room: a template and the number of its key. */
interface Waiting {
  readonly template: Template
  readonly keyAt: number
}

export class Connection {
  readonly authority: string
  readonly #socket: Socket
  readonly #onAnswer: OnAnswer
  readonly #onFailure: (reason: string) => void
  readonly #headers = new HeaderStatus()
  /** When each open stream was sent, and its message bytes so far; keyed by stream id modulo the ring's size. */
  readonly #sentAtMs = new Float64Array(1 << 16)
  readonly #messageBytes = new Uint32Array(1 << 16)
  readonly #waiting: Waiting[] = []
  #nextStream = 1
  #open = 0
  #streamsMax = Number.POSITIVE_INFINITY
  #windowBytes = 65_535
  #unacknowledgedBytes = 0
  #out: Buffer[] = []
  #rest: Buffer | undefined
  #block: Buffer | undefined
  #ready: () => void = () => {}

  constructor(endpoint: string, onAnswer: OnAnswer, onFailure: (reason: string) => void) {
    this.authority = endpoint
    this.#onAnswer = onAnswer
    this.#onFailure = onFailure
    const [host, port] = endpoint.split(':')
    this.#socket = connect(Number(port), host)
    this.#socket.setNoDelay(true)
    this.#socket.on('data', (chunk) => this.#receive(chunk))
    this.#socket.on('error', (error) => onFailure(error.message))
    this.#socket.on('close', () => onFailure('the server closed the connection'))
  }

  /** Sends the preface and waits for the server's settings, which say how much may be open at once. */
  async handshake(): Promise<void> {
    const settings = Buffer.alloc(18)
    // No push; no entries kept in our own header table beyond its default; a window as large as there is.
    settings.writeUInt16BE(2, 0)
    settings.writeUInt16BE(4, 6)
    settings.writeUInt32BE(windowMax, 8)
    settings.writeUInt16BE(5, 12)
    settings.writeUInt32BE(1 << 20, 14)
    this.#out.push(
      Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
      frame(4, 0, settings),
      windowUpdate(windowMax - 65_535),
    )
    const ready = new Promise<void>((resolve) => (this.#ready = resolve))
    this.flush()
    await ready
  }

  /** Adds a request to what leaves at the next {@link flush}, or queues it until the server has room. */
  request(
    template: Template,
    keyAt: number,
    nowMs: number,
    writeKey: (bytes: Buffer, at: number, key: number) => void,
  ): void {
    if (this.#open >= this.#streamsMax || this.#windowBytes < template.flowBytes) {
      this.#waiting.push({ template, keyAt })
      this.#writeKey = writeKey
      return
    }
    const bytes = Buffer.allocUnsafe(template.bytes.length)
    bytes.set(template.bytes)
    const stream = this.#nextStream
    this.#nextStream += 2
    writeStream(bytes, template.headersStreamAt, stream)
    writeStream(bytes, template.dataStreamAt, stream)
    if (template.keyAt >= 0) writeKey(bytes, template.keyAt, keyAt)
    this.#sentAtMs[(stream >>> 1) & 0xffff] = nowMs
    this.#messageBytes[(stream >>> 1) & 0xffff] = 0
    this.#windowBytes -= template.flowBytes
    this.#open++
    this.#out.push(bytes)
  }
  #writeKey: (bytes: Buffer, at: number, key: number) => void = () => {}

  /** Sends all that was added. */
  flush(): void {
    if (this.#out.length === 0) return
    this.#socket.write(this.#out.length === 1 ? this.#out[0]! : Buffer.concat(this.#out))
    this.#out = []
  }

  close(): void {
    this.#socket.removeAllListeners('close')
    this.#socket.destroy()
  }

  #receive(chunk: Buffer): void {
    const bytes = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk])
    let at = 0
    while (bytes.length - at >= frameHeaderBytes) {
      const length = (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!
      const end = at + frameHeaderBytes + length
      if (end > bytes.length) break
      this.#frame(bytes, bytes[at + 3]!, bytes[at + 4]!, readUint31(bytes, at + 5), at + frameHeaderBytes, end)
      at = end
    }
    this.#rest = at === bytes.length ? undefined : bytes.subarray(at)
    if (this.#unacknowledgedBytes > 1 << 28) {
      this.#out.push(windowUpdate(this.#unacknowledgedBytes))
      this.#unacknowledgedBytes = 0
    }
    this.flush()
  }

  #frame(bytes: Buffer, type: number, flags: number, stream: number, start: number, end: number): void {
    if (type === 0) this.#data(flags, stream, end - start)
    else if (type === 1 || type === 9) this.#headerFrame(bytes, type, flags, stream, start, end)
    else if (type === 3) this.#reset(stream)
    else if (type === 4 && (flags & 1) === 0) this.#settings(bytes, start, end)
    else if (type === 6 && (flags & 1) === 0) this.#out.push(frame(6, 1, bytes.subarray(start, end)))
    else if (type === 7) this.#onFailure(`the server said goodbye: ${bytes.toString('latin1', start + 8, end)}`)
    else if (type === 8 && stream === 0) {
      this.#windowBytes += readUint31(bytes, start)
      this.#drain()
    }
  }

  #data(flags: number, stream: number, bytes: number): void {
    this.#unacknowledgedBytes += bytes
    this.#messageBytes[(stream >>> 1) & 0xffff]! += bytes
    if ((flags & 1) !== 0) this.#answer(stream, 'missing')
  }

  #headerFrame(bytes: Buffer, type: number, flags: number, stream: number, start: number, end: number): void {
    let from = start
    let to = end
    if (type === 1 && (flags & 0x8) !== 0) to -= bytes[from++]!
    if (type === 1 && (flags & 0x20) !== 0) from += 5
    if ((flags & 0x4) === 0 || this.#block !== undefined) {
      this.#block = Buffer.concat([this.#block ?? Buffer.alloc(0), bytes.subarray(from, to)])
      if ((flags & 0x4) === 0) return
      const block = this.#block
      this.#block = undefined
      const status = this.#headers.read(block, 0, block.length)
      if (status !== undefined) this.#answer(stream, status)
      return
    }
    const status = this.#headers.read(bytes, from, to)
    if (type === 1 && (flags & 1) !== 0) this.#answer(stream, status ?? 'missing')
  }

  #answer(stream: number, status: string): void {
    const ring = (stream >>> 1) & 0xffff
    const sentAtMs = this.#sentAtMs[ring]!
    this.#sentAtMs[ring] = answered
    this.#open--
    this.#onAnswer(this, sentAtMs, status, this.#messageBytes[ring]!)
    if (this.#waiting.length > 0) this.#drain()
  }

  /** A server may reset a stream, without error, after its whole answer (RFC 9113 §8.1); before, the request failed. */
  #reset(stream: number): void {
    if (this.#sentAtMs[(stream >>> 1) & 0xffff]! >= 0) this.#answer(stream, 'reset')
  }

  #drain(): void {
    while (this.#waiting.length > 0) {
      const { template, keyAt } = this.#waiting[0]!
      if (this.#open >= this.#streamsMax || this.#windowBytes < template.flowBytes) return
      this.#waiting.shift()
      this.request(template, keyAt, performance.now(), this.#writeKey)
    }
  }

  #settings(bytes: Buffer, start: number, end: number): void {
    for (let at = start; at < end; at += 6) {
      const name = bytes.readUInt16BE(at)
      const value = bytes.readUInt32BE(at + 2)
      if (name === 1 && value < 512) this.#onFailure('the server keeps no header table, which the prepared frames need')
      if (name === 3) this.#streamsMax = value
      if (name === 4 && value < 1024) this.#onFailure('the initial window of a stream is too small for one request')
    }
    this.#out.push(frame(4, 1, Buffer.alloc(0)))
    this.#ready()
  }
}

function windowUpdate(bytes: number): Buffer {
  const payload = Buffer.alloc(4)
  payload.writeUInt32BE(bytes, 0)
  return frame(8, 0, payload)
}

function writeStream(bytes: Buffer, at: number, stream: number): void {
  bytes[at] = stream >>> 24
  bytes[at + 1] = stream >>> 16
  bytes[at + 2] = stream >>> 8
  bytes[at + 3] = stream
}

function readUint31(bytes: Buffer, at: number): number {
  return ((bytes[at]! & 0x7f) << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!
}
