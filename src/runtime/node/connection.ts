/**
 * One TCP connection. Made by `NodeNetwork`, driven by its owner through {@link ConnectionHandler}.
 *
 * I1. The handler sees its calls in the order of the interface; `onClose` is the last one and comes once. It is the
 *     socket's 'close' event, which Node sends once, after every other event.
 * I2. No socket error leaves this file: 'error' only sets the reason that 'close' reports.
 */
import type * as net from 'node:net'
import { assert } from '../../base/index.ts'
import type { Address, CloseReason, Connection, ConnectionHandler } from '../index.ts'
import { giveBackRead, type ScratchReader, ScratchSocket } from './scratch-socket.ts'

/** Past this much in `queuedBytes`, `write` returns false. */
export const highWaterMarkBytes = 1 << 20
/** The same of connections that a port accepted: many of them may be of clients that take nothing of what they asked for. */
export const portHighWaterMarkBytes = 128 << 10

/** How every socket of this process is made. */
export const socketOptions = {
  allowHalfOpen: true,
  highWaterMark: highWaterMarkBytes,
  // Frames are already coalesced a turn; Nagle's algorithm would only add delay.
  noDelay: true,
  // Finds peers that vanished without a word. Protocols with heartbeats find them sooner.
  keepAlive: true,
  keepAliveInitialDelay: 30_000,
} as const

const reasonOfErrno: Readonly<Record<string, CloseReason>> = {
  ECONNREFUSED: 'refused',
  ETIMEDOUT: 'unreachable',
  EHOSTUNREACH: 'unreachable',
  EHOSTDOWN: 'unreachable',
  ENETUNREACH: 'unreachable',
  ENETDOWN: 'unreachable',
  EADDRNOTAVAIL: 'unreachable',
  ENOTFOUND: 'unreachable',
  EAI_AGAIN: 'unreachable',
}

const noBytes = new Uint8Array(0)

export class NodeConnection implements Connection, ScratchReader {
  readonly remoteAddress: string
  readonly packsReads: boolean
  readonly freesWritten = true
  closeDetail: string | undefined = undefined
  private readonly socket: net.Socket
  /** The same socket, where it is one. */
  private readonly scratch: ScratchSocket | undefined
  /** `write` has returned false, or `tellDrain` was called, and `onDrain` was not called since that with nothing pending. */
  private owesDrain = false
  private handler: ConnectionHandler | undefined
  /** What `onClose` will say: set by the first cause, 'ended' when there is none. */
  private reason: CloseReason | undefined
  private connectTimer: NodeJS.Timeout | undefined

