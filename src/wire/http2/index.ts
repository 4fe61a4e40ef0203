export type { FieldPair, HeaderTemplate } from './hpack-encoder.ts'
export {
  type Http2Handler,
  Http2ServerConnection,
  type Http2ServerConnectionInit,
} from './http2-server-connection.ts'
export { type Http2Stream, type StreamReceiver, streamHighWaterBytes } from './http2-stream.ts'
export { type Http2Options, http2OptionsDefault, type PingPolicy } from './options.ts'
export { OutputArena } from './output-arena.ts'
export { clientPreface, Http2ErrorCode } from './protocol.ts'
export type { RequestHead } from './request-head.ts'
export type { ProtocolServer, ServedConnection } from './served-connection.ts'
