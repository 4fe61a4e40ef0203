export type {
  CallOptions,
  ClientInterceptor,
  ClientLimitOptions,
  ClientOptions,
  ClientTlsOptions,
  OutgoingCall,
  RetryOptions,
} from './options.ts'
export { closeClient, openClient, type RpcClient } from './rpc-client.ts'
export { sourceOfTarget } from './target.ts'
