export { type ThriftClientOptions, thriftClientTransport } from './client-transport.ts'
export { createThriftClient, createThriftServer, type ThriftClient } from './create.ts'
export type { ArgumentsOf, GeneratedService, MethodNames, ResultOf } from './generated-service.ts'
export type { ThriftProtocolName } from './protocols.ts'
export { thriftServerTransport } from './server-transport.ts'
export type { ThriftAnswer } from './thrift-codecs.ts'
export {
  implementThrift,
  type ThriftImplementation,
  type ThriftService,
  type ThriftServiceOptions,
  thriftService,
} from './thrift-service.ts'
