/**
 * `synod/rpc`: services that are found, balanced and called. Define one in code ({@link defineService}) or take it from a
 * `.proto` file (`grpcService` of `synod/grpc`); serve it with {@link createServer}, call it with {@link createClient}.
 */
export {
  type CallOptions,
  type ClientInterceptor,
  type ClientLimitOptions,
  type ClientOptions,
  type ClientTlsOptions,
  closeClient,
  type OutgoingCall,
  type RetryOptions,
  type RpcClient,
} from './calls/index.ts'
export { createClient, createServer } from './create.ts'
export { rpcMetrics } from './metrics/index.ts'
export {
  type ImplementedService,
  type InterceptedCall,
  implement,
  type MethodCount,
  type RegisterServerOptions,
  type RpcServer,
  type ServerInterceptor,
  type ServerLimitOptions,
  type ServerOptions,
  type ServerTlsOptions,
} from './server/index.ts'
export {
  type CallContext,
  type CallOrigin,
  type Codec,
  type ErrorDetail,
  type Handler,
  type Implementation,
  type Metadata,
  type MetadataInit,
  type MetadataValue,
  type Method,
  type MethodKind,
  type Requests,
  type RpcCode,
  RpcError,
  type RpcErrorInit,
  type Service,
  type ServiceMethods,
} from './service/index.ts'
export type { ClientTransport, ServerTransport } from './transport/index.ts'
export {
  bidiStreaming,
  clientStreaming,
  type DefinedServiceOptions,
  defineService,
  type MethodContract,
  serverStreaming,
  unary,
  type Validator,
} from './typed/index.ts'
