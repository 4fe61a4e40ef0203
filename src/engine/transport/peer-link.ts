/**
 * The outgoing half of the path to one peer: dials, greets, sends, and dials again with back-off.
 *
 * - L1  What is queued in one turn leaves in one frame and one write, at the end of that turn.
 * - L2  Messages queued while no connection stands are dropped at the end of the turn: consensus resends what matters,
 *       and stale messages help nobody.
 * - L3  At most `queuedBytesMax` wait in the connection; beyond it messages are dropped and counted.
 * - L4  After a peer refused this node as unknown, the next connection introduces it and ends; the one after that greets.
 */
import type { MemberId } from '../../core/index.ts'
import type { Address, CloseReason, Connection, Logger, Runtime, Timer } from '../../runtime/index.ts'
import { decodeRefusal, encodeFrame, encodeHello, type OutgoingMessage, type PeerRefusal } from './frames.ts'
import { encodeIntroduction } from './join-frames.ts'

/** Messages beyond this go into a frame of their own. */
const frameBytesSoftMax = 4 * 1024 * 1024

export interface PeerLinkOptions {
  readonly clusterId: bigint
  readonly self: MemberId
  readonly incarnation: bigint
  readonly peer: MemberId
  readonly address: Address
  readonly reconnectDelayMsMin: number
  readonly reconnectDelayMsMax: number
  readonly queuedBytesMax: number
  /** An established connection broke, otherwise than by this side's will. */
  readonly onLost: (peer: MemberId, reason: CloseReason) => void
  readonly onRefused: (peer: MemberId, refusal: PeerRefusal) => void
  /** What a peer that does not know this node is told: who the members are. Undefined: nothing. */
  readonly introduction: () => Uint8Array | undefined
}

export class PeerLink {
  private readonly runtime: Runtime
  private readonly options: PeerLinkOptions
  private readonly logger: Logger
  private connection: Connection | undefined
  private open = false
  private closed = false
  private outgoing: OutgoingMessage[] = []
  private flushScheduled = false
  private reconnectDelayMs: number
  private reconnectTimer: Timer | undefined
  /** The peer's words when it refused the greeting; kept for the log and for status pages. */
  private refusal = ''
  /** The peer's last word was that it does not know this node yet. */
  private waitsToBeKnown = false
  private introducesNext = false
  droppedMessages = 0
  sentBytes = 0

  constructor(runtime: Runtime, options: PeerLinkOptions) {
    this.runtime = runtime
    this.options = options
    this.logger = runtime.logger.with({ peer: options.peer.toString(16) })
    this.reconnectDelayMs = options.reconnectDelayMsMin
    this.dial()
  }

  get connected(): boolean {
    return this.open
  }

  /** Bytes that wait in the connection for the network. */
  get queuedBytes(): number {
    return this.connection?.queuedBytes ?? 0
  }

  send(message: OutgoingMessage): void {
    this.outgoing.push(message)
    if (this.flushScheduled) return
    this.flushScheduled = true
    this.runtime.scheduler.endOfTurn(this.flush)
  }

  close(): void {
    this.closed = true
    this.reconnectTimer?.cancel()
    this.flush()
    this.connection?.end()
    this.connection?.destroy()
    this.connection = undefined
    this.open = false
  }

  private readonly flush = (): void => {
    this.flushScheduled = false
    const messages = this.outgoing
    if (messages.length === 0) return
    this.outgoing = []
    const connection = this.connection
    if (connection === undefined || !this.open || connection.queuedBytes > this.options.queuedBytesMax) {
      this.droppedMessages += messages.length
      return
    }
    for (const part of cutIntoFrames(messages)) {
      const frame = encodeFrame(part)
      this.sentBytes += frame.length
      connection.write(frame)
    }
  }

  private dial(): void {
    if (this.closed) return
    const connection = this.runtime.network.connect(this.options.address, { timeoutMs: 2000 })
    this.connection = connection
    this.refusal = ''
    const introduction = this.introducesNext ? this.options.introduction() : undefined
    this.introducesNext = false
    if (introduction !== undefined) return this.introduce(connection, introduction)
    connection.setHandler({
      onOpen: () => {
        this.open = true
        this.reconnectDelayMs = this.options.reconnectDelayMsMin
        connection.write(
          encodeHello({
            clusterId: this.options.clusterId,
            from: this.options.self,
            to: this.options.peer,
            incarnation: this.options.incarnation,
          }),
        )
        this.logger.debug('connected to peer')
      },
      onData: (bytes) => {
        // The only thing an acceptor ever says is why it refuses.
        if (this.refusal.length < 512) this.refusal += Buffer.from(bytes).toString('utf8').slice(0, 512)
      },
      onEnd: () => connection.destroy(),
      onClose: (reason) => this.onClose(connection, reason),
    })
  }

  /** L4. */
  private introduce(connection: Connection, introduction: Uint8Array): void {
    connection.setHandler({
      onOpen: () => {
        connection.write(encodeIntroduction(introduction))
      },
      onData: () => {},
      onEnd: () => connection.destroy(),
      onClose: () => {
        if (this.connection !== connection) return
        this.connection = undefined
        if (!this.closed) this.dialLater(this.options.reconnectDelayMsMin)
      },
    })
  }

  private dialLater(delayMs: number): void {
    const jitter = 0.5 + this.runtime.random.float()
    this.reconnectTimer = this.runtime.scheduler.setTimer(delayMs * jitter, () => this.dial())
  }

  private onClose(connection: Connection, reason: CloseReason): void {
    if (this.connection !== connection) return
    const wasOpen = this.open
    this.connection = undefined
    this.open = false
    if (this.closed) return
    if (this.refusal !== '') {
      const refusal = decodeRefusal(this.refusal)
      if (refusal.code !== 'unknown') this.logger.warn('peer refused this node', { reason: refusal.message })
      else if (!this.waitsToBeKnown) this.logger.info('a peer does not know this node yet; asking again until it does')
      this.waitsToBeKnown = this.introducesNext = refusal.code === 'unknown'
      this.options.onRefused(this.options.peer, refusal)
      this.reconnectDelayMs = this.options.reconnectDelayMsMax
    } else if (wasOpen) {
      this.logger.info('lost the connection to a peer', { reason })
      this.options.onLost(this.options.peer, reason)
    }
    this.dialLater(this.reconnectDelayMs)
    this.reconnectDelayMs = Math.min(this.reconnectDelayMs * 2, this.options.reconnectDelayMsMax)
  }
}

/** All of one turn in one frame, unless that is so much that the peer would refuse it, or wait long for its first message. */
function cutIntoFrames(messages: readonly OutgoingMessage[]): OutgoingMessage[][] {
  const frames: OutgoingMessage[][] = [[]]
  let bytes = 0
  for (const message of messages) {
    let messageBytes = 0
    for (const piece of message.payload) messageBytes += piece.length
    if (bytes > 0 && bytes + messageBytes > frameBytesSoftMax) {
      frames.push([])
      bytes = 0
    }
    frames.at(-1)!.push(message)
    bytes += messageBytes
  }
  return frames
}
