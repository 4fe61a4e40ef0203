/**
 * One end of a simulated connection. Both ends are objects of this class, and hear from each other only through a
 * {@link Pipe} each.
 *
 * I1. No handler method runs inside a call of its owner: every one runs in an event of its own or of the network.
 * I2. `onClose` comes once, and nothing after it. It never comes once the node is dead.
 * I3. While its process is stopped or slow, what arrives waits for an event of the owner's; the handshake does not, as a
 *     kernel needs no process for it.
 * I4. At most `windowBytes` are on their way or waiting for a paused receiver; the rest counts as queued.
 */
import { assert } from '../../base/index.ts'
import type { CloseReason, Connection, ConnectionHandler } from '../index.ts'
import type { Incarnation, Kernel, ScheduledEvent } from './kernel.ts'
import type { Pipe, Segment } from './pipe.ts'

const highWaterMarkBytes = 1 << 20
/** Stands for the two socket buffers and the flight between them. */
const windowBytes = 256 * 1024
const segmentBytesMax = 64 * 1024

export interface ConnectionEnvironment {
  readonly kernel: Kernel
  readonly incarnation: Incarnation
  readonly remoteAddress: string
  /** Called once when this end is closed for whatever reason. */
  readonly onGone: (connection: SimulatedConnection) => void
}

export class SimulatedConnection implements Connection {
  readonly remoteAddress: string
  private readonly environment: ConnectionEnvironment
  private state: 'connecting' | 'open' | 'closed'
  private handler: ConnectionHandler | undefined
  /** Towards the peer. Set right after construction. */
  private pipe: Pipe | undefined
  /** Returns bytes read to the peer's window. */
  private peer: SimulatedConnection | undefined
  private connectTimer: ScheduledEvent | undefined

  private readonly sendQueue: Uint8Array[] = []
  private unsentBytes = 0
  private unreadByPeerBytes = 0
  private needsDrain = false
  private endAsked = false
  private endSent = false

  private paused = false
  private flushing = false
  private readonly received: Segment[] = []
  private endReceived = false

  constructor(environment: ConnectionEnvironment, state: 'connecting' | 'open') {
    this.environment = environment
    this.remoteAddress = environment.remoteAddress
    this.state = state
  }

  /** Joins this end to the pipe towards its peer. */
  attach(pipe: Pipe): void {
    this.pipe = pipe
  }

  /** Told when the peer's end exists. */
  meet(peer: SimulatedConnection): void {
    this.peer = peer
  }

  get queuedBytes(): number {
    return this.unsentBytes
  }

  get hasHandler(): boolean {
    return this.handler !== undefined
  }

  setHandler(handler: ConnectionHandler): void {
    assert(this.handler === undefined, 'a connection gets its handler once')
    this.handler = handler
  }

  write(bytes: Uint8Array): boolean {
    if (this.state === 'closed' || this.endAsked || bytes.length === 0) return true
    this.sendQueue.push(bytes)
    this.unsentBytes += bytes.length
    this.transmit()
    const below = this.unsentBytes <= highWaterMarkBytes
    if (!below) this.needsDrain = true
    return below
  }

  pause(): void {
    this.paused = true
  }

  resume(): void {
    if (!this.paused) return
    this.paused = false
    this.flushLater()
  }

  end(): void {
    if (this.endAsked) return
    this.endAsked = true
    this.transmit()
  }

  destroy(): void {
    if (this.state === 'closed') return
    this.sayGoodbye()
    this.close('local')
  }

  startConnecting(timeoutMs: number): void {
    this.connectTimer = this.environment.kernel.push(this.environment.incarnation, timeoutMs, 'connect-timeout', () =>
      this.close('unreachable'),
    )
    this.pipe?.send({ kind: 'connect' })
  }

  /** Fails a connection that cannot even start. */
  failConnecting(delayMs: number): void {
    this.environment.kernel.push(this.environment.incarnation, delayMs, 'connect-failed', () =>
      this.close('unreachable'),
    )
  }

  /** The node died. With its power gone nobody says goodbye in order; the peer hears a reset, if it hears at all. */
  die(how: 'power-loss' | 'process-death'): void {
    if (this.state === 'closed') return
    if (how === 'power-loss') this.pipe?.send({ kind: 'reset' })
    else this.sayGoodbye()
    this.state = 'closed'
  }

