export type {
  CallEnd,
  CallEvents,
  ChannelLimits,
  ClientChannel,
  ClientTransport,
  TransportCall,
  TransportRequest,
  TransportRuntime,
} from './client-transport.ts'
export { type MessageSource, MessageStream } from './message-stream.ts'
export type {
  IncomingCall,
  IncomingEvents,
  ListeningTransport,
  ServerLimits,
  ServerTransport,
  ServerTransportInit,
} from './server-transport.ts'
export { tlsNetwork } from './tls.ts'
