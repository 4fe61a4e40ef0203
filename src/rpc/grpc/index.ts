/** `synod/grpc`: services of `.proto` files, by code that protoc-gen-es or the tools of grpc-js generate, and gRPC itself. */
export {
  type GrpcClientOptions,
  type GrpcServerOptions,
  grpcClientTransport,
  grpcServerTransport,
  grpcStatusOf,
  rpcCodeOf,
} from '../grpc-transport/index.ts'
export type { DefinedMethod, DefinedService, DefinitionMethods } from './definition-service.ts'
export type { DescriptorMethods } from './descriptor-service.ts'
export { grpcService } from './grpc-service.ts'
