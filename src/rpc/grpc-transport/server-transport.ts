import type { ServerTransport } from '../transport/index.ts'
import { GrpcListener } from './grpc-listener.ts'

/**
 * gRPC over HTTP/2, with `grpc.health.v1.Health` and `grpc.reflection.v1.ServerReflection` (and v1alpha). Reads gzip, sends
 * identity. A connection that speaks HTTP/1.1 gets 404.
 */
export function grpcServerTransport(): ServerTransport {
  return { name: 'grpc', listen: (init) => new GrpcListener(init).listen() }
}
