/**
 * One end of a connection inside this process.
 *
 * - I1  No handler method runs inside a call of either owner: each runs at the end of a turn, in order.
 * - I2  `onClose` comes once, and nothing after it.
 * - I3  At most `windowBytes` and one chunk wait at the receiver; the rest counts as queued at the sender.
 */
import { assert } from '../../base/index.ts'
import type { CloseReason, Connection, ConnectionHandler, Scheduler } from '../index.ts'

const highWaterMarkBytes = 1024 * 1024
const windowBytes = 256 * 1024

export class MemoryConnection implements Connection {
  readonly remoteAddress: string
  private readonly scheduler: Scheduler
  private state: 'connecting' | 'open' | 'closed'
  private handler: ConnectionHandler | undefined
  /** Undefined until accepted. */
  private peer: MemoryConnection | undefined
  private readonly sendQueue: Uint8Array[] = []
  private unsentBytes = 0
  private needsDrain = false
  private endAsked = false
  private endSent = false
  private readonly received: Uint8Array[] = []
  private receivedBytes = 0
  private paused = false
  private peerEnded = false
  private endTold = false
  private flushing = false

  constructor(scheduler: Scheduler, remoteAddress: string, state: 'connecting' | 'open') {
    this.scheduler = scheduler
    this.remoteAddress = remoteAddress
    this.state = state
  }

  get queuedBytes(): number {
    return this.unsentBytes
  }

  get hasHandler(): boolean {
    return this.handler !== undefined
  }

  get isClosed(): boolean {
    return this.state === 'closed'
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
    if (this.endAsked || this.state === 'closed') return
    this.endAsked = true
    this.transmit()
  }

  destroy(): void {
    if (this.state === 'closed') return
    const { peer } = this
    this.close('local')
    if (peer !== undefined) this.scheduler.endOfTurn(() => peer.close('reset'))
  }

  /** The listener took the connection: `peer` is its end. Called in an event of the network, as `onOpen` must be. */
  established(peer: MemoryConnection): void {
    this.peer = peer
    this.state = 'open'
    this.handler?.onOpen?.()
    this.transmit()
  }

  /** The accepted end learns of the other one. */
  meet(peer: MemoryConnection): void {
    this.peer = peer
  }

  close(reason: CloseReason): void {
    if (this.state === 'closed') return
    this.state = 'closed'
    this.sendQueue.length = 0
    this.unsentBytes = 0
    this.received.length = 0
    this.receivedBytes = 0
    this.scheduler.endOfTurn(() => this.handler?.onClose(reason))
  }

  /** Hands over what the receiver's window takes, then the end if it was asked for. */
  private transmit(): void {
    const { peer } = this
    if (this.state !== 'open' || peer === undefined || peer.isClosed) return
    while (this.sendQueue.length > 0 && peer.receivedBytes < windowBytes) {
      const bytes = this.sendQueue.shift()!
      this.unsentBytes -= bytes.length
      // A copy: the receiver owns what it gets, and may change it.
      peer.received.push(Buffer.from(bytes))
      peer.receivedBytes += bytes.length
    }
    if (this.sendQueue.length === 0 && this.endAsked && !this.endSent) {
      this.endSent = true
      peer.peerEnded = true
      this.closeWhenBothEnded()
    }
    peer.flushLater()
  }

  private flushLater(): void {
    if (this.flushing || this.state === 'closed') return
    this.flushing = true
    this.scheduler.endOfTurn(() => {
      this.flushing = false
      this.flush()
    })
  }

  private flush(): void {
    while (this.received.length > 0 && !this.paused && this.state !== 'closed') {
      const bytes = this.received.shift()!
      this.receivedBytes -= bytes.length
      this.handler?.onData(bytes)
    }
    this.peer?.afterPeerRead()
    if (this.state === 'closed' || this.received.length > 0 || !this.peerEnded || this.endTold) return
    this.endTold = true
    this.handler?.onEnd?.()
    this.closeWhenBothEnded()
  }

  /** The peer took something in: more may go, and room is told of. */
  private afterPeerRead(): void {
    if (this.sendQueue.length > 0) this.transmit()
    if (!this.needsDrain || this.unsentBytes > highWaterMarkBytes || this.state !== 'open') return
    this.needsDrain = false
    this.scheduler.endOfTurn(() => {
      if (this.state === 'open') this.handler?.onDrain?.()
    })
  }

  private closeWhenBothEnded(): void {
    if (this.endSent && this.endTold) this.close('ended')
  }
}
