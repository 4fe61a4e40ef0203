export { BodyQueue } from './body-queue.ts'
export { BodySender, type BodySource } from './body-sender.ts'
export { FramePayload } from './frame-payload.ts'
export { FrameReader, type FrameSink } from './frame-reader.ts'
export { FrameWriter } from './frame-writer.ts'
export { HeadDecoder } from './head-decoder.ts'
export { HeaderBlock } from './header-block.ts'
export { EncodedBlock, HeaderBlockWriter, type HeaderSource } from './header-block-writer.ts'
export { FieldKind, fieldOverheadBytes, type HeaderField } from './header-field.ts'
export { type FieldPair, type HeaderTemplate, HpackEncoder } from './hpack-encoder.ts'
export {
  type Http2Handler,
  Http2ServerConnection,
  type Http2ServerConnectionInit,
} from './http2-server-connection.ts'
export { type Http2Stream, type StreamReceiver, streamHighWaterBytes } from './http2-stream.ts'
export { type MemoryHolder, MemoryLedger } from './memory-ledger.ts'
export { type Http2Options, http2OptionsDefault, type KeepAlive, type PingPolicy } from './options.ts'
export { OutputArena, type OutputBuffer } from './output-arena.ts'
export { readPeerSettings } from './peer-settings.ts'
export {
  clientPreface,
  Flag,
  FrameType,
  framePayloadBytesDefault,
  Http2ErrorCode,
  initialWindowBytesDefault,
  Setting,
  streamIdMax,
  windowBytesMax,
} from './protocol.ts'
export { RateLimit } from './rate-limit.ts'
export { ReceiveWindow } from './receive-window.ts'
export type { RequestHead } from './request-head.ts'
export type { BufferBudget, RequestReceiver, StreamContext, StreamServer } from './request-receiver.ts'
export type { ProtocolServer, ServedConnection } from './served-connection.ts'
