export { type DeadlineEntry, DeadlineQueue } from './deadline-queue.ts'
export {
  GrpcServer,
  type GrpcServerCounters,
  type GrpcServerInit,
} from './grpc-server.ts'
export { type HealthProvider, HealthStatus, healthRoutes } from './health.ts'
export { MessageReader, messagePrefix, messagePrefixBytes } from './message-reader.ts'
export { type GrpcMethod, type GrpcRoutes, streaming, unary } from './method.ts'
export { type GrpcOptions, grpcOptionsDefault } from './options.ts'
export { ownDescriptors } from './own-descriptors.ts'
export { decodeGrpcMessage, encodeGrpcMessage } from './percent-encoding.ts'
export { type ReflectionInit, reflectionRoutes } from './reflection.ts'
export { type GrpcFailure, GrpcStatusCode } from './status.ts'
export type { StreamCall } from './stream-call.ts'
export { parseGrpcTimeout } from './timeout.ts'
export type { UnaryCall } from './unary-call.ts'
