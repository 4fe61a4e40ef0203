import type { HpackEncoder } from './hpack-encoder.ts'
import type { Http2Stream, StreamReceiver } from './http2-stream.ts'

/** What the unfinished requests of one connection may hold together. */
export interface BufferBudget {
  /** Claims `byteLength`; false when it is not to be had. */
  claim(byteLength: number): boolean
  release(byteLength: number): void
}

/** A receiver whose whole request must arrive in bounded time. */
export interface RequestReceiver extends StreamReceiver {
  readonly isReceiving: boolean
  /** The sweep in which it began; kept by the connection. */
  bornInSweep: number
  /** The request did not arrive in time: refuse it. */
  expire(): void
}

/** What a {@link StreamServer} is given of the connection. */
export interface StreamContext {
  readonly encoder: HpackEncoder
  readonly budget: BufferBudget
}

/** Answers requests that another layer has no use for. */
export interface StreamServer {
  /** As `Http2Handler.onStream`. */
  onStream(stream: Http2Stream, endStream: boolean, context: StreamContext): RequestReceiver
}
