import type { ClientTransport } from '../transport/index.ts'
import { ThriftClientChannel } from './client-channel.ts'

/** How a client writes Thrift. */
export interface ThriftClientOptions {
  /** Writes a length before each message (`TFramedTransport`); false: messages only (`TBufferedTransport`). Default true. */
  readonly framed?: boolean | undefined
  /** Writes the service's name before the method's (`TMultiplexedProtocol`). Default false. */
  readonly multiplexed?: boolean | undefined
  /** Connections to one endpoint: each carries one call at a time. Default 64. */
  readonly connectionsMax?: number | undefined
}

/**
 * Thrift over TCP: binary or compact, as the service says. Thrift has no place for metadata and deadlines: a deadline
 * ends the call at the client only, and its connection with it.
 */
export function thriftClientTransport(options: ThriftClientOptions = {}): ClientTransport {
  const { framed = true, multiplexed = false, connectionsMax = 64 } = options
  return {
    name: 'thrift',
    open: (address, outside, limits) =>
      new ThriftClientChannel({ address, outside, limits, framed, multiplexed, connectionsMax }),
  }
}
