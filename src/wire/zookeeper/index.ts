export { type ConnectRequest, type ConnectResponse, connectRequest, connectResponse, frame } from './connect.ts'
export { FrameReader } from './frame-reader.ts'
export { type Carried, type Codec, JuteError, JuteReader, JuteWriter } from './jute.ts'
export type { MultiResult, MultiStep } from './multi.ts'
export {
  type OperationName,
  type ReceivedRequest,
  type ReplyHeader,
  type RequestOf,
  type ResponseOf,
  readReplyBody,
  readRequest,
  replyHeader,
  writeReply,
  writeRequest,
} from './operations.ts'
export {
  createFlags,
  defaultFrameBytesMax,
  errorCodes,
  errorName,
  eventTypes,
  opCodes,
  permissions,
  reservedXids,
  watcherTypes,
  watchModes,
} from './protocol.ts'
export { type AccessRule, creatorOnly, openToAll, type Stat } from './stat.ts'
export { type WatchEvent, watchEvent } from './watches.ts'
