export { type ImplementedService, implement, type ServiceHandler } from './implement.ts'
export type {
  InterceptedCall,
  RegisterServerOptions,
  ServerInterceptor,
  ServerLimitOptions,
  ServerOptions,
  ServerTlsOptions,
} from './options.ts'
export type { MethodCount, RpcServer } from './rpc-server.ts'
export { type ServerDefaults, startServer } from './start-server.ts'