  /** A segment from the peer. */
  receive(segment: Segment): void {
    if (this.state === 'closed' || !this.environment.incarnation.alive) {
      // Nobody has this connection any more: a host answers that with a reset.
      if (segment.kind !== 'reset') this.pipe?.send({ kind: 'reset' })
      return
    }
    switch (segment.kind) {
      case 'reset':
        this.close(this.state === 'connecting' ? 'refused' : 'reset')
        return
      default:
        if (segment.kind === 'accept') this.established()
        this.received.push(segment)
        if (this.flushing) return
        if (this.environment.incarnation.gate.isOpen) this.flushReceived()
        else this.flushLater()
    }
  }

  /** Sends what the window allows, then the end if it was asked for. */
  private transmit(): void {
    if (this.state !== 'open') return
    while (this.sendQueue.length > 0 && this.unreadByPeerBytes < windowBytes) this.sendSegment(this.sendQueue[0]!)
    if (this.sendQueue.length > 0 || !this.endAsked || this.endSent) return
    this.endSent = true
    this.pipe!.send({ kind: 'end' })
    this.closeWhenBothEnded()
  }

  /** Sends `head`, the first of the queue, or, where a draw says so, only a piece of it. */
  private sendSegment(head: Uint8Array): void {
    const random = this.pipe!.link.pieces
    const whole = Math.min(head.length, segmentBytesMax)
    const length = random.below(4) === 0 ? 1 + random.below(whole) : whole
    if (length === head.length) this.sendQueue.shift()
    else this.sendQueue[0] = head.subarray(length)
    this.unsentBytes -= length
    this.unreadByPeerBytes += length
    this.pipe!.send({ kind: 'data', bytes: head.subarray(0, length) })
  }

  /** The peer's owner has taken `length` bytes. */
  private acknowledge(length: number): void {
    this.unreadByPeerBytes -= length
    if (this.state !== 'open') return
    this.transmit()
    if (!this.needsDrain || this.unsentBytes > highWaterMarkBytes) return
    this.needsDrain = false
    this.later('drain', () => {
      if (this.state === 'open') this.handler?.onDrain?.()
    })
  }

  private flushLater(): void {
    if (this.flushing || this.received.length === 0) return
    this.flushing = true
    this.later('flush', () => {
      this.flushing = false
      this.flushReceived()
    })
  }

  private flushReceived(): void {
    while (this.received.length > 0 && this.state !== 'closed') {
      if (this.paused && this.received[0]!.kind !== 'accept') return
      const segment = this.received.shift()!
      if (segment.kind === 'accept') {
        this.handler?.onOpen?.()
      } else if (segment.kind === 'data') {
        const { length } = segment.bytes
        // Word of it takes the way back, which may be cut.
        this.pipe!.link.whenOpen(() => this.peer?.acknowledge(length))
        // A copy, as from another machine: an owner that changes what it wrote or received cannot reach its peer.
        this.handler?.onData(Buffer.from(segment.bytes))
      } else {
        this.endReceived = true
        this.handler?.onEnd?.()
        this.closeWhenBothEnded()
      }
    }
  }

  /** The handshake is done. What was written before is sent. */
  private established(): void {
    if (this.connectTimer !== undefined) this.connectTimer.run = undefined
    this.state = 'open'
    this.transmit()
  }

  private closeWhenBothEnded(): void {
    if (this.endSent && this.endReceived) this.close('ended')
  }

  /** What the peer hears of a process that drops the connection: an end in good order, or a reset. */
  private sayGoodbye(): void {
    this.pipe?.send({ kind: this.pipe.link.pieces.below(2) === 0 ? 'end' : 'reset' })
  }

  private close(reason: CloseReason): void {
    if (this.state === 'closed') return
    this.state = 'closed'
    if (this.connectTimer !== undefined) this.connectTimer.run = undefined
    this.sendQueue.length = 0
    this.unsentBytes = 0
    this.received.length = 0
    this.environment.onGone(this)
    this.later('close', () => this.handler?.onClose(reason))
  }

  private later(kind: string, run: () => void): void {
    this.environment.kernel.push(this.environment.incarnation, 0, kind, run)
  }
}
