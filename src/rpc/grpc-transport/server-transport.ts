import type { ServerTransport } from '../transport/index.ts'
import { GrpcListener } from './grpc-listener.ts'

/** Settings of gRPC servers. */
export interface GrpcServerOptions {
  /** Compresses answers of 1 KiB and more for clients that read gzip. Default: none are. */
  readonly compression?: 'gzip' | undefined
}

/**
 * gRPC over HTTP/2, with `grpc.health.v1.Health` and `grpc.reflection.v1.ServerReflection` (and v1alpha). Reads gzip. A connection that speaks HTTP/1.1 gets 404.
 */
export function grpcServerTransport({ compression }: GrpcServerOptions = {}): ServerTransport {
  return {
    name: 'grpc',
    alpnProtocols: ['h2'],
    listen: (init) => new GrpcListener(init, compression === 'gzip').listen(),
  }
}