  /** `packsReads`: for owners that do not keep views of what they read for long. */
  constructor(socket: net.Socket, remoteAddress: string, packsReads: boolean) {
    this.socket = socket
    this.scratch = socket instanceof ScratchSocket ? socket : undefined
    this.remoteAddress = remoteAddress
    this.packsReads = packsReads
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.reason ??= reasonOfErrno[error.code ?? ''] ?? 'reset'
      this.closeDetail ??= error.message
    })
  }

  get queuedBytes(): number {
    const { socket, scratch } = this
    return scratch === undefined ? socket.writableLength : socket.writableLength + scratch.pendingBytes
  }

  setHandler(handler: ConnectionHandler): void {
    assert(this.handler === undefined, 'a connection gets its handler once')
    this.handler = handler
    const { socket, scratch } = this
    socket.on('close', () => {
      clearTimeout(this.connectTimer)
      handler.onClose(this.reason ?? 'ended')
    })
    if (handler.onEnd !== undefined) socket.on('end', () => handler.onEnd?.())
    if (handler.onDrain !== undefined) socket.on('drain', this.drained)
    if (scratch !== undefined) {
      scratch.reader = this
      if (!scratch.connecting) scratch.opened()
      scratch.resume()
    } else socket.on('data', (bytes: Buffer) => handler.onData(bytes))
  }

  /** For the socket alone. */
  received(bytes: Buffer): void {
    this.handler!.onData(bytes)
  }

  /** For the socket alone. */
  wrotePending(): void {
    // As with Node's own event, none after `end`.
    if (this.owesDrain && this.queuedBytes === 0 && this.socket.writable) this.drained()
  }

  write(bytes: Uint8Array): boolean {
    const { socket, scratch } = this
    // Node answers a write after `end` with an error event; here it does nothing.
    if (!socket.writable) return true
    if (scratch?.writePast(bytes)) return scratch.pendingBytes === 0 || this.takesMore()
    this.writeByStream(bytes)
    return this.takesMore()
  }

  private writeByStream(bytes: Uint8Array): void {
    const { socket, scratch } = this
    // The stream tells of a drain only when it holds too much by itself.
    if (scratch !== undefined && (this.owesDrain || scratch.pendingBytes > 0)) socket.write(bytes, this.wroteByStream)
    else socket.write(bytes)
  }

  private takesMore(): boolean {
    if (this.queuedBytes <= this.socket.writableHighWaterMark) return true
    this.owesDrain = true
    return false
  }

  writeBoth(first: Uint8Array, second: Uint8Array): boolean {
    const { socket } = this
    if (!socket.writable) return true
    socket.cork()
    this.writeByStream(first)
    this.writeByStream(second)
    socket.uncork()
    return this.takesMore()
  }

  tellDrain(): void {
    if (this.socket.writable) this.socket.write(noBytes, this.drained)
  }

  private readonly drained = (error?: Error | null): void => {
    if (error || this.socket.destroyed) return
    // What came later may be known to be written sooner; then `wrotePending` follows.
    this.owesDrain = this.scratch !== undefined && this.scratch.pendingBytes > 0
    this.handler?.onDrain?.()
  }

  private readonly wroteByStream = (error?: Error | null): void => {
    if (!error) this.wrotePending()
  }

  giveBack(bytes: Uint8Array): void {
    if (this.scratch !== undefined) giveBackRead(bytes)
  }

  pause(): void {
    this.socket.pause()
  }

  resume(): void {
    this.socket.resume()
  }

  end(): void {
    const { socket, scratch } = this
    if (!socket.writable) return
    // The shutdown is not to be asked for before all is written: libuv cannot reset a connection any more that waits for it.
    if (scratch !== undefined && scratch.pendingBytes > 0) socket.write(noBytes)
    socket.end()
  }

  destroy(): void {
    this.close('local')
  }

  reset(): void {
    const { socket } = this
    if (socket.destroyed) return
    this.reason ??= 'local'
    // All is written and the end with it; Node would lose the socket in the middle of its shutdown.
    const isShuttingDown = socket.writableEnded && !socket.writableFinished && this.queuedBytes === 0
    // Of TLS the peer misses the farewell (RFC 8446 §6.1), which says the same.
    if (socket.connecting || isShuttingDown || 'encrypted' in socket) socket.destroy()
    else socket.resetAndDestroy()
  }

  /** Starts an outgoing connection. */
  open(address: Address, timeoutMs: number): void {
    this.expectOpen('connect', timeoutMs)
    this.socket.connect({ host: address.host, port: address.port })
  }

  /** An outgoing connection has been started: `event` says that it is open. */
  expectOpen(event: 'connect' | 'secureConnect', timeoutMs: number): void {
    this.connectTimer = setTimeout(() => this.close('unreachable'), timeoutMs)
    this.connectTimer.unref()
    this.socket.once(event, () => {
      clearTimeout(this.connectTimer)
      // An earlier listener may have found that the peer will not do.
      if (this.socket.destroyed) return
      this.scratch?.opened()
      this.handler?.onOpen?.()
    })
  }

  /** Nobody would ever read from, or close, an accepted connection whose owner set no handler. */
  dropWithoutHandler(): void {
    if (this.handler === undefined) this.socket.destroy()
  }

  private close(reason: CloseReason): void {
    if (this.socket.destroyed) return
    this.reason ??= reason
    this.socket.destroy()
  }
}
