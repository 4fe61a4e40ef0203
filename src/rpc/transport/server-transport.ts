/** The contract of what brings calls to a server. `server/` runs handlers; a transport only carries. */
import type { Address } from '../../runtime/index.ts'
import type { Metadata, Method, RpcCode, Service } from '../service/index.ts'
import type { TransportRuntime } from './client-transport.ts'

/** Speaks one protocol to clients. */
export interface ServerTransport {
  readonly name: string
  /** What it takes by ALPN where it goes over TLS. Default: whatever is offered. */
  readonly alpnProtocols?: readonly string[] | undefined
  /** Listens. Rejects with a `ListenError`. */
  listen(init: ServerTransportInit): Promise<ListeningTransport>
}

export interface ServerTransportInit {
  readonly address: Address
  readonly outside: TransportRuntime
  readonly services: readonly Service[]
  readonly limits: ServerLimits
  /** Takes a call whose head has arrived. It is given its handlers before this returns. */
  readonly onCall: (call: IncomingCall) => void
  /** How a service does; the empty name is the whole server. Undefined: no such service. */
  readonly health: (service: string) => boolean | undefined
  /** Tells of changes of `health`, until the returned function is called. */
  readonly onHealthChange: (listener: () => void) => () => void
}

/** Bounds of a server. Past each the client gets the protocol's own refusal. */
export interface ServerLimits {
  /** A larger request message is refused with `RESOURCE_EXHAUSTED`. Bytes, after decompression. */
  readonly messageBytesMax: number
  /** A request of one message must be complete in this time. */
  readonly requestTimeoutMs: number
  readonly connectionsMax: number
  /** Calls at once on one connection. */
  readonly connectionCallsMax: number
}

export interface ListeningTransport {
  /** With the real port when 0 was asked for. */
  readonly address: Address
  /** Takes no more connections and calls, lets what is under way end for at most `drainMs`, closes. */
  close(options: { readonly drainMs: number }): Promise<void>
}

/** A call at its server. Nothing is told before `receive`; methods do nothing once it has ended. */
export interface IncomingCall {
  readonly service: Service
  readonly method: Method
  readonly metadata: Metadata
  /** On the monotonic clock; undefined without one. The transport ends the call then. */
  readonly deadlineMs: number | undefined
  readonly peer: string
  /** Has `events` told of messages from now on. */
  receive(events: IncomingEvents): void
  pause(): void
  resume(): void
  sendHeaders(metadata: Metadata): void
  /** Sends a message, which must not change afterwards. False: wait for `onDrain`; it is queued all the same. */
  send(message: Uint8Array): boolean
  /** Ends the call; `code` undefined is success. */
  end(code: RpcCode | undefined, message: string, trailers: Metadata): void
}

/** What a call tells its server. `onCancel` comes at most once, and nothing after it or after `end`. */
export interface IncomingEvents {
  /** A view of received memory, which stays unchanged. */
  onMessage(message: Uint8Array): void
  /** The client sends no more. */
  onHalfClose(): void
  onDrain(): void
  /** The call is over without `end`: the client gave it up or is gone, its deadline passed, or its bytes were wrong. */
  onCancel(why: 'cancelled' | 'deadline'): void
}
