export { type GrpcClientOptions, grpcClientTransport } from './client-transport.ts'
export { grpcServerTransport } from './server-transport.ts'
export { grpcStatusOf, rpcCodeOf } from './status.ts'
