/** The numbers of RFC 9113: frame types, flags, settings and error codes. */

/** Every frame begins with 24 bits of payload length, 8 of type, 8 of flags, 1 reserved, 31 of stream id (§4.1). */
export const frameHeaderBytes = 9

export const FrameType = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const

export const Flag = {
  /** On SETTINGS and PING. */
  ack: 0x1,
  /** On DATA and HEADERS. */
  endStream: 0x1,
  endHeaders: 0x4,
  padded: 0x8,
  priority: 0x20,
} as const

export const Setting = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
} as const

/** Error codes of RST_STREAM and GOAWAY (§7). */
export const Http2ErrorCode = {
  noError: 0,
  protocolError: 1,
  internalError: 2,
  flowControlError: 3,
  settingsTimeout: 4,
  streamClosed: 5,
  frameSizeError: 6,
  refusedStream: 7,
  cancel: 8,
  compressionError: 9,
  connectError: 10,
  enhanceYourCalm: 11,
  inadequateSecurity: 12,
  http11Required: 13,
} as const
export type Http2ErrorCode = (typeof Http2ErrorCode)[keyof typeof Http2ErrorCode]

/** What a client sends first (§3.4). */
export const clientPreface: Uint8Array = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1')

/** Flow-control windows and stream ids have 31 bits. */
export const windowBytesMax = 0x7fff_ffff
export const streamIdMax = 0x7fff_ffff
/** Both sides' windows before any SETTINGS or WINDOW_UPDATE (§6.9.2). */
export const initialWindowBytesDefault = 65_535
/** The frame payload every peer must accept (§4.2). */
export const framePayloadBytesDefault = 16_384
