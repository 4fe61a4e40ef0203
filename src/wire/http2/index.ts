export type { FieldPair, HeaderTemplate, HpackEncoder } from './hpack-encoder.ts'
export {
  type Http2Handler,
  Http2ServerConnection,
  type Http2ServerConnectionInit,
} from './http2-server-connection.ts'
export { type Http2Stream, type StreamReceiver, streamHighWaterBytes } from './http2-stream.ts'
export { type MemoryHolder, MemoryLedger } from './memory-ledger.ts'
export { type Http2Options, http2OptionsDefault, type KeepAlive, type PingPolicy } from './options.ts'
export { OutputArena } from './output-arena.ts'
export { clientPreface, Http2ErrorCode } from './protocol.ts'
export type { RequestHead } from './request-head.ts'
export type { BufferBudget, RequestReceiver, StreamContext, StreamServer } from './request-receiver.ts'
export type { ProtocolServer, ServedConnection } from './served-connection.ts'
