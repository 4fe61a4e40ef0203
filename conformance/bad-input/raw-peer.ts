// A TCP peer that sends what it is told to and notes what comes back, as frames when it speaks HTTP/2.
import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { Type } from './frames.ts'

export interface SeenFrame {
  readonly type: number
  readonly flags: number
  readonly id: number
  readonly payload: Buffer
}

export class RawPeer {
  readonly socket: Socket
  /** Everything received, unless frames are read. */
  bytes: Buffer = Buffer.alloc(0)
  readonly frames: SeenFrame[] = []
  closed = false
  /** The server has ended its side, or reset the connection. */
  ended = false
  readonly #whenClosed: Promise<void>
  readonly #readsFrames: boolean
  #rest: Buffer = Buffer.alloc(0)

  private constructor(socket: Socket, readsFrames: boolean) {
    this.socket = socket
    this.#readsFrames = readsFrames
    socket.on('error', () => {})
    socket.on('end', () => {
      this.ended = true
    })
    socket.on('data', (bytes: Buffer) => this.#take(bytes))
    this.#whenClosed = new Promise((resolve) => {
      socket.once('close', () => {
        this.closed = true
        this.ended = true
        resolve()
      })
    })
  }

  /** Connects. `frames`: what comes back is HTTP/2. `halfOpen`: this side stays open when the server ends its own. */
  static open(
    port: number,
    options: { readonly frames?: boolean; readonly halfOpen?: boolean } = {},
  ): Promise<RawPeer> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: options.halfOpen ?? false, noDelay: true })
      const peer = new RawPeer(socket, options.frames ?? true)
      socket.once('connect', () => resolve(peer))
      socket.once('error', reject)
    })
  }

  send(...pieces: readonly Uint8Array[]): void {
    if (!this.closed) this.socket.write(Buffer.concat(pieces))
  }

  /** Sends, and waits until the kernel has it all or the connection is gone. */
  async sendAll(bytes: Uint8Array): Promise<void> {
    if (this.closed || this.socket.write(bytes)) return
    await Promise.race([new Promise((resolve) => this.socket.once('drain', resolve)), this.#whenClosed])
  }

  async until(what: string, condition: () => boolean, timeoutMs = 10_000): Promise<void> {
    const deadline = Date.now() + timeoutMs
    while (!condition()) {
      if (Date.now() > deadline) throw new Error(`after ${timeoutMs} ms not yet: ${what}`)
      await delay(5)
    }
  }

  async untilEnded(timeoutMs = 10_000): Promise<void> {
    await this.until('the server ends the connection', () => this.ended, timeoutMs)
  }

  /** The code of the GOAWAY received. */
  get goAway(): number | undefined {
    return this.frames.find((frame) => frame.type === Type.goAway)?.payload.readUInt32BE(4)
  }

  of(type: number, id?: number): SeenFrame[] {
    return this.frames.filter((frame) => frame.type === type && (id === undefined || frame.id === id))
  }

  /** Whether the stream's response or the stream itself has ended. */
  finished(id: number): boolean {
    return this.frames.some(
      (frame) => frame.id === id && (frame.type === Type.reset || (frame.type <= 1 && (frame.flags & 1) === 1)),
    )
  }

  /** The code with which the stream was reset. */
  resetCode(id: number): number | undefined {
    return this.of(Type.reset, id)[0]?.payload.readUInt32BE(0)
  }

  destroy(): void {
    this.socket.destroy()
  }

  #take(bytes: Buffer): void {
    if (!this.#readsFrames) {
      this.bytes = Buffer.concat([this.bytes, bytes])
      return
    }
    let rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes])
    while (rest.length >= 9) {
      const end = 9 + rest.readUIntBE(0, 3)
      if (rest.length < end) break
      const payload = rest.subarray(9, end)
      this.frames.push({ type: rest[3]!, flags: rest[4]!, id: rest.readUInt32BE(5), payload })
      rest = rest.subarray(end)
    }
    this.#rest = rest
  }
}

/** Opens many, a few hundred at a time. */
export async function openMany(
  port: number,
  count: number,
  options: { readonly frames?: boolean; readonly halfOpen?: boolean } = {},
): Promise<RawPeer[]> {
  const peers: RawPeer[] = []
  while (peers.length < count) {
    const batch = Math.min(200, count - peers.length)
    peers.push(...(await Promise.all(Array.from({ length: batch }, () => RawPeer.open(port, options)))))
  }
  return peers
}
