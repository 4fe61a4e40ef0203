/**
 * gRPC to one endpoint, over one HTTP/2 connection at a time, made when a call needs it.
 *
 * I1. `current` is the connection that is being made or takes calls; `isReady` says which. Those whose server said GOAWAY
 *     live on in `draining` until their calls are over.
 * I2. Calls wait in `waiting`, in order, while there is a connection and it is not ready or has no free stream.
 * I3. After an attempt that failed none is made before `retryAtMs`: calls fail at once, so that their owner goes elsewhere.
 *     The time between doubles from `backoffMsMin` to `backoffMsMax`, less up to a fifth at random.
 * I4. No event of a call comes inside `begin` or `send`: `deferred` runs at the end of the turn.
 */
import type { Address, Timer } from '../../runtime/index.ts'
import { Http2ErrorCode, OutputArena } from '../../wire/http2/index.ts'
import {
  Http2ClientConnection,
  type Http2ClientHandler,
  type Http2ClientOptions,
} from '../../wire/http2-client/index.ts'
import { noMetadata } from '../service/index.ts'
import type {
  CallEnd,
  CallEvents,
  ChannelLimits,
  ClientChannel,
  TransportCall,
  TransportRequest,
  TransportRuntime,
} from '../transport/index.ts'
import { memorableRequestFields, type RequestHeadings } from './call-templates.ts'
import { ChannelConnection } from './channel-connection.ts'
import { GrpcClientCall } from './client-call.ts'
import { grpcTimeoutText } from './grpc-timeout.ts'
import { localEnd } from './response-meaning.ts'

const backoffMsMin = 50
const backoffMsMax = 2_000
/** Unfinished messages of one connection together; the call that passes it fails. */
const bufferedBytesMax = 512 << 20

const http2Options: Partial<Http2ClientOptions> = {
  streamReceiveWindowBytes: 1 << 20,
  connectionReceiveWindowBytes: 32 << 20,
  // grpc-go and grpc-java count pings closer than 5 min as abuse while there is nothing to say, unless told otherwise.
  keepAliveTimeMs: 20_000,
  keepAliveTimeoutMs: 10_000,
}

export interface GrpcChannelInit {
  readonly address: Address
  readonly outside: TransportRuntime
  readonly limits: ChannelLimits
  readonly headings: RequestHeadings
}

export class GrpcClientChannel implements ClientChannel {
  readonly limits: ChannelLimits
  private readonly init: GrpcChannelInit
  private readonly outside: TransportRuntime
  private readonly arena = new OutputArena()
  private current: ChannelConnection | undefined = undefined
  private isReady = false
  private readonly draining = new Set<Http2ClientConnection>()
  private connectTimer: Timer | undefined = undefined
  private waiting: GrpcClientCall[] = []
  private givenUp = 0
  private failuresInRow = 0
  private retryAtMs = Number.NEGATIVE_INFINITY
  private lastFailure = 'not connected yet'
  private closedFor: string | undefined = undefined
  private deferred: (() => void)[] = []

  constructor(init: GrpcChannelInit) {
    this.init = init
    this.outside = init.outside
    this.limits = init.limits
  }

  get isDown(): boolean {
    return this.current === undefined && this.outside.clock.monotonicMs() < this.retryAtMs
  }

  begin(request: TransportRequest, events: CallEvents): TransportCall {
    const call = new GrpcClientCall(this, request, events)
    if (this.closedFor !== undefined) call.failLater(connectEnd(this.closedFor))
    else if (this.isDown) call.failLater(connectEnd(`${this.addressText} is not reachable: ${this.lastFailure}`))
    else this.enter(call)
    return call
  }

  drain(): void {
    this.closedFor ??= `${this.addressText} left the set of endpoints`
    const current = this.current
    if (current === undefined) return
    if (current.http2.streams.size === 0 && this.waiting.length === 0) current.http2.close(this.closedFor)
  }

  close(reason: string): void {
    this.closedFor = reason
    const current = this.current
    this.current = undefined
    this.connectTimer?.cancel()
    const waiting = this.takeWaiting()
    this.defer(() => {
      for (const call of waiting) call.failUnsent(localEnd('UNAVAILABLE', reason, true))
      current?.http2.close(reason)
      for (const http2 of [...this.draining]) http2.close(reason)
    })
  }

  // What follows is for calls and connections.

  timeoutText(timeoutMs: number | undefined): string {
    return timeoutMs === undefined ? '' : grpcTimeoutText(timeoutMs)
  }

  defer(callback: () => void): void {
    this.deferred.push(callback)
    if (this.deferred.length === 1) this.outside.scheduler.endOfTurn(this.runDeferred)
  }

