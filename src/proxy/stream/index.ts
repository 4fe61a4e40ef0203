export { type ClientHelloResult, clientHelloBytesMax, readClientHello } from './client-hello.ts'
export { NameRoutes } from './name-routes.ts'
export {
  type StreamConfig,
  type StreamCounters,
  StreamListener,
  type StreamListenerInit,
  type StreamTarget,
} from './stream-listener.ts'
