/**
 * The contract of what carries calls to one endpoint. `calls/` chooses the endpoint, counts, retries and decides what a
 * failure means; a transport only carries bytes and tells how each attempt ended.
 */
import type { Address, Clock, Logger, Network, Random, Scheduler } from '../../runtime/index.ts'
import type { Metadata, Method, RpcCode, Service } from '../service/index.ts'

/** What a transport takes of the outside world. */
export interface TransportRuntime {
  readonly clock: Clock
  readonly scheduler: Scheduler
  readonly random: Random
  readonly logger: Logger
  readonly network: Network
  /** Whether the network's connections are TLS, for protocols that say so. Default false. */
  readonly isSecure?: boolean | undefined
}

/** Bounds of a client's channels. */
export interface ChannelLimits {
  /** A larger message of a server fails its call with `RESOURCE_EXHAUSTED`. Bytes. */
  readonly messageBytesMax: number
  /** For an attempt to connect. */
  readonly connectTimeoutMs: number
  /** Calls that wait for one endpoint's connection; one more is refused with `RESOURCE_EXHAUSTED`. */
  readonly waitingCallsMax: number
}

/** Speaks one protocol to servers. */
export interface ClientTransport {
  /** For people: `grpc`. */
  readonly name: string
  /** What it offers by ALPN where it goes over TLS. Default: nothing. */
  readonly alpnProtocols?: readonly string[] | undefined
  open(address: Address, outside: TransportRuntime, limits: ChannelLimits): ClientChannel
}

/** To one endpoint. Connects by itself when a call needs it. */
export interface ClientChannel {
  /** True while the last attempt to connect failed and the next one is not due: calls fail at once. */
  readonly isDown: boolean
  /** Begins a call. `events` hear nothing inside this method. */
  begin(request: TransportRequest, events: CallEvents): TransportCall
  /** Takes no more calls; what is under way may end. */
  drain(): void
  /** Ends everything. Calls under way fail with `UNAVAILABLE`. */
  close(reason: string): void
}

export interface TransportRequest {
  readonly service: Service
  readonly method: Method
  readonly metadata: Metadata
  /** The time left, told to the server. Undefined: none. The caller of the transport ends the call itself. */
  readonly timeoutMs: number | undefined
  /** The one request message of a method that takes one. Undefined: messages follow by `send`, then `end`. */
  readonly message: Uint8Array | undefined
}

/** One attempt at a call. Methods do nothing once it has ended. */
export interface TransportCall {
  /** Sends a message, which must not change afterwards. False: wait for `onDrain`; it is queued all the same. */
  send(message: Uint8Array): boolean
  /** No more messages follow. */
  end(): void
  /** Gives up. No event follows. */
  cancel(): void
  /** Stops `onMessage`, so that the server is slowed down, until `resume`. */
  pause(): void
  resume(): void
}

/** What an attempt tells. `onEnd` is the last and comes once, unless it is cancelled. */
export interface CallEvents {
  /** The server began to answer. Not called for an answer that is a failure only. */
  onHeaders(metadata: Metadata): void
  /** A view of received memory, which stays unchanged. */
  onMessage(message: Uint8Array): void
  onDrain(): void
  onEnd(end: CallEnd): void
}

export interface CallEnd {
  /** Undefined: success. */
  readonly code: RpcCode | undefined
  readonly message: string
  readonly trailers: Metadata
  /** True: the request was certainly not handed to the server's application. */
  readonly isUnprocessed: boolean
  /** Who says so: the server's status, this side, the loss of the connection, or that none could be made. */
  readonly origin: 'server' | 'local' | 'connection' | 'connect'
  /** With origin `server`: it gave no status, but broke the call off. `code` is what that is taken for. Default false. */
  readonly isBrokenOff?: boolean | undefined
}
