/** The bounds of an HTTP/1.1 server. */
export interface Http1Options {
  /** Request line and headers together. Past it: 431. */
  readonly headBytesMax: number
  /** Past it: 413. */
  readonly bodyBytesMax: number
  readonly headersMax: number
  /** A request's head must be complete this long after its first byte, and its body this long after its head: 408. */
  readonly receiveTimeoutMs: number
  /** A connection without a request is closed after this time. */
  readonly idleTimeoutMs: number
  /** A client that takes nothing of a waiting response for this long is dropped. */
  readonly sendTimeoutMs: number
}

export const http1OptionsDefault: Http1Options = {
  headBytesMax: 16 << 10,
  bodyBytesMax: 1 << 20,
  headersMax: 100,
  receiveTimeoutMs: 20_000,
  idleTimeoutMs: 60_000,
  sendTimeoutMs: 60_000,
}
