import type { ClientTransport } from '../transport/index.ts'
import { GrpcClientChannel } from './client-channel.ts'
import { gzipFromBytes, type MessageCompression } from './sent-message.ts'

/** Settings of gRPC clients. */
export interface GrpcClientOptions extends MessageCompression {
  /** The `:authority` of every request: what servers with several names, and proxies, go by. Default: `host:port`. */
  readonly authority?: string | undefined
  /** Of requests. A server that reads no gzip answers `UNIMPLEMENTED`: all gRPC libraries do read it. Default: none are. */
  readonly compression?: 'gzip' | undefined
  /** Whether the network of the client makes TLS connections: names the scheme. Default: whether the client has `tls`. */
  readonly secure?: boolean | undefined
}

/** gRPC over HTTP/2. Reads gzip. */
export function grpcClientTransport(options: GrpcClientOptions = {}): ClientTransport {
  return {
    name: 'grpc',
    alpnProtocols: ['h2'],
    open(address, outside, limits) {
      const host = address.host.includes(':') ? `[${address.host}]` : address.host
      const authority = options.authority ?? `${host}:${address.port}`
      const headings = {
        authority,
        gzipFromBytes: gzipFromBytes(options),
        scheme: (options.secure ?? outside.isSecure) ? 'https' : 'http',
      } as const
      return new GrpcClientChannel({ address, outside, limits, headings })
    },
  }
}
