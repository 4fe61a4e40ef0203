import type { ClientTransport } from '../transport/index.ts'
import { GrpcClientChannel } from './client-channel.ts'

export interface GrpcClientOptions {
  /** The `:authority` of every request: what servers with several names, and proxies, go by. Default: `host:port`. */
  readonly authority?: string | undefined
  /** Whether the network of the client makes TLS connections: names the scheme. Default false. */
  readonly secure?: boolean | undefined
}

/** gRPC over HTTP/2. Reads gzip, sends identity. */
export function grpcClientTransport(options: GrpcClientOptions = {}): ClientTransport {
  return {
    name: 'grpc',
    open(address, outside, limits) {
      const host = address.host.includes(':') ? `[${address.host}]` : address.host
      const authority = options.authority ?? `${host}:${address.port}`
      const headings = { authority, scheme: options.secure === true ? 'https' : 'http' } as const
      return new GrpcClientChannel({ address, outside, limits, headings })
    },
  }
}
