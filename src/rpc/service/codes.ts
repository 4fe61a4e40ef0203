/** What may become of a call. The names are those of gRPC's status codes (grpc/grpc doc/statuscodes.md). */
export const rpcCodes = [
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
] as const

/** One of {@link rpcCodes}. */
export type RpcCode = (typeof rpcCodes)[number]

/** Codes after which the same call may succeed later. */
export const retryableCodes: ReadonlySet<RpcCode> = new Set([
  'UNAVAILABLE',
  'RESOURCE_EXHAUSTED',
  'ABORTED',
  'DEADLINE_EXCEEDED',
])

/**
 * Codes with which a server says that it refused the call: what was asked for was not done. With any other it may have
 * been done, wholly or in part, unless the server says more.
 */
export const refusalCodes: ReadonlySet<RpcCode> = new Set([
  'INVALID_ARGUMENT',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'UNAUTHENTICATED',
])
