/** What a handler knows of the call that it serves, and what its own calls take over from it. */
import type { Metadata, MetadataInit, MetadataValue } from './metadata.ts'

/** What one call hands on to the calls that it makes: its deadline, its cancellation, and its place in a trace. */
export interface CallOrigin {
  /** Fires when the caller is gone or its deadline has passed; the reason is an `RpcError`. */
  readonly signal: AbortSignal
  /** Milliseconds until the caller gives up; undefined when it never said. Never below 0. */
  remainingMs(): number | undefined
  /** W3C Trace Context `traceparent` of this call; undefined outside a trace. */
  readonly traceparent: string | undefined
  readonly tracestate: string | undefined
}

/** Given to every handler. Pass it on: `other.method(request, { context })`. */
export interface CallContext extends CallOrigin {
  /** Full name of the service. */
  readonly service: string
  /** The method's name on the wire. */
  readonly method: string
  /** What the client sent along. */
  readonly metadata: Metadata
  /** The client's address, for people. */
  readonly peer: string
  /** Sends metadata before the first message, at once. The first time only: later calls do nothing. */
  sendHeaders(metadata?: MetadataInit): void
  /** Sets metadata that follows the last message. */
  setTrailer(name: string, value: MetadataValue): void
}
