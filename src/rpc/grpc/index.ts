/** `synod/grpc`: services of `.proto` files, by code that protoc-gen-es or the tools of grpc-js generate, and gRPC itself. */
export {
  type GrpcClientOptions,
  type GrpcServerOptions,
  grpcClientTransport,
  grpcServerTransport,
  grpcStatusOf,
  type MessageCompression,
  rpcCodeOf,
} from '../grpc-transport/index.ts'
export { cameCompressed, compressed, uncompressed } from '../service/index.ts'
export type { DefinedMethod, DefinedService, DefinitionMethods } from './definition-service.ts'
export type { DescriptorMethods } from './descriptor-service.ts'
export { grpcService } from './grpc-service.ts'