  /** A call was given up that waits. When half of those that wait are such, they go. */
  onGivenUp(): void {
    if (++this.givenUp * 2 < this.waiting.length) return
    this.waiting = this.waiting.filter((call) => !call.isDone)
    this.givenUp = 0
  }

  onReady(http2: Http2ClientConnection): void {
    if (this.current?.http2 !== http2) return
    this.connectTimer?.cancel()
    this.isReady = true
    this.failuresInRow = 0
    this.startWaiting()
  }

  startWaiting(): void {
    const current = this.current
    if (current === undefined || !this.isReady || this.waiting.length === 0) {
      this.endDrained()
      return
    }
    let at = 0
    while (at < this.waiting.length && current.http2.canOpen) {
      const call = this.waiting[at++]!
      if (!call.isDone) call.start(current)
    }
    this.waiting.splice(0, at)
    if (this.waiting.length === 0) this.givenUp = 0
  }

  onDraining(http2: Http2ClientConnection, reason: string, code: Http2ErrorCode): void {
    this.draining.add(http2)
    if (this.current?.http2 === http2) this.leave(reason, code !== Http2ErrorCode.noError)
  }

  onClosed(http2: Http2ClientConnection, reason: string): void {
    this.draining.delete(http2)
    // A connection that served well and was lost may be made anew at once.
    if (this.current?.http2 === http2) this.leave(reason, !this.isReady)
  }

  private get addressText(): string {
    const { host, port } = this.init.address
    return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
  }

  private enter(call: GrpcClientCall): void {
    if (this.current === undefined) this.connect()
    const current = this.current!
    if (this.isReady && this.waiting.length === 0 && current.http2.canOpen) call.start(current)
    else if (this.waiting.length < this.limits.waitingCallsMax) this.waiting.push(call)
    else call.failLater(localEnd('RESOURCE_EXHAUSTED', `too many calls wait for ${this.addressText}`, true))
  }

  private connect(): void {
    const { outside, init } = this
    const timeoutMs = this.limits.connectTimeoutMs
    const handler = new ConnectionEvents(this)
    const http2 = new Http2ClientConnection({
      connection: outside.network.connect(init.address, { timeoutMs }),
      scheduler: outside.scheduler,
      clock: outside.clock,
      arena: this.arena,
      options: http2Options,
      memorableFields: memorableRequestFields(init.headings),
      handler,
    })
    handler.http2 = http2
    this.isReady = false
    this.current = new ChannelConnection(http2, init.headings, bufferedBytesMax)
    this.connectTimer = outside.scheduler.setTimer(timeoutMs, () => {
      http2.close(`no HTTP/2 server answered within ${timeoutMs} ms`)
    })
  }

  /** The current connection takes no more calls: those that wait were never sent. */
  private leave(reason: string, isFailure: boolean): void {
    const waiting = this.takeWaiting()
    this.current = undefined
    this.isReady = false
    this.lastFailure = reason
    this.connectTimer?.cancel()
    if (isFailure) this.backOff()
    // After a GOAWAY without an error the server takes new connections: what waited goes there, once.
    const again = isFailure || this.closedFor !== undefined ? [] : waiting.filter((call) => call.takeSecondWait())
    for (const call of again) this.enter(call)
    const why = `${this.addressText} is not reachable: ${reason}`
    for (const call of waiting) if (!call.isDone && !again.includes(call)) call.failUnsent(connectEnd(why))
  }

  private backOff(): void {
    const doubled = Math.min(backoffMsMax, backoffMsMin * 2 ** Math.min(this.failuresInRow++, 16))
    this.retryAtMs = this.outside.clock.monotonicMs() + doubled * (1 - this.outside.random.float() / 5)
  }

  private takeWaiting(): GrpcClientCall[] {
    const waiting = this.waiting
    this.waiting = []
    this.givenUp = 0
    return waiting
  }

  /** A channel that takes no more calls ends with its last one. */
  private endDrained(): void {
    const current = this.current
    if (this.closedFor === undefined || current === undefined || current.http2.streams.size > 0) return
    if (this.waiting.length === 0) current.http2.close(this.closedFor)
  }

  private readonly runDeferred = (): void => {
    const deferred = this.deferred
    this.deferred = []
    for (const callback of deferred) callback()
  }
}

function connectEnd(message: string): CallEnd {
  return { code: 'UNAVAILABLE', message, trailers: noMetadata, isUnprocessed: true, origin: 'connect' }
}

/** Tells the channel which of its connections speaks. */
class ConnectionEvents implements Http2ClientHandler {
  http2: Http2ClientConnection | undefined = undefined
  private readonly channel: GrpcClientChannel

  constructor(channel: GrpcClientChannel) {
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
