import type { ServerTransport } from '../transport/index.ts'
import { GrpcListener } from './grpc-listener.ts'
import { gzipFromBytes, type MessageCompression } from './sent-message.ts'

/** Settings of gRPC servers. */
export interface GrpcServerOptions extends MessageCompression {
  /** Of answers, for clients that read gzip. Default: none are. */
  readonly compression?: 'gzip' | undefined
}

/**
 * gRPC over HTTP/2, with `grpc.health.v1.Health` and `grpc.reflection.v1.ServerReflection` (and v1alpha). Reads gzip. A connection that speaks HTTP/1.1 gets 404.
 */
export function grpcServerTransport(options: GrpcServerOptions = {}): ServerTransport {
  return {
    name: 'grpc',
    alpnProtocols: ['h2'],
    listen: (init) => new GrpcListener(init, gzipFromBytes(options)).listen(),
  }
}
