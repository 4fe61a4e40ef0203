/** What an outcome says: whether the endpoint is well, and which condition of a route's `retry.on` it meets. */
import type { RetryCondition } from '../config/index.ts'
import type { AttemptFailure } from '../http/index.ts'
import { GrpcStatusCode } from './grpc.ts'

/** Whether an answer says that its endpoint is not well: 5xx but 501 (a method it does not know), or UNAVAILABLE. */
export function isUnwell(status: number, grpcStatus: number | undefined): boolean {
  return (status >= 500 && status !== 501) || grpcStatus === GrpcStatusCode.unavailable
}

/** The condition under which such an answer is dropped for another attempt. UNAVAILABLE without a body counts as 503. */
export function retryConditionOf(status: number, grpcStatus: number | undefined): RetryCondition | undefined {
  if (grpcStatus === GrpcStatusCode.unavailable) return '503'
  if (status === 502) return '502'
  if (status === 503) return '503'
  return status === 504 ? '504' : undefined
}

/** The condition that an attempt meets which failed without an answer. */
export function retryConditionOfFailure(kind: AttemptFailure['kind']): RetryCondition {
  return kind.startsWith('connect') ? 'connect-failure' : 'broken-connection'
}
