/**
 * The bounds of one HTTP/2 connection, client side. Every queue, table and loop that a server can drive has its limit
 * here; past it the connection closes and its streams fail.
 */
export interface Http2ClientOptions {
  /** Decoded size (RFC 7541 §4.1) of one header list. Advertised; a larger one fails its stream. */
  readonly headerListBytesMax: number
  /** Encoded size of one header block over all its frames (CONTINUATION flood). */
  readonly headerBlockBytesMax: number
  /** CONTINUATION frames of one header block, empty ones included. */
  readonly continuationFramesMax: number
  /** Bytes the server may send on one stream before they are consumed. */
  readonly streamReceiveWindowBytes: number
  /** Bytes the server may have in flight on the whole connection. */
  readonly connectionReceiveWindowBytes: number
  /** Frames that carry no work (PING, SETTINGS, PRIORITY, empty DATA, informational heads): burst, and refill a second. */
  readonly nuisanceFramesBurst: number
  readonly nuisanceFramesPerSecond: number
  /** Replies to control frames that the transport has not yet taken. */
  readonly queuedControlFramesMax: number
  /** Bodies waiting for window; past it no stream is opened. */
  readonly queuedBodyBytesMax: number
  /** A request that nothing was heard after for this long sends a PING. */
  readonly keepAliveTimeMs: number
  /** When nothing is heard for this long after the PING, the server is gone. */
  readonly keepAliveTimeoutMs: number
}

export const http2ClientOptionsDefault: Http2ClientOptions = {
  headerListBytesMax: 64 << 10,
  headerBlockBytesMax: 64 << 10,
  continuationFramesMax: 64,
  streamReceiveWindowBytes: 4 << 20,
  connectionReceiveWindowBytes: 32 << 20,
  nuisanceFramesBurst: 10_000,
  nuisanceFramesPerSecond: 1_000,
  queuedControlFramesMax: 10_000,
  queuedBodyBytesMax: 16 << 20,
  // etcd counts pings closer than 5 s as abuse while it has nothing to say (--grpc-keepalive-min-time).
  keepAliveTimeMs: 6_000,
  keepAliveTimeoutMs: 3_000,
}
