/**
 * gRPC calls to one address, over one HTTP/2 connection at a time. Its owner decides when to connect, and hears how
 * that goes.
 *
 * I1. `current` is the connection of the states `connecting` and `ready`. Connections whose server said GOAWAY live on
 *     in `draining` until their calls are over.
 * I2. Calls wait in `waiting`, in order, while the state is `connecting`, or while `ready` with no free stream; in any
 *     other state nothing waits. `waitingCalls` and `waitingBytes` count them, those already given up included.
 * I3. No callback of a call runs inside the method that was called: what this side finds out is told at the end of the
 *     turn (`deferred`).
 */
import type { Address, Clock, Timer } from '../../runtime/index.ts'
import { DeadlineQueue, GrpcStatusCode } from '../grpc/index.ts'
import { Http2ErrorCode, OutputArena } from '../http2/index.ts'
import { Http2ClientConnection, type Http2ClientHandler } from '../http2-client/index.ts'
import { ChannelConnection } from './channel-connection.ts'
import { type ChannelSettings, type GrpcChannelOptions, type GrpcClientOutside, settingsOf } from './options.ts'
import {
  type ClientStreamingCall,
  type GrpcFailureReply,
  noMetadata,
  type StreamHandler,
  type StreamOptions,
  type UnaryOptions,
} from './replies.ts'
import { grpcTimeoutText, memorableFieldsOf } from './request-templates.ts'
import { StreamCall } from './stream-call.ts'
import { UnaryCall, type UnaryDone } from './unary-call.ts'

/**
 * `idle`: not connected yet, or the server said GOAWAY and means no error: connect at once. `failed`: the attempt
 * failed, the connection was lost, or the server turned this client away: connect after a while; {@link GrpcChannel.failure} says why. `closed` is final.
 */
export type GrpcChannelState = 'idle' | 'connecting' | 'ready' | 'failed' | 'closed'

/** Fewer calls that were given up are not worth looking for. */
const givenUpMin = 1_024
const noDeadline = { atMs: Number.POSITIVE_INFINITY, text: '' } as const

export class GrpcChannel {
  readonly address: Address
  // What follows up to the constructor is for its calls.
  readonly settings: ChannelSettings
  readonly clock: Clock
  readonly deadlines: DeadlineQueue

  private readonly outside: GrpcClientOutside
  private readonly arena = new OutputArena()
  private readonly listeners = new Set<(state: GrpcChannelState) => void>()
  private currentState: GrpcChannelState = 'idle'
  private lastFailure: string | undefined
  private current: ChannelConnection | undefined
  private readonly draining = new Set<Http2ClientConnection>()
  private connectTimer: Timer | undefined
  private waiting: (UnaryCall | StreamCall)[] = []
  private waitingHead = 0
  private waitingBytes = 0
  /** About how many of those that wait were given up since the last look. */
  private givenUp = 0
  private deferred: (() => void)[] = []

  constructor(outside: GrpcClientOutside, address: Address, options: GrpcChannelOptions = {}) {
    const host = address.host.includes(':') ? `[${address.host}]` : address.host
    this.outside = outside
    this.clock = outside.clock
    this.address = address
    this.settings = settingsOf(options, `${host}:${address.port}`)
    this.deadlines = new DeadlineQueue(outside.clock, outside.scheduler)
  }

  get state(): GrpcChannelState {
    return this.currentState
  }

  /** Why the last attempt failed or the last connection ended, for people. `undefined` before any did. */
  get failure(): string | undefined {
    return this.lastFailure
  }

  /** Calls `listener` after each change of state, also inside `connect` and `close`. Returns what stops that. */
  onStateChange(listener: (state: GrpcChannelState) => void): () => void {
    this.listeners.add(listener)
    return () => {
      this.listeners.delete(listener)
    }
  }

  /** Starts an attempt to connect, when the channel is `idle` or `failed`. Nothing is ever tried again by itself. */
  connect(): void {
    if (this.currentState !== 'idle' && this.currentState !== 'failed') return
    const timeoutMs = this.settings.connectTimeoutMs
    const handler = new ConnectionEvents(this)
    const http2 = new Http2ClientConnection({
      connection: this.outside.network.connect(this.address, { timeoutMs }),
      scheduler: this.outside.scheduler,
      clock: this.clock,
      arena: this.arena,
      options: this.settings.http2,
      memorableFields: memorableFieldsOf(this.settings),
      handler,
    })
    handler.http2 = http2
    this.current = new ChannelConnection(http2, this.settings)
    this.connectTimer = this.outside.scheduler.setTimer(timeoutMs, () => {
      http2.close(`no HTTP/2 server answered within ${timeoutMs} ms`)
    })
    this.changeState('connecting')
  }

  /**
   * Calls a unary method. While the channel is connecting the call waits; when it is neither that nor ready the call
   * fails with `processed: false`.
   *
   * `done` is called exactly once, never inside this method, with the answer and the monotonic time in ms just before
   * the request was handed to the transport (0 when it never was).
   *
   * Returns a function that gives the call up: RST_STREAM, and `done` hears status 1.
   */
  unary(path: string, request: Uint8Array, options: UnaryOptions, done: UnaryDone): () => void {
    const timeoutMs = options.timeoutMs ?? Number.POSITIVE_INFINITY
    const deadline =
      timeoutMs === Number.POSITIVE_INFINITY
        ? noDeadline
        : { atMs: this.clock.monotonicMs() + timeoutMs, text: grpcTimeoutText(timeoutMs) }
    const call = new UnaryCall(this, path, request, options.metadata, deadline, done)
    this.begin(call)
    if (deadline !== noDeadline && !call.isDone) this.deadlines.add(call)
    return () => call.cancel()
  }

