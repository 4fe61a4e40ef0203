/** The incoming half: one accepted connection, from its greeting to its end. Nothing a peer sends can throw out of it. */
import { concatBytes, crc32c } from '../../base/index.ts'
import type { MemberId } from '../../core/index.ts'
import type { CloseReason, Connection, Logger, Runtime, Timer } from '../../runtime/index.ts'
import {
  decodeFrameBody,
  decodeHello,
  encodeRefusal,
  frameBytesMax,
  frameHeaderBytes,
  type Hello,
  helloBytes,
  type PeerRefusal,
  StreamCutter,
} from './frames.ts'
import { encodeJoinAnswer, isIntroduction, readIntroduction, readJoinQuestion } from './join-frames.ts'

export interface PeerReceiverOptions {
  /** A greeting that has not come by then ends the connection. */
  readonly helloTimeoutMs: number
  /** Returns why the greeting is refused, or undefined. */
  readonly admit: (hello: Hello) => PeerRefusal | undefined
  /** What a node that wants to join is told; undefined while there is nothing to tell. */
  readonly answerJoin: () => Uint8Array | undefined
  /** A member that this node does not know says who the members are. */
  readonly onIntroduction: (body: Uint8Array) => void
  readonly onMessage: (from: MemberId, kind: number, group: number, payload: Uint8Array) => void
  readonly onClosed: (receiver: PeerReceiver, from: MemberId | undefined, reason: CloseReason) => void
}

export class PeerReceiver {
  private readonly connection: Connection
  private readonly options: PeerReceiverOptions
  private readonly logger: Logger
  private readonly cutter = new StreamCutter()
  private readonly runtime: Runtime
  private readonly helloTimer: Timer
  private closeTimer: Timer | undefined
  private from: MemberId | undefined
  /** What has come of an introduction. */
  private introduction: Uint8Array | undefined
  /** The length and checksum of the frame whose body is awaited; length -1 between frames. */
  private bodyLength = -1
  private bodyChecksum = 0
  private dead = false

  constructor(runtime: Runtime, connection: Connection, options: PeerReceiverOptions) {
    this.runtime = runtime
    this.connection = connection
    this.options = options
    this.logger = runtime.logger.with({ remote: connection.remoteAddress })
    this.helloTimer = runtime.scheduler.setTimer(options.helloTimeoutMs, () => this.refuse('no greeting came in time'))
    connection.setHandler({
      onData: (bytes) => this.onData(bytes),
      onEnd: () => connection.end(),
      onClose: (reason) => {
        this.dead = true
        this.helloTimer.cancel()
        this.closeTimer?.cancel()
        options.onClosed(this, this.from, reason)
      },
    })
  }

  get peer(): MemberId | undefined {
    return this.from
  }

  close(): void {
    this.dead = true
    this.connection.destroy()
  }

  private onData(bytes: Uint8Array): void {
    if (this.dead) return
    this.cutter.push(bytes)
    if (this.introduction !== undefined) return this.readIntroduction(this.introduction)
    if (this.from === undefined && !this.readHello()) return
    const from = this.from!
    while (!this.dead) {
      if (this.bodyLength < 0 && !this.readFrameHeader()) return
      const body = this.cutter.take(this.bodyLength)
      if (body === undefined) return
      this.bodyLength = -1
      if (crc32c(body) !== this.bodyChecksum) return this.refuse('a frame arrived damaged (checksum mismatch)')
      const sound = decodeFrameBody(body, (kind, group, payload) => this.options.onMessage(from, kind, group, payload))
      if (!sound) return this.refuse('a frame is malformed')
    }
  }

  private readHello(): boolean {
    const bytes = this.cutter.take(helloBytes)
    if (bytes === undefined) return false
    if (isIntroduction(bytes)) {
      this.readIntroduction(bytes)
      return false
    }
    const question = readJoinQuestion(bytes)
    if (question !== 'other') {
      if (question === 'question') this.tellJoiner()
      else this.refuse(question.problem)
      return false
    }
    const hello = decodeHello(bytes)
    if (typeof hello === 'string') {
      this.refuse(hello)
      return false
    }
    const refusal = this.options.admit(hello)
    if (refusal !== undefined) {
      this.turnAway(refusal)
      return false
    }
    this.helloTimer.cancel()
    this.from = hello.from
    return true
  }

  private readFrameHeader(): boolean {
    const header = this.cutter.take(frameHeaderBytes)
    if (header === undefined) return false
    this.bodyLength = header.readUInt32LE(0)
    this.bodyChecksum = header.readUInt32LE(4)
    if (this.bodyLength > frameBytesMax) {
      this.refuse(`a frame of ${this.bodyLength} bytes is over the limit of ${frameBytesMax}`)
      return false
    }
    return true
  }

  private refuse(message: string): void {
    this.turnAway({ code: 'protocol', message })
  }

  private readIntroduction(before: Uint8Array): void {
    const rest = this.cutter.take(this.cutter.availableBytes)
    const bytes = rest === undefined ? before : concatBytes([before, rest])
    this.introduction = bytes
    const read = readIntroduction(bytes)
    if (read === 'more') return
    if ('problem' in read) return this.refuse(read.problem)
    this.close()
    this.options.onIntroduction(read.body)
  }

  private tellJoiner(): void {
    const answer = this.options.answerJoin()
    if (answer === undefined) return this.refuse('this node cannot tell yet how to join its cluster; ask again')
    this.sayLast(encodeJoinAnswer(answer))
  }

  private turnAway(refusal: PeerRefusal): void {
    if (this.dead) return
    // A member that comes a moment before this node hears of it asks again and again.
    if (refusal.code === 'unknown') this.logger.debug('refused a peer connection', { reason: refusal.message })
    else this.logger.warn('refused a peer connection', { reason: refusal.message })
    this.sayLast(encodeRefusal(refusal))
  }

  private sayLast(bytes: Uint8Array): void {
    this.dead = true
    this.connection.write(bytes)
    // It must arrive: half-close, and leave the rest to the peer, or to the timer.
    this.connection.end()
    this.closeTimer = this.runtime.scheduler.setTimer(1000, () => this.connection.destroy())
  }
}
