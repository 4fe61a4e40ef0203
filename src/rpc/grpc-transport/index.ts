export { type GrpcClientOptions, grpcClientTransport } from './client-transport.ts'
export type { MessageCompression } from './sent-message.ts'
export { type GrpcServerOptions, grpcServerTransport } from './server-transport.ts'
export { grpcStatusOf, rpcCodeOf } from './status.ts'
