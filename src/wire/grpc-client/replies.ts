import type { GrpcStatusCode } from '../grpc/index.ts'

/** How a call failed. */
export interface GrpcFailureReply {
  readonly ok: false
  /** gRPC's status code. */
  readonly status: GrpcStatusCode
  readonly message: string
  /** The trailers, by lower-case name; the first value of each. Empty unless the server sent them. */
  readonly metadata: ReadonlyMap<string, string>
  /**
   * False: the request certainly was not handed to the application. It was never sent, not sent whole (unary), refused
   * with REFUSED_STREAM, or above the last stream of a GOAWAY.
   */
  readonly processed: boolean
  /** Who says so: the server's status, this side, or the loss of the connection. */
  readonly origin: 'server' | 'local' | 'connection'
}

export type UnaryReply =
  | {
      readonly ok: true
      /** A view of received memory, which stays unchanged: copy what is kept for long. */
      readonly message: Uint8Array
    }
  | GrpcFailureReply

/** How a streaming call ended; status 0 is success. */
export interface StreamEnd {
  readonly status: GrpcStatusCode
  readonly message: string
  readonly processed: boolean
  readonly origin: GrpcFailureReply['origin']
  readonly metadata: ReadonlyMap<string, string>
}

/** What a streaming call tells. Never called inside the call that began it; `onEnd` is the last and comes once. */
export interface StreamHandler {
  /** A view of received memory, as in {@link UnaryReply}. */
  onMessage(message: Uint8Array): void
  onEnd(end: StreamEnd): void
}

/** Metadata of one call, lower-case names. Give the same array again and again: its header block is then made once. */
export type CallMetadata = readonly (readonly [name: string, value: string])[]

export interface UnaryOptions {
  /** Measured from the call. Also told to the server, rounded up to two digits. Default: none. */
  readonly timeoutMs?: number | undefined
  readonly metadata?: CallMetadata | undefined
}

export interface StreamOptions {
  readonly metadata?: CallMetadata | undefined
}

export interface ClientStreamingCall {
  /**
   * Sends a message, which must not change afterwards. Returns a monotonic time in ms that is not after the moment at
   * which it was handed to the transport.
   */
  send(message: Uint8Array): number
  /** No more messages follow. */
  end(): void
  /** Gives up: RST_STREAM. `onEnd` comes with status 1. */
  cancel(): void
}

export const noMetadata: ReadonlyMap<string, string> = new Map()
