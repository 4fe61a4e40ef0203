/**
 * The bounds of one HTTP/2 connection. Every queue, table and loop a peer can drive has its limit here; past it the
 * peer gets the protocol's own refusal and the process stays up.
 */
export interface Http2Options {
  /** Streams open at once. Advertised; one more is refused with REFUSED_STREAM. */
  readonly concurrentStreamsMax: number
  /** Decoded size (RFC 7541 §4.1) of one header list. Advertised; a larger one resets its stream. */
  readonly headerListBytesMax: number
  /** Encoded size of one header block over all its frames. Past it the connection closes (CONTINUATION flood). */
  readonly headerBlockBytesMax: number
  /** CONTINUATION frames of one header block, empty ones included. */
  readonly continuationFramesMax: number
  /** Payload of a received frame; 16,384 to 16,777,215. Advertised when it is not the default. */
  readonly frameBytesMax: number
  /** Bytes a peer may send on one stream before the application takes them. */
  readonly streamReceiveWindowBytes: number
  /** Bytes a peer may have in flight on the whole connection. */
  readonly connectionReceiveWindowBytes: number
  /** The preface and the first SETTINGS must arrive within this time. */
  readonly prefaceTimeoutMs: number
  /** A header block must be complete, and an unfinished frame must end, within this time (slow loris). */
  readonly frameTimeoutMs: number
  /** Streams reset, by the peer or for its errors, before they got a response: burst, and refill a second. */
  readonly resetsBurst: number
  readonly resetsPerSecond: number
  /** Frames that ask for work and carry none (PING, SETTINGS, PRIORITY, empty DATA): burst, and refill a second. */
  readonly nuisanceFramesBurst: number
  readonly nuisanceFramesPerSecond: number
  /** Replies to control frames that the transport has not yet taken; past it the connection closes. */
  readonly queuedControlFramesMax: number
  /** Output held for a peer that does not read. At half of it reading from the peer stops; past it, close. */
  readonly outputBytesMax: number
  /** Output that makes no progress for one to two times this time: the connection closes, or the stream is reset. */
  readonly sendTimeoutMs: number
  /** Pings for peers that are silent; `undefined` for none. */
  readonly keepAlive: KeepAlive | undefined
  /** Bodies waiting for window. Past it new streams are refused with REFUSED_STREAM; at four times it, close. */
  readonly queuedBodyBytesMax: number
  /** Ids of streams reset here whose late frames are ignored silently. */
  readonly rememberedResetsMax: number
  /** What pings a client may send (gRPC's keep-alive enforcement); `undefined` for no enforcement. */
  readonly pingPolicy: PingPolicy | undefined
}

/** grpc-go's `keepalive.ServerParameters`. */
export interface KeepAlive {
  /** A peer that has sent nothing for this long gets a PING, in one to two times this time. */
  readonly intervalMs: number
  /** One that sends nothing for this long after it is gone. */
  readonly timeoutMs: number
}

/** grpc-go's `keepalive.EnforcementPolicy`. */
export interface PingPolicy {
  /** The least time between two pings. */
  readonly minIntervalMs: number
  /** Whether pings may come while no stream is open. */
  readonly permitWithoutStream: boolean
}

export const http2OptionsDefault: Http2Options = {
  concurrentStreamsMax: 100_000,
  headerListBytesMax: 64 << 10,
  headerBlockBytesMax: 64 << 10,
  continuationFramesMax: 64,
  frameBytesMax: 16_384,
  streamReceiveWindowBytes: 1 << 20,
  connectionReceiveWindowBytes: 8 << 20,
  prefaceTimeoutMs: 10_000,
  frameTimeoutMs: 20_000,
  resetsBurst: 5_000,
  resetsPerSecond: 500,
  nuisanceFramesBurst: 10_000,
  nuisanceFramesPerSecond: 1_000,
  queuedControlFramesMax: 10_000,
  outputBytesMax: 16 << 20,
  sendTimeoutMs: 30_000,
  keepAlive: undefined,
  queuedBodyBytesMax: 64 << 20,
  rememberedResetsMax: 4_096,
  pingPolicy: undefined,
}
