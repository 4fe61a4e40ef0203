import type { ServerTransport } from '../transport/index.ts'
import { ThriftListener } from './thrift-listener.ts'

/**
 * Thrift over TCP. Each client is read as it speaks: binary (strict) or compact, framed or not, with the service's name
 * before the method's (`TMultiplexedProtocol`) or without. Without, the first service that has the method serves it.
 */
export function thriftServerTransport(): ServerTransport {
  return { name: 'thrift', listen: (init) => new ThriftListener(init).listen() }
}
