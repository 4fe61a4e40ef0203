import type { StreamCall } from './stream-call.ts'
import type { UnaryCall } from './unary-call.ts'

/** What serves one method. Nothing a handler does is awaited: it answers through its call, now or in a later turn. */
export type GrpcMethod =
  | { readonly kind: 'unary'; readonly handler: (call: UnaryCall) => void }
  | { readonly kind: 'stream'; readonly handler: (call: StreamCall) => void }

/** Methods by path, such as `/etcdserverpb.KV/Put`. */
export type GrpcRoutes = Readonly<Record<string, GrpcMethod>>

/** One request message, one response message. The handler runs when the request is complete. */
export function unary(handler: (call: UnaryCall) => void): GrpcMethod {
  return { kind: 'unary', handler }
}

/** Any number of messages either way. The handler runs when the request's headers are there. */
export function streaming(handler: (call: StreamCall) => void): GrpcMethod {
  return { kind: 'stream', handler }
}
