export { GrpcChannel, type GrpcChannelState } from './grpc-channel.ts'
export type { GrpcChannelOptions, GrpcClientOutside } from './options.ts'
export type {
  CallMetadata,
  ClientStreamingCall,
  GrpcFailureReply,
  StreamEnd,
  StreamHandler,
  StreamOptions,
  UnaryOptions,
  UnaryReply,
} from './replies.ts'
