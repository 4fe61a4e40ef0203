import type { Http2Options } from '../http2/index.ts'

/** The bounds of a gRPC server, besides those of its HTTP/2 connections. */
export interface GrpcOptions {
  /** A larger request message is refused with RESOURCE_EXHAUSTED. Bytes, after decompression. */
  readonly requestBytesMax: number
  /** Unfinished request messages of one connection together; the call that passes it gets RESOURCE_EXHAUSTED. */
  readonly connectionBufferedBytesMax: number
  /** What all connections may hold together, of requests and of answers; past it the one that holds most is closed. */
  readonly heldBytesMax: number
  /** A unary request must be complete within one to two times this time. */
  readonly unaryRequestTimeoutMs: number
  /** Overrides of the HTTP/2 bounds. */
  readonly http2: Partial<Http2Options>
}

export const grpcOptionsDefault: GrpcOptions = {
  // etcd: --max-request-bytes (1.5 MiB) and 512 KiB of gRPC overhead.
  requestBytesMax: (1536 + 512) << 10,
  connectionBufferedBytesMax: 64 << 20,
  heldBytesMax: 512 << 20,
  unaryRequestTimeoutMs: 30_000,
  http2: {
    // etcd: --grpc-keepalive-min-time 5s.
    pingPolicy: { minIntervalMs: 5_000, permitWithoutStream: false },
    // etcd: --grpc-keepalive-interval 2h, --grpc-keepalive-timeout 20s.
    keepAlive: { intervalMs: 2 * 60 * 60 * 1000, timeoutMs: 20_000 },
  },
}