  /**
   * Calls a streaming method, which waits or fails as {@link unary} does. `handler` is never called inside this method.
   * What it is told is not held back: it takes every message as it comes.
   */
  stream(path: string, options: StreamOptions, handler: StreamHandler): ClientStreamingCall {
    const call = new StreamCall(this, path, options.metadata, handler)
    this.begin(call)
    return call
  }

  /**
   * Ends the connection. At the end of the turn calls that wait fail with status 1, those that were sent with status 14
   * and origin `connection`: the server may have acted on them.
   */
  close(reason = 'the channel was closed'): void {
    if (this.currentState === 'closed') return
    const current = this.current
    const waiting = this.takeWaiting()
    this.current = undefined
    this.lastFailure = reason
    this.connectTimer?.cancel()
    this.changeState('closed')
    for (const call of waiting) call.failLater(GrpcStatusCode.cancelled, reason)
    this.defer(() => {
      current?.http2.close(reason)
      for (const http2 of [...this.draining]) http2.close(reason)
    })
  }

  // What follows is for calls and connections.

  /** Runs `callback` at the end of this turn (I3). */
  defer(callback: () => void): void {
    this.deferred.push(callback)
    if (this.deferred.length === 1) this.outside.scheduler.endOfTurn(this.runDeferred)
  }

  /** Counts bytes of a call that waits. False when too much waits. */
  claimWaiting(byteLength: number): boolean {
    if (this.waitingBytes + byteLength > this.settings.waitingBytesMax) return false
    this.waitingBytes += byteLength
    return true
  }

  /** A call was given up that may be waiting. When half of those that wait are such, they go. */
  onGivenUp(): void {
    if (++this.givenUp < givenUpMin || this.givenUp * 2 < this.waiting.length - this.waitingHead) return
    const waiting = this.takeWaiting().filter((call) => !call.isDone)
    this.waiting = waiting
    for (const call of waiting) this.waitingBytes += call.waitingBytes
  }

  onReady(http2: Http2ClientConnection): void {
    if (this.current?.http2 !== http2) return
    this.connectTimer?.cancel()
    this.changeState('ready')
    this.startWaiting()
  }

  startWaiting(): void {
    const current = this.current
    if (current === undefined) return
    while (this.waitingHead < this.waiting.length && current.http2.canOpen) {
      const call = this.waiting[this.waitingHead++]!
      this.waitingBytes -= call.waitingBytes
      if (!call.isDone) call.start(current)
    }
    if (this.waitingHead === this.waiting.length) this.dropWaiting()
    else if (this.waitingHead >= 1_024) {
      this.waiting.splice(0, this.waitingHead)
      this.waitingHead = 0
    }
  }

  onDraining(http2: Http2ClientConnection, reason: string, code: Http2ErrorCode): void {
    this.draining.add(http2)
    if (this.current?.http2 === http2) this.leave(code === Http2ErrorCode.noError ? 'idle' : 'failed', reason)
  }

  onClosed(http2: Http2ClientConnection, reason: string): void {
    this.draining.delete(http2)
    if (this.current?.http2 === http2) this.leave('failed', reason)
  }

  private begin(call: UnaryCall | StreamCall): void {
    const current = this.current
    if (current === undefined) {
      const why = this.lastFailure === undefined ? '' : `: ${this.lastFailure}`
      call.failLater(GrpcStatusCode.unavailable, `not connected to ${this.settings.authority}${why}`)
    } else if (current.http2.canOpen && this.waiting.length === 0) {
      call.start(current)
    } else if (
      this.waiting.length - this.waitingHead < this.settings.waitingCallsMax &&
      this.claimWaiting(call.waitingBytes)
    ) {
      this.waiting.push(call)
    } else {
      call.failLater(GrpcStatusCode.resourceExhausted, 'too many calls wait on this channel')
    }
  }

  /** The current connection takes no more calls: those that wait were never sent. */
  private leave(state: 'idle' | 'failed', reason: string): void {
    const waiting = this.takeWaiting()
    this.current = undefined
    this.lastFailure = reason
    this.connectTimer?.cancel()
    this.outside.logger.debug('a connection takes no more calls', { address: this.settings.authority, reason })
    this.changeState(state)
    const reply: GrpcFailureReply = {
      ok: false,
      status: GrpcStatusCode.unavailable,
      message: reason,
      metadata: noMetadata,
      processed: false,
      origin: 'connection',
    }
    for (const call of waiting) if (!call.isDone) call.failUnsent(reply)
  }

  private takeWaiting(): (UnaryCall | StreamCall)[] {
    const waiting = this.waiting.slice(this.waitingHead)
    this.dropWaiting()
    return waiting
  }

  private dropWaiting(): void {
    this.waiting = []
    this.waitingHead = 0
    this.waitingBytes = 0
    this.givenUp = 0
  }

  private changeState(state: GrpcChannelState): void {
    this.currentState = state
    for (const listener of [...this.listeners]) listener(state)
  }

  private readonly runDeferred = (): void => {
    const deferred = this.deferred
    this.deferred = []
    for (const callback of deferred) callback()
  }
}

/** Tells the channel which of its connections speaks. */
class ConnectionEvents implements Http2ClientHandler {
  http2: Http2ClientConnection | undefined
  private readonly channel: GrpcChannel

  constructor(channel: GrpcChannel) {
    this.channel = channel
  }

  onReady(): void {
    this.channel.onReady(this.http2!)
  }

  onCanOpen(): void {
    this.channel.startWaiting()
  }

  onDraining(reason: string, code: Http2ErrorCode): void {
    this.channel.onDraining(this.http2!, reason, code)
  }

  onClosed(reason: string): void {
    this.channel.onClosed(this.http2!, reason)
  }
}
