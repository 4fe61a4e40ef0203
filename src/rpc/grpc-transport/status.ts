/** The one table between RPC's codes and gRPC's status numbers (grpc/grpc doc/statuscodes.md). */
import { GrpcStatusCode } from '../../wire/grpc/index.ts'
import type { RpcCode } from '../service/index.ts'

const statusOfCode: Readonly<Record<RpcCode, GrpcStatusCode>> = {
  CANCELLED: GrpcStatusCode.cancelled,
  UNKNOWN: GrpcStatusCode.unknown,
  INVALID_ARGUMENT: GrpcStatusCode.invalidArgument,
  DEADLINE_EXCEEDED: GrpcStatusCode.deadlineExceeded,
  NOT_FOUND: GrpcStatusCode.notFound,
  ALREADY_EXISTS: GrpcStatusCode.alreadyExists,
  PERMISSION_DENIED: GrpcStatusCode.permissionDenied,
  RESOURCE_EXHAUSTED: GrpcStatusCode.resourceExhausted,
  FAILED_PRECONDITION: GrpcStatusCode.failedPrecondition,
  ABORTED: GrpcStatusCode.aborted,
  OUT_OF_RANGE: GrpcStatusCode.outOfRange,
  UNIMPLEMENTED: GrpcStatusCode.unimplemented,
  INTERNAL: GrpcStatusCode.internal,
  UNAVAILABLE: GrpcStatusCode.unavailable,
  DATA_LOSS: GrpcStatusCode.dataLoss,
  UNAUTHENTICATED: GrpcStatusCode.unauthenticated,
}

const codeOfStatus = new Map<number, RpcCode>(
  (Object.entries(statusOfCode) as [RpcCode, GrpcStatusCode][]).map(([code, status]) => [status, code]),
)

/** 0 for success. */
export function grpcStatusOf(code: RpcCode | undefined): GrpcStatusCode {
  return code === undefined ? GrpcStatusCode.ok : statusOfCode[code]
}

/** Undefined for success. A code of the future means nothing to a caller: `UNKNOWN`. */
export function rpcCodeOf(status: number): RpcCode | undefined {
  return status === GrpcStatusCode.ok ? undefined : (codeOfStatus.get(status) ?? 'UNKNOWN')
}
