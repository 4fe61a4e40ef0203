export { ClientStream, type ResponseReceiver, type StreamFailure } from './client-stream.ts'
export {
  Http2ClientConnection,
  type Http2ClientConnectionInit,
  type Http2ClientHandler,
} from './http2-client-connection.ts'
export { type Http2ClientOptions, http2ClientOptionsDefault } from './options.ts'
export { ResponseHead } from './response-head.ts'
